"""A gate for any harness: tools given as functions, the flow rule of the real gate in front of each call.

    gate = tool_gate(labels, prompt, {"send_money": send_money, ...})
    answer = gate.call("send_money", {"recipient": "...", "amount": 5})
    if isinstance(answer, Ask):
        answer = answer.approve()        # or .refuse()

It sees the prompt, the label file and the calls, and nothing else. The rule is `remit.guard.flow`, the
one that block 3 of the gate uses; there is no second one. Grants, budgets and the journal are not part of
it: this is for measuring the flow rule alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from remit.core import effects
from remit.core.effects import measure_arguments
from remit.core.label_file import LabelFile, decode_labels
from remit.core.labels import Label
from remit.core.schema import encode_foreign
from remit.errors import Conflict, Denied, Invalid, RemitError
from remit.guard.flow import judge
from remit.guard.provenance import Call, Leaf, ValueStore

Tools = Mapping[str, Callable[..., Any]] | Callable[[str, dict[str, Any]], Any]
_encode = msgspec.json.Encoder(enc_hook=encode_foreign).encode


class Ask:
    """A question to a person about one call. Answer it once: `approve()` performs the call, `refuse()` does not."""

    def __init__(self, question: str, perform: Callable[[], Any]) -> None:
        self.question = question
        self._perform: Callable[[], Any] | None = perform

    def approve(self) -> Any:
        """Perform exactly this call; returns its result, raises what the tool raises."""
        return self._answer()()

    def refuse(self) -> Denied:
        """Do not perform it; returns the denial that the model would read."""
        self._answer()
        return Denied("approval_refused", "a person refused this call")

    def _answer(self) -> Callable[[], Any]:
        perform, self._perform = self._perform, None
        if perform is None:
            raise Conflict("approval_used", "this question has been answered")
        return perform

    def __repr__(self) -> str:
        return f"Ask({self.question!r})"


class ToolGate:
    """The flow rule in front of a set of functions, for one task."""

    def __init__(self, labels: LabelFile, prompt: str, tools: Tools, *, conceal: bool = False) -> None:
        self.store = ValueStore(labels, prompt, conceal=conceal)
        self._tools = tools
        self._calls = 0
        self.asked: list[str] = []
        """every question so far"""

    def call(self, name: str, args: Mapping[str, Any] | None = None) -> Any:
        """Make one call: the tool's own result, a `Denied` (returned, not raised), or an `Ask`."""
        try:
            if not callable(self._tools) and name not in self._tools:
                raise Invalid("tool_unknown", f"there is no tool {name[:64]!a}")
            used: list[Leaf] = []
            given = self.store.resolve(dict(args or {}), used)
            call = Call(name, self.store.labels_of(name), given, used, _digest(name, given))
        except RemitError as e:
            return Denied("argument_denied", e.message, hint=e.hint)
        except RecursionError:
            return Denied("argument_denied", "the arguments are nested too deeply")
        verdict = judge(self.store, call)
        if isinstance(verdict, effects.Deny):
            return Denied(verdict.code, verdict.why)
        if isinstance(verdict, effects.Ask):
            self.asked.append(verdict.question)
            return Ask(verdict.question, lambda: self._perform(call))
        return self._perform(call)

    def _perform(self, call: Call) -> Any:
        self._calls += 1
        self.store.performed(call)
        try:
            arguments = dict(call.arguments)
            run = self._tools
            result = run(call.tool, arguments) if callable(run) else run[call.tool](**arguments)
        except Exception as e:  # what a failing tool says may quote its data, so it is read like untrusted text
            self.store.take_whole(call.tool, f"{type(e).__name__}: {e}", Label("untrusted"))
            raise
        shown, _ = self.store.take(call, _text(result), str(self._calls))
        return shown if self.store.conceal else result


def tool_gate(
    labels: str | Path | bytes | LabelFile,
    prompt: str,
    tools: Tools,
    *,
    conceal: bool = False,
) -> ToolGate:
    """A gate for one task.

    Args:
        labels: path of a label file (docs/reference/label-files.md), its bytes, or what `decode_labels` returned.
        prompt: the user's own words, all of them and nothing else.
        tools: functions by name, called with the arguments as keywords; or one function that is called with the
            tool's name and its arguments.
        conceal: the planner is shown handles instead of untrusted fields, so reading them taints nothing.

    Raises:
        Invalid: labels_invalid with the path of what is wrong in the file.
    """
    if isinstance(labels, str | Path):
        labels = Path(labels).read_bytes()
    return ToolGate(labels if isinstance(labels, LabelFile) else decode_labels(labels), prompt, tools, conceal=conceal)


def _text(result: Any) -> str:
    return result if isinstance(result, str) else _encode(result).decode()


def _digest(name: str, arguments: Mapping[str, Any]) -> str:
    try:
        return measure_arguments(name, arguments)[1]
    except (ValueError, TypeError, RecursionError) as e:
        raise Invalid("arguments_invalid", f"the arguments are not plain JSON: {e}") from e
