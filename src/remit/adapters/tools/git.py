"""git: status, diff, log and show of a repository that is not trusted.

The idea: a repository's own files can name programs (hooks, pagers, filters, text converters, signers,
monitors). Every command line here is built from typed options, with each of those turned off; filters,
whose names are the repository's, are listed first and then emptied one by one. The repository is the one
in `directory` and nowhere above it, and its work tree is that folder, whatever its configuration says.

Files that may not be read are left out of diffs: their names are asked for first.
Source: git-config(1), gitattributes(5), githooks(5); CVE-2022-24765 (repositories above), CVE-2021-21300 (filters).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Literal

from remit.adapters.tools._text import clip, decoded, some, tidy
from remit.core import needs as need
from remit.core.effects import Need
from remit.core.tools import tool
from remit.errors import Denied, Invalid, Unavailable
from remit.ports.sandbox import SandboxResult
from remit.ports.tool import Context

_MAX_CHARS: Final = 48 * 1024
_MAX_COMMITS: Final = 200
_MAX_PATHS: Final = 100
_MAX_HIDDEN: Final = 200
_REVISION: Final = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_./@{}~^+-]{0,199}")
_FILTER: Final = re.compile(r"filter\.([A-Za-z0-9_.-]{1,100})\.[A-Za-z0-9-]+")
_OFF: Final = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.sshCommand=false",
    "core.askPass=false",
    "core.untrackedCache=false",
    "core.quotePath=true",
    "credential.helper=",
    "diff.external=",
    "diff.noprefix=false",
    "diff.mnemonicPrefix=false",
    "diff.orderFile=/dev/null",
    "gpg.program=false",
    "gpg.ssh.program=false",
    "gpg.x509.program=false",
    "log.showSignature=false",
    "log.mailmap=false",
    "protocol.allow=never",
    "submodule.recurse=false",
    "color.ui=false",
    "safe.directory=*",
)
_DIFF: Final = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--ignore-submodules=all")
_FORMAT: Final = "--format=commit %H%nauthor %an <%ae>%ndate %aI%n%n%w(0,4,4)%B"
_ONE_LINE: Final = "--format=%h %as %an: %s"

Operation = Literal["status", "diff", "log", "show"]


def _needs(operation: str, directory: str = ".", paths: list[str] | None = None, **_: Any) -> Sequence[Need]:
    folder = tidy(directory)
    named = [need.fs_read(_below(folder, path)) for path in paths or []]
    return (need.shell(("git", operation)), need.fs_read(folder), *named)


@tool(effect="read", returns="untrusted", builtin=True, verbs=("shell",), needs=_needs)
async def git(  # noqa: PLR0913, PLR0917 - a model names each of them, nobody passes them by place
    ctx: Context[Any],
    operation: Operation,
    revision: str = "",
    paths: list[str] | None = None,
    directory: str = ".",
    staged: bool = False,
    limit: int = 20,
) -> str:
    """Look at a git repository: status, diff, log or show. Nothing is changed.

    Args:
        operation: status; diff (work tree against index, or against `revision`, or A..B); log; show (one commit)
        revision: commit, branch, tag or range
        paths: only these files or folders, relative to `directory`
        directory: folder that holds .git, relative to the workspace
        staged: diff of what is staged
        limit: most commits of a log, up to 200
    """
    chosen = _checked_paths(paths or [])
    if revision and not _REVISION.fullmatch(revision):
        raise Denied("argument_denied", f"{revision[:80]!r} is no revision", hint="Name a commit, branch, tag or A..B.")
    if not 1 <= limit <= _MAX_COMMITS:
        raise Invalid("value_invalid", f"limit is 1 to {_MAX_COMMITS}")
    repository = _Repository(ctx, tidy(directory))
    match operation:
        case "status":
            options = ["--porcelain=v1", "--branch", "--ignore-submodules=all", "--no-renames", "--untracked-files=all"]
            return await repository.text("status", options, chosen)
        case "log":
            options = [_ONE_LINE, "--no-show-signature", "--no-color", f"--max-count={limit}", *_revisions(revision)]
            return await repository.text("log", options, chosen)
        case "show":
            options = [_FORMAT, "--no-show-signature", *_DIFF, "--end-of-options", f"{revision or 'HEAD'}^{{commit}}"]
            return await repository.diff("show", options, chosen)
        case "diff":
            options = [*_DIFF, *(["--cached"] if staged else []), *_revisions(revision)]
            return await repository.diff("diff", options, chosen)


def _revisions(revision: str) -> list[str]:
    return ["--end-of-options", revision] if revision else []


def _checked_paths(paths: list[str]) -> list[str]:
    if len(paths) > _MAX_PATHS:
        raise Invalid("value_invalid", f"{len(paths)} paths; at most {_MAX_PATHS}")
    for path in paths:
        if path.startswith(("/", ":")) or ".." in path.split("/") or "\0" in path or not path:
            raise Denied("path_denied", f"{path[:100]!r} is no path beneath the folder")
    return [tidy(path) for path in paths]


def _below(folder: str, path: str) -> str:
    return tidy(path if folder == "." else f"{folder}/{path}")


class _Repository:
    """One repository during one call."""

    def __init__(self, ctx: Context[Any], folder: str) -> None:
        self.ctx = ctx
        self.folder = folder
        self.filters: list[str] | None = None

    async def text(self, verb: str, options: list[str], paths: list[str]) -> str:
        """Output of a command that shows no file contents."""
        return _shown(await self._run(verb, options, [f":(literal){path}" for path in paths]))

    async def diff(self, verb: str, options: list[str], paths: list[str]) -> str:
        """Output of a command that shows contents, without those of files that may not be read."""
        chosen = [f":(literal){path}" for path in paths]
        listed = await self._run(verb, ["--name-only", "-z", *_unformatted(options)], chosen)
        if listed.cut_bytes:
            raise Invalid("value_invalid", "too many files are changed", hint="Name some of them in paths.")
        try:
            names = sorted({name.lstrip("\n") for name in listed.stdout.decode().split("\0") if name.strip("\n")})
        except UnicodeDecodeError:
            # Such a name can be neither checked against grants nor passed on as an argument.
            raise Invalid("value_invalid", "a changed file has a name that is not UTF-8", hint="Use paths.") from None
        hidden = [name for name in names if not self._readable(name)]
        if len(hidden) > _MAX_HIDDEN:
            raise Invalid("value_invalid", f"{len(hidden)} files may not be read", hint="Name others in paths.")
        if names and len(hidden) == len(names):
            raise Denied("not_granted", f"none of the changed files may be read: {some(hidden)}")
        text = _shown(await self._run(verb, options, [*chosen, *(f":(exclude,literal){name}" for name in hidden)]))
        return f"{text}\n[left out, not granted: {some(hidden)}]" if hidden else text

    def _readable(self, name: str) -> bool:
        try:
            self.ctx.files.info(_below(self.folder, name))
        except Denied as e:
            if e.code == "revoked":
                raise
            return False
        return True

    async def _run(self, verb: str, options: list[str], specs: list[str]) -> SandboxResult:
        if self.filters is None:
            self.filters = await self._filter_settings()
        result = await self._git([*self.filters], [verb, *options, "--", *specs])
        if result.exit_code != 0:
            said, _ = decoded(result.stderr)
            raise Unavailable("tool_failed", f"git {verb}: {clip(said.strip(), 500) or f'exit {result.exit_code}'}")
        return result

    async def _filter_settings(self) -> list[str]:
        """`-c` options that empty every filter which the repository's configuration defines."""
        listed = await self._git([], ["config", "--null", "--name-only", "--get-regexp", r"^filter\."])
        if listed.exit_code not in (0, 1) or listed.cut_bytes:  # 1 = there is none
            raise self._refused(listed)
        found = [_FILTER.fullmatch(key) for key in listed.stdout.decode(errors="replace").split("\0") if key]
        if None in found:
            raise Denied("argument_denied", "the repository configures a filter whose name cannot be turned off safely")
        names = sorted({match[1] for match in found if match is not None})
        off = ("clean=", "smudge=", "process=", "required=false")
        return [part for name in names for option in off for part in ("-c", f"filter.{name}.{option}")]

    def _refused(self, listed: SandboxResult) -> Unavailable:
        """Why the first command in the folder failed."""
        said, _ = decoded(listed.stderr)
        if "not a git repository" not in said:
            return Unavailable("tool_failed", f"git config: {clip(said.strip(), 500) or 'its list is too long'}")
        hint = "Name a folder that holds a whole .git; that of a linked work tree or submodule is a file leading out."
        return Unavailable("tool_failed", f"{self.folder} holds no git repository of its own", hint=hint)

    async def _git(self, settings: list[str], command: list[str]) -> SandboxResult:
        fixed = [part for setting in _OFF for part in ("-c", setting)]
        argv = ["git", "--no-pager", "--no-optional-locks", "--git-dir=.git", "--work-tree=.", *fixed, *settings]
        return await self.ctx.shell.run((*argv, *command), cwd=self.folder)


def _unformatted(options: list[str]) -> list[str]:
    return ["--format=" if option.startswith("--format=") else option for option in options]


def _shown(result: SandboxResult) -> str:
    text, note = decoded(result.stdout)
    cut = f"\n[cut: {result.cut_bytes} bytes dropped]" if result.cut_bytes else ""
    return clip(text, _MAX_CHARS, "name paths or a smaller range") + (note and f"\n{note}") + cut or "[nothing]"
