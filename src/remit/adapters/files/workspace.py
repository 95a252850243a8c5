"""The workspace: one folder, opened once, and everything beneath it reached by descriptor.

The idea: no path is ever handed to the system as a whole. Each component is opened in the folder
that the last one gave (`openat`, `O_NOFOLLOW`), so there is no moment between a check and its use:
a link that is swapped in while we walk is refused by the kernel, wherever it appears.

    Workspace            the root's descriptor, for the process
      .files(...)        a handle for one call: asks `allows` for every path, `revoked` at every use

Invariants: nothing outside the root is opened, made, renamed or removed; what is not a regular
file is never opened for content; a write is seen whole or not at all.

Rejected: realpath + prefix check (a race between check and open); openat2 RESOLVE_BENEATH (not
in Python, and it follows links inside the root, past the grant of the path that was asked for).
"""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final

from remit.adapters.files.atomic import WriteTarget, write_atomically
from remit.adapters.files.paths import components
from remit.adapters.files.refusals import fail, refuse_hard_link, refuse_link, require_regular
from remit.core.sensitive import is_protected
from remit.errors import Denied, Exhausted, Invalid, RemitError, Unavailable
from remit.ports.tool import FileInfo

MAX_READ_BYTES: Final = 32 * 1024 * 1024
MAX_WRITE_BYTES: Final = 8 * 1024 * 1024
MAX_LIST_ENTRIES: Final = 50_000
MAX_WALK_ENTRIES: Final = 200_000
_DIR: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# Whoever can write these can make other programs, or the next run of remit, do something else.
_OWN_STATE: Final = frozenset({".git", ".remit", "remit.toml"})
_SYSTEM_TREES: Final = ("proc", "sys", "dev")

Entries = list[FileInfo]
Allows = Callable[[str, str], bool]
"""(verb, path relative to the workspace) -> whether the remit covers it"""


class Workspace:
    """A folder that agents may be given a part of. `close()` it, or use it as a context manager."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        """Open `root`; raises value_invalid where it is no folder, or a folder of the kernel's."""
        self.root = os.path.realpath(root)
        if self.root.split("/")[1] in _SYSTEM_TREES:
            raise Invalid("value_invalid", "a workspace cannot lie in /proc, /sys or /dev")
        try:
            self._fd = os.open(self.root, _DIR)
        except OSError as e:
            raise Invalid("value_invalid", f"the workspace cannot be opened: {e.strerror}") from e

    def files(self, allows: Allows, revoked: Callable[[], bool]) -> WorkspaceFiles:
        """A handle for one call (the Files port)."""
        return WorkspaceFiles(self, allows, revoked)

    def open_dir(self, names: tuple[str, ...], *, make: bool = False) -> int:
        """Descriptor of a folder beneath the root, opened component by component; the caller closes it."""
        if self.root == "/" and names[:1] and names[0] in _SYSTEM_TREES:
            raise Denied("path_denied", f"{names[0]!r} belongs to the kernel")
        fd = os.dup(self._fd)
        try:
            for depth, name in enumerate(names):
                inner = self._open_child(fd, name, "/".join(names[: depth + 1]), make)
                os.close(fd)
                fd = inner
        except BaseException:
            os.close(fd)
            raise
        return fd

    @staticmethod
    def _open_child(fd: int, name: str, shown: str, make: bool) -> int:
        try:
            return os.open(name, _DIR, dir_fd=fd)
        except FileNotFoundError:
            if not make:
                raise
        except NotADirectoryError:
            # O_DIRECTORY | O_NOFOLLOW answers ENOTDIR for a link and for a plain file alike.
            refuse_link(fd, name, shown)
            raise
        except OSError as e:
            if e.errno == errno.ELOOP:
                refuse_link(fd, name, shown)
            raise
        try:
            os.mkdir(name, 0o777, dir_fd=fd)
        except FileExistsError:
            pass  # someone was faster; the open below still refuses a link
        return os.open(name, _DIR, dir_fd=fd)

    def close(self) -> None:
        """Give the descriptor back; handles stop working."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class WorkspaceFiles:
    """The Files port for one call. Every method raises revoked after the call, not_granted without a grant,
    path_denied for a path that leaves the workspace or passes a link, tool_failed for what the system refuses."""

    __slots__ = ("_allows", "_near", "_revoked", "_workspace")

    def __init__(self, workspace: Workspace, allows: Allows, revoked: Callable[[], bool]) -> None:
        self._workspace = workspace
        self._allows = allows
        self._revoked = revoked
        self._near: tuple[tuple[str, ...], int] | None = None
        """the folder where a walk is, held open: most files that a search reads stand in it"""

    def read(self, path: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Bytes of a regular file from `offset`; at most 32 MiB a call (more raises output_too_large).

        A file with several hard links is refused: one of its other names may be denied, and from the
        file alone nobody can tell.
        """
        names = self._enter("fs.read", path)
        shown = "/".join(names)
        try:
            fd, status = self._open_regular(names, shown)
        except OSError as e:
            fail(e, shown)
        try:
            size = max(0, status.st_size - offset)
            wanted = size if limit is None else min(max(0, limit), size)
            if wanted > MAX_READ_BYTES:
                raise Exhausted("output_too_large", f"{shown} is larger than {MAX_READ_BYTES} bytes", hint="Use limit.")
            return _pread(fd, max(0, offset), wanted)
        except OSError as e:
            fail(e, shown)
        finally:
            os.close(fd)

    def write(self, path: str, data: bytes) -> None:
        """Replace or create a file atomically; missing folders are made; an existing file keeps its mode."""
        names = self._enter("fs.write", path)
        shown = self._writable(names)
        if len(data) > MAX_WRITE_BYTES:
            raise Exhausted("output_too_large", f"{len(data)} bytes for {shown}; at most {MAX_WRITE_BYTES} are written")
        try:
            parent = self._workspace.open_dir(names[:-1], make=True)
            try:
                write_atomically(WriteTarget(parent, names[-1], self._checked_target(parent, names[-1], shown)), data)
            finally:
                os.close(parent)
        except OSError as e:
            fail(e, shown)

    def remove(self, path: str) -> None:
        """Delete a regular file (needs fs.write)."""
        names = self._enter("fs.write", path)
        shown = self._writable(names)
        try:
            parent = self._workspace.open_dir(names[:-1])
            try:
                if self._checked_target(parent, names[-1], shown) is None:
                    raise FileNotFoundError(errno.ENOENT, "no such file")
                os.unlink(names[-1], dir_fd=parent)
            finally:
                os.close(parent)
        except OSError as e:
            fail(e, shown)

    def info(self, path: str) -> FileInfo | None:
        """What is at `path`, a link seen as a link; None where nothing is."""
        names = self._enter("fs.read", path)
        shown = "/".join(names) or "."
        try:
            if not names:
                return FileInfo(".", "dir")
            parent = self._workspace.open_dir(names[:-1])
            try:
                return _info(shown, os.stat(names[-1], dir_fd=parent, follow_symlinks=False))
            finally:
                os.close(parent)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as e:
            fail(e, shown)

    def list(self, path: str) -> list[FileInfo]:
        """Entries of a folder that may be read, sorted by name; more than 50,000 raise output_too_large."""
        names = self._enter("fs.read", path)
        try:
            entries = self._scan(names, MAX_LIST_ENTRIES)
        except OSError as e:
            fail(e, "/".join(names) or ".")
        if len(entries) == MAX_LIST_ENTRIES:
            raise Exhausted("output_too_large", f"the folder has more than {MAX_LIST_ENTRIES} entries")
        return [entry for entry in entries if self._allows("fs.read", entry.path)]

    def walk(self, path: str) -> Iterator[FileInfo]:
        """All regular files beneath a folder that may be read, sorted, without `.git`.

        Where 200,000 entries were seen, or a folder could not be read, an entry of kind `cut` names the
        place, so that "not found" is never said of what was not searched.
        """
        names = self._enter("fs.read", path)
        return self._walk(names)

    def _walk(self, names: tuple[str, ...]) -> Iterator[FileInfo]:
        try:
            yield from self._entries(names)
        finally:
            self._leave()

    def _entries(self, names: tuple[str, ...]) -> Iterator[FileInfo]:
        pending = [FileInfo("/".join(names), "dir")]
        seen = 0
        while pending:
            self._check_live()
            entry = pending.pop()
            if entry.kind != "dir":
                if entry.kind == "file" and self._allows("fs.read", entry.path):
                    yield entry
                continue
            room = MAX_WALK_ENTRIES - seen
            try:
                found = self._scan(self._go(tuple(entry.path.split("/")) if entry.path else ()), room)
            except (OSError, RemitError) as e:
                # Removed, replaced or unreadable meanwhile; the first folder's trouble is the caller's.
                if not seen and not pending:
                    if isinstance(e, RemitError):
                        raise
                    fail(e, entry.path or ".")
                yield FileInfo(entry.path, "cut")
                continue
            seen += len(found)
            pending.extend(e for e in reversed(found) if e.path.rpartition("/")[2].casefold() != ".git")
            if seen >= MAX_WALK_ENTRIES:
                yield FileInfo(entry.path or ".", "cut")
                pending = [e for e in pending if e.kind == "file"]

    def _go(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Hold this folder open instead of the last one."""
        self._leave()
        self._near = names, self._workspace.open_dir(names)
        return names

    def _leave(self) -> None:
        if self._near is not None:
            os.close(self._near[1])
            self._near = None

    def _folder(self, names: tuple[str, ...]) -> int:
        """Descriptor of a folder; the caller closes it."""
        near = self._near
        return os.dup(near[1]) if near is not None and near[0] == names else self._workspace.open_dir(names)

    def _scan(self, names: tuple[str, ...], room: int) -> Entries:
        """Entries of a folder, sorted, at most `room`."""
        fd = self._folder(names)
        prefix = "/".join(names) + "/" if names else ""
        found: list[FileInfo] = []
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    if len(found) >= room:
                        break
                    found.append(_entry_info(prefix, entry))
        finally:
            os.close(fd)
        found.sort(key=lambda e: e.path)
        return found

    def _check_live(self) -> None:
        if self._revoked():
            raise Denied("revoked", "this file handle belongs to a call that has returned")

    def _enter(self, verb: str, path: str) -> tuple[str, ...]:
        """What every use starts with: still live, a clean path, a grant for it."""
        self._check_live()
        names = components(path, self._workspace.root)
        shown = "/".join(names) or "."
        if not self._allows(verb, shown):
            need = f"{verb}:{shown}"
            raise Denied("not_granted", f"no grant covers {need}", hint=f"Grant it with --allow '{need}'")
        return names

    def _writable(self, names: tuple[str, ...]) -> str:
        shown = "/".join(names)
        if not names:
            raise Invalid("value_invalid", "the workspace itself is a folder, not a file")
        if any(_plain(name) in _OWN_STATE for name in names) or is_protected(shown):
            raise Denied("path_denied", f"{shown} decides what runs later (git, remit, hooks); agents never write it")
        return shown

    def _open_regular(self, names: tuple[str, ...], shown: str) -> tuple[int, os.stat_result]:
        if not names:
            raise Invalid("value_invalid", "the workspace itself is a folder, not a file")
        parent = self._folder(names[:-1])
        try:
            # The look before the open only spares devices an open; the one after it decides.
            require_regular(os.stat(names[-1], dir_fd=parent, follow_symlinks=False), shown)
            try:
                fd = os.open(names[-1], _FILE, dir_fd=parent)
            except OSError as e:
                if e.errno == errno.ELOOP:
                    refuse_link(parent, names[-1], shown)
                raise
        finally:
            os.close(parent)
        try:
            status = os.fstat(fd)
            require_regular(status, shown)
            refuse_hard_link(status, shown)
        except BaseException:
            os.close(fd)
            raise
        return fd, status

    @staticmethod
    def _checked_target(parent: int, name: str, shown: str) -> os.stat_result | None:
        """The file that is about to be replaced or removed; None where nothing is."""
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return None
        require_regular(status, shown)
        refuse_hard_link(status, shown)
        if not status.st_mode & 0o222:
            raise Unavailable("tool_failed", f"{shown} is read-only")
        return status


def _plain(name: str) -> str:
    """A name as the most forgiving file systems compare it."""
    return unicodedata.normalize("NFKC", name).casefold().rstrip(". ")


def _pread(fd: int, offset: int, wanted: int) -> bytes:
    pieces: list[bytes] = []
    while wanted > 0:
        piece = os.pread(fd, min(wanted, 1024 * 1024), offset)
        if not piece:
            break
        pieces.append(piece)
        offset += len(piece)
        wanted -= len(piece)
    return b"".join(pieces)


def _entry_info(prefix: str, entry: os.DirEntry[str]) -> FileInfo:
    # A name that is not UTF-8, or holds control characters, is shown escaped and cannot be opened.
    name = entry.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if name != entry.name or not name.isprintable():
        shown = name.encode("unicode_escape").decode() if not name.isprintable() else name
        return FileInfo(prefix + shown, "other")
    try:
        return _info(prefix + name, entry.stat(follow_symlinks=False))
    except OSError:
        return FileInfo(prefix + name, "other")


def _info(path: str, status: os.stat_result) -> FileInfo:
    mode = status.st_mode
    kind = "file" if stat.S_ISREG(mode) else "dir" if stat.S_ISDIR(mode) else "link" if stat.S_ISLNK(mode) else "other"
    return FileInfo(path, kind, status.st_size, status.st_mtime_ns // 1_000_000)
