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
from typing import Any, Final

import msgspec

from remit.errors import Invalid

MODES: Final = ("", "auto", "on", "1h", "off")
MAX_TURNS: Final = 2  # with tools and system: the four marks that a request may have
_LONG: Final = re.compile(r"haiku-4-5|opus-4-[567]")
_MIDDLE: Final = re.compile(r"claude-3-haiku|3-5-haiku")
_NONE: Final = re.compile(r"claude-(?:instant|v?[12]\b|3-sonnet)")
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
    return 4096 if _LONG.search(model) else 2048 if _MIDDLE.search(model) else 1024


def marked_messages(body: dict[str, Any], raw: bytes, model: str, mode: str) -> dict[str, Any] | None:
    """The body of anthropic-messages with its `cache_control` marks; None = it stays as it is.

    Args:
        body: as encoded; it is not changed.
        raw: the body's bytes.
        model: its name at the provider.
        mode: as `mode_of` gave it.
    """
    least = 4 * minimum(model)
    known = "claude" in model and not _NONE.search(model)
    if mode == "off" or len(raw) < least or b'"cache_control"' in raw or (mode in ("", "auto") and not known):
        return None
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"} if mode == "1h" else {"type": "ephemeral"}}
    made, size = dict(body), 0
    tools, system = body.get("tools"), body.get("system")
    if tools:
        size = len(msgspec.json.encode(tools))
        if size >= least:
            made["tools"] = [*tools[:-1], {**tools[-1], **mark}]
    if system:
        blocks = [{"type": "text", "text": system}] if isinstance(system, str) else list(system)
        size += len(msgspec.json.encode(blocks))
        if size >= least:
            made["system"] = [*blocks[:-1], {**blocks[-1], **mark}]
    if _goes_on(body, mode, bool(tools)):
        made["messages"] = _turns(body["messages"], lambda content: _last_block(content, mark))
    return made


def marked_converse(body: dict[str, Any], raw: bytes, model: str, mode: str) -> dict[str, Any] | None:
    """The body of bedrock-converse with its `cachePoint` marks; as `marked_messages`. Nova takes none after tools."""
    least = 4 * minimum(model)
    known = _BEDROCK.search(model) is not None
    if mode == "off" or len(raw) < least or b'"cachePoint"' in raw or (mode in ("", "auto") and not known):
        return None
    point = {"cachePoint": {"type": "default", "ttl": "1h"} if mode == "1h" else {"type": "default"}}
    made, size = dict(body), 0
    config, system = body.get("toolConfig"), body.get("system")
    if config:
        size = len(msgspec.json.encode(config))
        if size >= least and "amazon.nova" not in model:
            made["toolConfig"] = {**config, "tools": [*config["tools"], point]}
    if system:
        size += len(msgspec.json.encode(system))
        if size >= least:
            made["system"] = [*system, point]
    if _goes_on(body, mode, bool(config)):
        made["messages"] = _turns(body["messages"], lambda content: [*content, point])
    return made


def _goes_on(body: dict[str, Any], mode: str, tools: bool) -> bool:
    return mode in ("on", "1h") or tools or any(turn["role"] == "assistant" for turn in body["messages"])


def _turns(turns: list[dict[str, Any]], marked: Callable[[list[Any]], list[Any]]) -> list[dict[str, Any]]:
    """The turns, the last of the user's marked at their end."""
    made, left = list(turns), MAX_TURNS
    for at in range(len(made) - 1, -1, -1):
        content = made[at]["content"]
        if left and made[at]["role"] == "user" and isinstance(content, list) and content:
            made[at] = {**made[at], "content": marked(content)}
            left -= 1
    return made


def _last_block(content: list[Any], mark: dict[str, Any]) -> list[Any]:
    return [*content[:-1], {**content[-1], **mark}]
