"""How an asked form is asked for, by provider and model: the only place that chooses.

    native   the provider constrains the answer by the JSON Schema
    tool     the schema is a tool that the model must call (wire/answer_tool.py)
    words    the schema stands in the system text (wire/prompted.py)

`Settings.answer_form` overrides it. Whatever is chosen, remit validates what comes back and asks again with what was
wrong, a bounded number of times (agents/loop.py). What a model is not known to lack, its provider's row promises.
"""

from __future__ import annotations

import re
from typing import Final

from remit.core.model import ModelRequest
from remit.errors import Invalid
from remit.ports.provider import Profile
from remit.wire.answer_tool import as_tool
from remit.wire.bedrock_converse.encode import CONSTRAINED as BEDROCK_CONSTRAINED
from remit.wire.prompted import in_words

FORMS: Final = ("native", "tool", "words")

# Older models, by wire. Sources: OpenAI docs "Structured model outputs"; Claude docs "Structured outputs", "Models".
_OLD_GPT: Final = r"(?:openai/)?(?:gpt-3\.5|gpt-4(?:-(?:\d{4}|turbo|32k).*)?$|gpt-4o-2024-05-13|o1-(?:mini|preview))"
_UNCONSTRAINED: Final = {
    "openai-chat": _OLD_GPT,
    "openai-responses": _OLD_GPT,
    "anthropic-messages": r"claude-(?:instant|[123]\b|(?:sonnet|opus)-4(?:-0|-20\d{6})?(?:@.*)?$)",
}  # fmt: skip
# Providers where few models do. Source: Groq docs "Structured Outputs", supported models.
_CONSTRAINED_ONLY: Final = {"groq": r".*(?:gpt-oss|llama-4|kimi-k2)"}
# Models that constrain an answer or take tools, not both. Source: Gemini docs "Structured output"; Cohere docs, same.
_NOT_BESIDE_TOOLS: Final = {"gemini": r"(?:.*/)?gemini-[12][.-]", "cohere-v2": r""}
# Where a call cannot be required. Sources: Z.ai and Kimi API references, "tool_choice"; DeepSeek docs, "Reasoning
# Model"; Bedrock API reference, "ToolChoice"; OpenAI docs of o1-mini and o1-preview; Gemma has no function calling.
_ONLY_CLAUDE_AND_NOVA: Final = r"(?!.*(?:anthropic\.claude|amazon\.nova))"
_NOT_FORCED: Final = {
    "zai": r"", "moonshot": r"", "deepseek": r".*reasoner", "openai": r"o1-(?:mini|preview)", "google": r"gemma",
    "bedrock": _ONLY_CLAUDE_AND_NOVA, "bedrock-converse": _ONLY_CLAUDE_AND_NOVA,
}  # fmt: skip


def formed(profile: Profile, request: ModelRequest) -> tuple[ModelRequest, str]:
    """The request in the form that its model takes, and the name of the answer's tool ("" = it has none).

    Raises:
        Invalid: value_invalid, `Settings.answer_form` names no form.
    """
    form = request.settings.answer_form or form_of(profile, request)
    if form == "native":
        return request, ""
    if form == "tool":
        return as_tool(request)
    if form == "words":
        return in_words(request), ""
    raise Invalid("value_invalid", f"answer_form is one of {', '.join(FORMS)}, not {form!r:.40}")


def form_of(profile: Profile, request: ModelRequest) -> str:
    """The form for `request.model` at this provider."""
    if "structured" in profile.supports and _constrains(profile, request):
        return "native"
    if "tools" not in profile.supports or _matches(_NOT_FORCED.get(profile.name), request.model):
        return "words"
    # Thinking and a required call exclude each other. Source: Claude docs "Extended thinking", limitations.
    thinks = profile.wire in ("anthropic-messages", "bedrock-converse") and request.settings.thinking_tokens
    return "words" if thinks else "tool"


def _constrains(profile: Profile, request: ModelRequest) -> bool:
    model = request.model
    if profile.wire == "bedrock-converse" and not BEDROCK_CONSTRAINED.search(model):
        return False
    only = _CONSTRAINED_ONLY.get(profile.name)
    if only is not None and not _matches(only, model):
        return False
    if request.tools and _matches(_NOT_BESIDE_TOOLS.get(profile.wire), model):
        return False
    return not _matches(_UNCONSTRAINED.get(profile.wire), model)


def _matches(pattern: str | None, model: str) -> bool:
    return pattern is not None and re.match(pattern, model) is not None
