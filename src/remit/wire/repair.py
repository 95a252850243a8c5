"""Tool calls of small models, mended: JSON that is nearly right, and calls that are written as text.

Only for models on the user's own machine, and every mended call says so (`ToolCall.repaired` holds
what the model wrote). A cut answer is never completed: what the model did not finish must not run.
What was mended is decoded against the tool's schema as every other call.

Mended are: prose or a fence around the object, a missing or doubled closing bracket at the end, a
trailing comma, single quotes, Python's True/False/None, a raw newline inside a string, and a
missing quote at the very end.
"""

from __future__ import annotations

import re
from typing import Any, Final

from remit.core.messages import Part, Text, ToolCall
from remit.core.model import ModelRequest, Reply
from remit.errors import ModelError
from remit.wire.reading import read_json

MAX_CHARS: Final = 200_000
MAX_CALLS: Final = 16
_WORDS: Final = {"True": "true", "False": "false", "None": "null"}
_WORD: Final = re.compile(r"[A-Za-z_]+")
_TAGGED: Final = re.compile(
    r"<(tool_call|function_call|functioncall)>(.*?)(?:</\1>|\Z)|\[TOOL_CALLS\]\s*(\[.*?\]|\{.*?\})\s*\Z", re.S
)
_FENCED: Final = re.compile(r"\A\s*(?:```(?:json|tool_call)?\s*\n)?(\{.*\})\s*(?:```\s*)?\Z", re.S)
_ARGUMENTS: Final = ("arguments", "parameters", "args", "input")


def mend(text: str) -> dict[str, Any] | None:
    """The object that `text` was meant to be; None when it cannot be told."""
    start = text.find("{")
    if start < 0 or len(text) > MAX_CHARS:
        return None
    rewritten = _rewrite(text, start)
    if rewritten is None:
        return None
    try:
        value = read_json(rewritten)
    except ModelError:
        return None
    return value if type(value) is dict else None


def _rewrite(text: str, start: int) -> str | None:
    """JSON of what begins at `start`, up to where its brackets close; open ones are closed."""
    out: list[str] = []
    closing: list[str] = []
    at = start
    while at < len(text):
        char = text[at]
        if char in "\"'":
            piece, at = _string(text, at)
            out.append(piece)
            continue
        if char in "{[":
            closing.append("}" if char == "{" else "]")
        elif char in "}]":
            _drop_comma(out)
            while closing and closing[-1] != char:  # an inner bracket was forgotten
                out.append(closing.pop())
            if not closing:
                return None
            closing.pop()
            if not closing:
                out.append(char)
                return "".join(out)
        elif (word := _WORD.match(text, at)) is not None:
            out.append(_WORDS.get(word[0], word[0]))
            at = word.end()
            continue
        out.append(char)
        at += 1
    _drop_comma(out)
    return "".join(out + closing[::-1])


def _string(text: str, at: int) -> tuple[str, int]:
    """A string in double quotes and where it ends; one without its quote ends with the text, less its brackets."""
    quote, begun = text[at], at
    out = ['"']
    at += 1
    while at < len(text):
        char = text[at]
        if char == "\\":
            pair = text[at : at + 2]
            out.append("'" if pair == "\\'" else pair)
            at += 2
        elif char == quote:
            return "".join(out) + '"', at + 1
        else:
            out.append({'"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char, char))
            at += 1
    # Never closed: the brackets at the very end are the object's, not the string's.
    tail = len(text) - len(text.rstrip("}] \n\t"))
    if tail and len(text) - tail > begun:
        return '"' + text[begun + 1 : len(text) - tail].replace('"', '\\"').replace("\n", "\\n") + '"', len(text) - tail
    return "".join(out), len(text)


def _drop_comma(out: list[str]) -> None:
    while out and out[-1].isspace():
        out.pop()
    if out and out[-1] == ",":
        out.pop()


def repaired(reply: Reply, request: ModelRequest) -> Reply:
    """`reply` with its broken calls mended and its written ones found; the same object when nothing was."""
    if not request.tools or reply.stop_reason == "max_tokens":
        return reply
    names = {tool.name for tool in request.tools}
    parts: list[Part] = []
    changed = False
    for part in reply.parts:
        if type(part) is ToolCall and part.invalid:
            meant = mend(part.invalid)
            changed = changed or meant is not None
            parts.append(part if meant is None else ToolCall(part.id, part.name, meant, repaired=part.invalid))
        elif type(part) is Text and not reply.tool_calls:
            found = _written(part.text, names)
            changed = changed or bool(found)
            parts += found or [part]
        else:
            parts.append(part)
    if not changed:
        return reply
    called = any(type(part) is ToolCall for part in parts)
    return Reply(
        tuple(parts), "tool_use" if called else reply.stop_reason, reply.usage, reply.model, reply.id, reply.raw
    )


def _written(text: str, names: set[str]) -> list[Part]:
    """The calls that a text is, with what stands before them; [] when it is none."""
    tagged = list(_TAGGED.finditer(text))[:MAX_CALLS]
    bodies = [found[2] or found[3] or "" for found in tagged]
    before = text[: tagged[0].start()].strip() if tagged else ""
    if not tagged:
        whole = _FENCED.match(text) if len(text) <= MAX_CHARS else None
        bodies = [whole[1]] if whole else []
    calls: list[Part] = []
    for body in bodies:
        for value in _objects(body):
            call = _call(value, names, len(calls), body)
            if call is None:
                return []  # one that is no call: the text stays a text
            calls.append(call)
    return [Text(before), *calls] if before and calls else calls


def _objects(body: str) -> list[dict[str, Any]]:
    try:
        value = read_json(body.strip())
    except ModelError:
        value = mend(body)
    if type(value) is list:
        return [each for each in value[:MAX_CALLS] if type(each) is dict]
    return [value] if type(value) is dict else []


def _call(value: dict[str, Any], names: set[str], number: int, body: str) -> ToolCall | None:
    inner = value.get("function")
    value = inner if type(inner) is dict else value
    name = value.get("name")
    given: Any = next((value[key] for key in _ARGUMENTS if key in value), {})
    if type(given) is str:
        given = mend(given)
    if name not in names or type(given) is not dict:
        return None
    return ToolCall(f"call_{number}", name, given, repaired=body.strip())
