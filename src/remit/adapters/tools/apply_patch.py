"""apply_patch: change several files by one patch, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from remit.adapters.tools._hunks import apply_hunks, reversed_change
from remit.adapters.tools._patch import Change, parse_patch
from remit.adapters.tools._text import tidy
from remit.core.effects import Need
from remit.core.needs import fs_read, fs_write
from remit.core.tools import tool
from remit.errors import Conflict, Invalid, RemitError, Unavailable
from remit.ports.tool import Context, Files

MAX_FILE_BYTES: Final = 4 * 1024 * 1024


class _Step(Struct, frozen=True):
    """One file before and after; None = is not there."""

    path: str
    before: bytes | None
    after: bytes | None


def _needs(patch: str, **_: Any) -> Sequence[Need]:
    """Every path of the patch, read and written: what is parsed here is what is applied below."""
    paths = [tidy(path) for change in parse_patch(patch) for path in change.paths]
    return [need for path in paths for need in (fs_read(path), fs_write(path))]


def _reconcile(ctx: Context[Any], patch: str, **_: Any) -> str:
    """After a crash: done when every file is as it should be after, not done when every one is as before."""
    try:
        states = {_state(ctx.files, change) for change in parse_patch(patch)}
    except RemitError:
        return "unknown"
    return states.pop() if len(states) == 1 else "unknown"


@tool(effect="write", returns="system", builtin=True, verbs=("fs.write",), needs=_needs, reconcile=_reconcile)
def apply_patch(ctx: Context[Any], patch: str) -> str:
    """Apply a patch to files of the workspace: every change fits, or nothing is written.

    Formats: a unified diff (--- a/x, +++ b/x, @@ -1,3 +1,4 @@), or
    *** Begin Patch / *** Add File: x / *** Update File: x (with @@ and lines starting with space, - or +) /
    *** Delete File: x / *** Move to: y / *** End Patch.

    Args:
        patch: the whole patch
    """
    changes = parse_patch(patch)
    if len({tidy(path) for change in changes for path in change.paths}) != sum(len(c.paths) for c in changes):
        raise Invalid("value_invalid", "the patch names one file under two spellings")
    steps = [step for change in changes for step in _plan(ctx.files, change)]
    _write_all(ctx.files, steps)
    return "\n".join(_said(change) for change in changes)


def _said(change: Change) -> str:
    match change.kind:
        case "add":
            return f"added {change.path}"
        case "delete":
            return f"deleted {change.path}"
        case "update":
            moved = f", moved to {change.target}" if change.target else ""
            return f"updated {change.path}: {len(change.hunks)} hunks{moved}"


def _plan(files: Files, change: Change) -> list[_Step]:
    """The steps of one change, checked against the files as they are."""
    before = _bytes(files, change.path)
    if change.kind == "add":
        if before is not None:
            raise Invalid("value_invalid", f"{change.path} is to be added and is there already")
        return [_Step(change.path, None, _sized(change.path, change.content))]
    if before is None:
        raise Invalid("value_invalid", f"{change.path} is to be changed and does not exist")
    if change.kind == "delete" and not change.hunks:
        return [_Step(change.path, before, None)]
    text = apply_hunks(change, _text(change.path, before))
    if change.kind == "delete":
        if text:
            raise Invalid("value_invalid", f"{change.path} is to be deleted and holds more than the patch removes")
        return [_Step(change.path, before, None)]
    after = _sized(change.path, text)
    if not change.target:
        return [_Step(change.path, before, after)]
    if _bytes(files, change.target) is not None:
        raise Invalid("value_invalid", f"{change.target} is to be the new name and is there already")
    return [_Step(change.target, None, after), _Step(change.path, before, None)]


def _write_all(files: Files, steps: list[_Step]) -> None:
    """Write every step; where one fails, put the earlier ones back."""
    done: list[_Step] = []
    try:
        for step in steps:
            # Someone may have written since the plan; a patch never overwrites what it has not seen.
            if _bytes(files, step.path) != step.before:
                raise Unavailable("tool_failed", f"{step.path} changed while the patch was applied")
            done.append(step)
            _put(files, step.path, step.after)
    except RemitError as e:
        left = _undo(files, done)
        if not left:
            raise
        raise Unavailable(
            "tool_failed", f"{e.message}; these files could not be put back: {', '.join(left)}", retryable=False
        ) from e


def _undo(files: Files, done: list[_Step]) -> list[str]:
    left = []
    for step in reversed(done):
        try:
            if _bytes(files, step.path) == step.after:
                _put(files, step.path, step.before)
        except RemitError:
            left.append(step.path)
    return left


def _put(files: Files, path: str, data: bytes | None) -> None:
    if data is None:
        files.remove(path)
    else:
        files.write(path, data)


def _bytes(files: Files, path: str) -> bytes | None:
    if files.info(path) is None:
        return None
    data = files.read(path, 0, MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise Invalid("value_invalid", f"{path} is larger than {MAX_FILE_BYTES} bytes")
    return data


def _text(path: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as e:
        raise Invalid("value_invalid", f"{path} is not UTF-8 text (byte {e.start}); it is not patched") from None


def _sized(path: str, text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise Invalid("value_invalid", f"the new text of {path} holds half of a surrogate pair") from None
    if len(data) > MAX_FILE_BYTES:
        raise Invalid("value_invalid", f"{path} would grow to {len(data)} bytes; at most {MAX_FILE_BYTES}")
    return data


def _state(files: Files, change: Change) -> str:
    """done | not-done | unknown for one change."""
    before = _fits(files, change)
    after = _is_after(files, change)
    if before == after:
        return "unknown"
    return "done" if after else "not-done"


def _fits(files: Files, change: Change) -> bool:
    try:
        _plan(files, change)
    except (Invalid, Conflict):
        return False
    return True


def _is_after(files: Files, change: Change) -> bool:
    if change.kind == "delete":
        return _bytes(files, change.path) is None
    if change.kind == "add":
        return _bytes(files, change.path) == change.content.encode()
    data = _bytes(files, change.target or change.path)
    if data is None or (change.target and _bytes(files, change.path) is not None):
        return False
    try:
        apply_hunks(reversed_change(change), _text(change.path, data))
    except Invalid:
        return False
    return True
