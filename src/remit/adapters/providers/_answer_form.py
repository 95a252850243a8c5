"""How an asked form is asked for, by provider and model: the only place that chooses.

    native   the provider constrains the answer by the JSON Schema
    tool     the schema is a tool that the model must call (wire/answer_tool.py)
    words    the schema stands in the system text (wire/prompted.py)

`Settings.answer_form` overrides it. One rule, no lists of models: what the provider's row promises is asked for; a
provider that refuses the form is asked in the next one, at once, for a refusal costs nothing; and where its words say
that the model lacks it, that is remembered. Listed is only what is not refused but ignored, and what is documented to
exclude each other. An answer of a form is sampled at `OutputSpec.temperature`, where the settings say nothing of
sampling and the model does not refuse it. Whatever is chosen, remit validates what comes back and asks again with what
was wrong, a bounded number of times (agents/loop.py).
"""

from __future__ import annotations

import re
from typing import Final

from msgspec.structs import replace

from remit.core.model import ModelRequest
from remit.errors import Invalid, ModelError
from remit.ports.provider import Profile
from remit.wire.answer_tool import as_tool
from remit.wire.prompted import in_words

FORMS: Final = ("native", "tool", "words")

# Models that constrain an answer or take tools, not both. Source: Gemini docs "Structured output"; Cohere docs
# "Structured Outputs".
_NOT_BESIDE_TOOLS: Final = {"gemini": r"(?:.*/)?gemini-[12][.-]", "cohere-v2": r""}
# Where a required call is not refused but taken for auto. Source: Z.ai API reference, "tool_choice": auto only.
_NOT_FORCED: Final = frozenset(("zai",))
# How refusals name a form: the wire's own field, or the words that the providers have for it.
_NAMES: Final = {
    "native": r"(?i)response.?(?:format|mime|json|schema)|json.?(?:schema|mode)|output.?(?:config|format)|text.?format"
    r"|structured.?output",
    "tool": r"(?i)tool.?(?:choice|config|use)|function.?call|\btools?\b|thinking",
}
# That it is the model which lacks it, not this request which is wrong.
_LACKS: Final = r"(?i)not? support|unsupported|n't support|not (?:enabled|available|permitted)|unavailable|incompatible"


class Forms:
    """The forms of one request, in turn.

    Args:
        profile: the provider's row.
        request: asks for a form; its `model` is set.
        lacking: forms that this model is known to lack; grows.

    Raises:
        Invalid: value_invalid, `Settings.answer_form` names no form.
    """

    def __init__(self, profile: Profile, request: ModelRequest, lacking: set[str]) -> None:
        self._profile, self._request, self._lacking = profile, request, lacking
        self._asked = request.settings.answer_form
        if self._asked and self._asked not in FORMS:
            raise Invalid("value_invalid", f"answer_form is one of {', '.join(FORMS)}, not {self._asked!r:.40}")
        self._out = set(lacking)
        self._refusals: list[tuple[str, str]] = []  # form, the provider's words

    @property
    def form(self) -> str:
        """The one to ask for now."""
        return self._asked or form_of(self._profile, self._request, self._out)

    @property
    def sent(self) -> tuple[ModelRequest, str]:
        """The request in this form, and the name of the answer's tool ("" = it has none)."""
        form, request = self.form, self._request
        if self._cooled:
            assert request.output is not None
            request = replace(request, settings=replace(request.settings, temperature=request.output.temperature))
        if form == "tool":
            return as_tool(request)
        return (request if form == "native" else in_words(request)), ""

    @property
    def _cooled(self) -> bool:
        """Whether the form's own temperature is sent; models that reason take none, or only theirs."""
        given = self._request.settings
        free = given.temperature is None and given.top_p is None and "temperature" not in given.extra
        return free and not (given.thinking_tokens or given.reasoning_effort or "temperature" in self._out)

    def refused(self, error: ModelError) -> bool:
        """Whether the provider refused the form itself, and there is another to ask for."""
        form = self.form
        if error.status not in (400, 404, 422, 501):
            return False
        if self._cooled and "temperature" in error.message.lower():
            self._out.add("temperature")
            self._refusals.append(("temperature", error.message))
            return True
        if self._asked or form == "words":
            return False
        if re.search(_NAMES[form], error.message) is None:
            return False
        self._out.add(form)
        self._refusals.append((form, error.message))
        return True

    def answered(self) -> None:
        """Another form was answered: what the model was said to lack is remembered."""
        self._lacking |= {form for form, why in self._refusals if form == "temperature" or re.search(_LACKS, why)}


def form_of(profile: Profile, request: ModelRequest, out: set[str] | frozenset[str] = frozenset()) -> str:
    """The form for `request.model` at this provider, `out` left out."""
    if "native" not in out and "structured" in profile.supports:
        apart = _NOT_BESIDE_TOOLS.get(profile.wire) if request.tools else None
        if apart is None or re.match(apart, request.model) is None:
            return "native"
    if "tool" in out or "tools" not in profile.supports or profile.name in _NOT_FORCED:
        return "words"
    # Thinking and a required call exclude each other. Source: Claude docs "Extended thinking", limitations.
    thinks = profile.wire in ("anthropic-messages", "bedrock-converse") and request.settings.thinking_tokens
    return "words" if thinks else "tool"
