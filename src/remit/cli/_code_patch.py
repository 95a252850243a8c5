"""`remit code diff|apply|merge`: files in, text out; folders are written through the workspace."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from remit.cli import EXIT_OF_FAMILY, _output
from remit.code.patches.merging import merge
from remit.code.patches.plan import Plan, paths_of, plan
from remit.code.patches.unified import diff
from remit.errors import Conflict, Invalid, RemitError

MAX_FILE_BYTES: Final = 64 * 1024 * 1024


def show_diff(args: Any) -> int:
    """Print the diff of two files."""
    if args.context < 0:
        raise Invalid("usage_invalid", "--context is a number of lines, 0 or more")
    path = args.path or args.new
    _raw(diff(read_text(args.old), read_text(args.new), path=path.lstrip("/"), context=args.context))
    return 0


def show_merge(args: Any) -> int:
    """Print or write the merged text; conflicts end with the exit code of a conflict."""
    made = merge(read_text(args.base), read_text(args.ours), read_text(args.theirs), labels=(args.ours, args.theirs))
    if args.out:
        Path(args.out).write_bytes(made.text.encode("utf-8", "surrogateescape"))
    else:
        _raw(made.text)
    if not made.conflicts:
        return 0
    lines = ", ".join(str(place + 1) for place in made.places[:10])
    error = Conflict("patch_conflict", f"{made.conflicts} conflict(s), at line {lines} of the merged text",
                     hint="Edit what stands between the markers.")  # fmt: skip
    _output.say_error(error)
    return EXIT_OF_FAMILY[error.family]


def apply_patch(args: Any) -> int:
    """Apply a patch to the files of a folder, all or none."""
    from remit.runtime import Adapters

    patch = sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if args.patch == "-" else _bytes(args.patch)
    text = patch.decode("utf-8", "surrogateescape")
    folder = Path(args.dir)
    if not folder.is_dir():
        raise Invalid("usage_invalid", f"not a folder: {args.dir}")
    files = Adapters().workspace(str(folder.resolve())).files(lambda verb, path: True, lambda: False)
    before = {}
    for path in paths_of(text):
        info = files.info(path)
        if info is not None:
            before[path] = files.read(path).decode("utf-8", "surrogateescape")
    try:
        made = plan(text, before, backwards=args.reverse)
    except RemitError as error:
        if args.json:
            _output.json_line({"type": "result", "status": "failed", "files": [], "error": error.for_user()})
        raise
    if not args.check:
        _write(made, before, files)
    _report(made, args)
    return 0


def _write(made: Plan, before: dict[str, str], files: Any) -> None:
    """Write what changed; when a write fails, what was written before it is put back."""
    done: list[str] = []
    try:
        for path in sorted(before.keys() | made.files.keys()):
            if made.files.get(path) == before.get(path):
                continue
            done.append(path)
            _put(files, path, made.files.get(path))
    except RemitError:
        for path in done:
            _put(files, path, before.get(path))
        raise


def _put(files: Any, path: str, text: str | None) -> None:
    if text is not None:
        files.write(path, text.encode("utf-8", "surrogateescape"))
    elif files.info(path) is not None:
        files.remove(path)


def _report(made: Plan, args: Any) -> None:
    rows = [{"path": s.path, "kind": s.kind, "added": s.added, "removed": s.removed} for s in made.stats]
    if args.json:
        status = "checked" if args.check else "ok"
        _output.json_line({"type": "result", "status": status, "files": rows, "error": None})
        return
    for stat in made.stats:
        _output.data(f"{stat.kind:7} {stat.path}  +{stat.added} -{stat.removed}")
    word = "would change" if args.check else "changed"
    _output.say(f"{word} {len(made.stats)} file(s), +{made.added} -{made.removed}")


def _raw(text: str) -> None:
    """Bytes as they are: a patch is not prose."""
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def _bytes(path: str) -> bytes:
    file = Path(path)
    try:
        size = file.stat().st_size
        if size > MAX_FILE_BYTES:
            raise Invalid("value_invalid", f"{path} has {size} bytes; at most {MAX_FILE_BYTES} are read")
        return file.read_bytes()
    except OSError as error:
        raise Invalid("usage_invalid", f"cannot read {path}: {error.strerror}") from None


def read_text(path: str) -> str:
    """A file as text; bytes that are not UTF-8 become surrogate escapes; raises usage_invalid, value_invalid."""
    return _bytes(path).decode("utf-8", "surrogateescape")
