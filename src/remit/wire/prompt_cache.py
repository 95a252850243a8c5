"""Where a request asks the provider to keep its prefix: marks of the families that have them, placed by rule.

    mode ""/auto  where the prefix is long enough for the model, and a further call with the same prefix is likely
         on       wherever it is long enough
         1h       as `on`, kept for an hour instead of five minutes (writing costs more)
         off      never

A prefix is tools, then system, then messages. At most four marks: after the tools, after the system text, and at the
end of the last two user turns (the older one finds what the call before wrote, however long its turn was). Auto marks
turns only where a loop goes on: tools are offered, or the model has spoken already. Writing costs a quarter more than
reading plainly, so a question that is asked once is left as it is. A request that brings marks of its own keeps them.

Lengths are estimated at four bytes a token. A mark below a model's minimum is passed over silently by the providers.
Source: Claude docs "Prompt caching"; Amazon Bedrock user guide "Prompt caching for faster model inference".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from remit.errors import Invalid

MODES: Final = ("", "auto", "on", "1h", "off")
_LEAST: Final = 1024  # tokens; no model keeps less
MAX_TURNS: Final = 2  # with tools and system: the four marks that a request may have
_LONG: Final = re.compile(r"haiku-4-5|opus-4-[567]")
_MIDDLE: Final = re.compile(r"claude-3-haiku|3-5-haiku")
_CLAUDE: Final = re.compile(r"^(?!.*claude-(?:instant|v?[12]\b|3-sonnet)).*claude")
# On Bedrock a mark that the model does not know is an error, so the older models are named one by one.
_BEDROCK: Final = re.compile(
    r"anthropic\.claude-(?:3-5-haiku|3-7-sonnet|3-5-sonnet-20241022|(?:opus|sonnet|haiku|[a-z]+)-[4-9])|amazon\.nova"
)


def mode_of(asked: str, default: str) -> str:
    """What holds for a request: its own word, else the codec's; raises value_invalid for an unknown one."""
    mode = asked or default
    if mode not in MODES:
        raise Invalid("value_invalid", f"prompt_cache {mode[:40]!r}: one of {', '.join(MODES[1:])}")
    return mode


def minimum(model: str) -> int:
    """Tokens that a prefix needs before the model's provider keeps it."""
    return 4096 if _LONG.search(model) else 2048 if _MIDDLE.search(model) else _LEAST


class Form(NamedTuple):
    """How a family writes its marks."""

    word: str
    """the field that is a mark"""
    kind: str
    """its type"""
    alone: bool
    """a mark is an item of its own behind what it ends, not a field of the last item"""
    tools_in: str
    """the object of the body that holds the tools; "" = the body itself"""
    known: re.Pattern[str]
    """models that mode auto marks for"""
    bare_tools: str
    """models whose tools take no mark have this in their name; "" = all do"""


MESSAGES: Final = Form("cache_control", "ephemeral", False, "", _CLAUDE, "")
CONVERSE: Final = Form("cachePoint", "default", True, "toolConfig", _BEDROCK, "amazon.nova")


def marked(form: Form, body: dict[str, Any], raw: bytes, model: str, mode: str) -> dict[str, Any] | None:
    """The body with its marks; None = it stays as it is.

    Args:
        form: how its family writes them.
        body: as encoded; it is not changed.
        raw: the body's bytes.
        model: its name at the provider.
        mode: as `mode_of` gave it.
    """
    if len(raw) < 4 * _LEAST or mode == "off" or f'"{form.word}"'.encode() in raw:
        return None
    least = 4 * minimum(model)
    if len(raw) < least or (mode in ("", "auto") and not form.known.search(model)):
        return None
    mark = {form.word: {"type": form.kind, "ttl": "1h"} if mode == "1h" else {"type": form.kind}}

    def ended(items: list[Any]) -> list[Any]:
        return [*items, mark] if form.alone else [*items[:-1], {**items[-1], **mark}]

    made, size = dict(body), 0
    holder, system = body.get(form.tools_in, {}) if form.tools_in else body, body.get("system")
    tools = holder.get("tools")
    if tools:
        size = len(msgspec.json.encode(tools))
        if size >= least and not (form.bare_tools and form.bare_tools in model):
            made.update(
                {form.tools_in: {**holder, "tools": ended(tools)}} if form.tools_in else {"tools": ended(tools)}
            )
    if system:
        blocks = [{"type": "text", "text": system}] if isinstance(system, str) else list(system)
        size += len(msgspec.json.encode(blocks))
        if size >= least:
            made["system"] = ended(blocks)
    if mode in ("on", "1h") or tools or any(turn["role"] == "assistant" for turn in body["messages"]):
        made["messages"] = _turns(body["messages"], ended)
    return made


def _turns(turns: list[dict[str, Any]], marked: Callable[[list[Any]], list[Any]]) -> list[dict[str, Any]]:
    """The turns, the last of the user's marked at their end."""
    made, left = list(turns), MAX_TURNS
    for at in range(len(made) - 1, -1, -1):
        content = made[at]["content"]
        if left and made[at]["role"] == "user" and isinstance(content, list) and content:
            made[at] = {**made[at], "content": marked(content)}
            left -= 1
    return made
