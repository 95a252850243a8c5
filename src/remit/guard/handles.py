"""Handles: the authority of one tool call, as objects.

A handle checks the remit at every use, notes the use for the journal, and stops working when its
lease is revoked. A built-in's needs were checked by the gate before the call; the handle checks
again, so a tool that touches more than it declared still gets no further than the remit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from remit.core import needs
from remit.core.addresses import looks_like_ipv4
from remit.core.effects import Need
from remit.core.labels import USER, Label, join
from remit.core.remit import Remit
from remit.errors import Denied

if TYPE_CHECKING:
    from remit.ports.http import HttpReply
    from remit.ports.sandbox import Sandbox, SandboxResult
    from remit.ports.tool import Egress, Files, Workspace

MAX_TOUCHED: Final = 64  # handle uses that one outcome lists


class Lease:
    """The life of one call's handles: they stop working when `revoked` is set."""

    __slots__ = ("builtin", "label", "needs", "revoked", "tainted", "timeout_s", "touched")

    def __init__(self, held: tuple[Need, ...], *, builtin: bool, tainted: bool, timeout_s: float) -> None:
        self.needs = held
        self.builtin = builtin
        self.tainted = tainted
        self.timeout_s = timeout_s
        self.revoked = False
        self.touched: list[str] = []
        self.label = USER
        """trust of what came in through the handles"""

    def brings(self, handle: str) -> None:
        """What an own tool gets through a handle is untrusted; a built-in declares what it returns."""
        if not self.builtin:
            self.label = join(self.label, Label("untrusted", None, (f"handle:{handle}",)))

    def touch(self, need: Need) -> None:
        """Note a use, for the journal; raises revoked after the call."""
        if self.revoked:
            raise Denied("revoked", "the call that lent this handle has returned")
        if len(self.touched) < MAX_TOUCHED:
            self.touched.append(str(need))


class Lenders(Protocol):
    """Whoever makes workspaces, the sandbox and the egress, on first use."""

    @property
    def sandbox(self) -> Sandbox:
        """Tier T3."""
        ...

    @property
    def egress(self) -> Egress:
        """The only way out."""
        ...

    def workspace(self, folder: str) -> Workspace:
        """The folder, opened once."""
        ...


class Handles:
    """What one call may use. Made for the call; each handle only when the tool asks for it."""

    def __init__(self, remit: Remit, lease: Lease, now_ms: Callable[[], int], *, outside: Lenders, folder: str) -> None:
        self._remit = remit
        self._lease = lease
        self._now_ms = now_ms
        self._outside = outside
        self._folder = folder

    @property
    def files(self) -> Files:
        """Files beneath the workspace, as far as the remit reaches."""
        self._lease.brings("files")
        return self._outside.workspace(self._folder).files(self._allows, lambda: self._lease.revoked)

    @property
    def shell(self) -> GrantedShell:
        """Programs whose argv is granted, in the sandbox."""
        self._lease.brings("shell")
        return GrantedShell(
            self._check, self._lease, self._remit, self._outside.workspace(self._folder), self._outside.sandbox
        )

    @property
    def http(self) -> GrantedHttp:
        """Requests to what is granted."""
        self._lease.brings("http")
        return GrantedHttp(self._check, self._lease, self._remit, self._outside.egress)

    def _allows(self, verb: str, path: str) -> bool:
        return self._remit.allows(Need(verb, path), self._now_ms())

    def _check(self, need: Need) -> None:
        self._lease.touch(need)
        ruling = self._remit.ruling(need, self._now_ms())
        if not ruling.allowed:
            code = "denied_by_rule" if ruling.denied else "not_granted"
            raise Denied(code, f"{need} is not covered" if not ruling.denied else f"{need}: {ruling.rule}")


class GrantedShell:
    """Runs programs in tier T3; there is no other way to run one."""

    def __init__(
        self, check: Callable[[Need], None], lease: Lease, remit: Remit, workspace: Workspace, sandbox: Sandbox
    ) -> None:
        self._check = check
        self._lease = lease
        self._remit = remit
        self._workspace = workspace
        self._sandbox = sandbox

    async def run(self, argv: tuple[str, ...], *, cwd: str = ".", stdin: bytes = b"") -> SandboxResult:
        """Run one program; a built-in may add options of its own to the argv that the gate has checked."""
        need = needs.shell(argv)
        if not self._declared(argv):
            self._check(need)
        else:
            self._lease.touch(need)
        from remit.ports.sandbox import SandboxJob  # most runs start no program

        result = await self._sandbox.run(
            SandboxJob(
                argv=argv,
                workspace=self._workspace.root,
                cwd=cwd,
                writable=writable_folders(self._remit),
                denied=self._remit.denied("fs.read"),
                stdin=stdin,
                timeout_s=max(0.1, self._lease.timeout_s - 0.5),  # the sandbox ends first and says why
            )
        )
        if self._lease.revoked:
            raise Denied("revoked", "the call that lent this handle has returned")
        return result

    def _declared(self, argv: tuple[str, ...]) -> bool:
        held = [n for n in self._lease.needs if n.verb == "shell"]
        return self._lease.builtin and any(n.detail[:1] == argv[:1] for n in held)


class GrantedHttp:
    """Sends requests through the egress check."""

    def __init__(self, check: Callable[[Need], None], lease: Lease, remit: Remit, egress: Egress) -> None:
        self._check = check
        self._lease = lease
        self._remit = remit
        self._egress = egress

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpReply:
        """One request; raises flow_denied for an own tool once untrusted data is in the context."""
        need = needs.net(method, url)
        self._check(need)
        if self._lease.tainted and need not in self._lease.needs:
            # The gate asked a person about declared requests only.
            raise Denied("flow_denied", f"{need}: untrusted data is in the context, and the tool did not declare this")
        from remit.ports.http import HttpRequest  # most runs send no request of their own

        literal = literal_host(self._remit, need)
        reply = await self._egress.fetch(
            HttpRequest(method.upper(), url, tuple((headers or {}).items()), body),
            frozenset({(need.detail[2], int(need.detail[3]))}) if literal else frozenset(),
        )
        if self._lease.revoked:
            raise Denied("revoked", "the call that lent this handle has returned")
        return reply


def writable_folders(remit: Remit) -> tuple[str, ...]:
    """Granted write patterns that no write denial reaches into: a program gets a folder whole or not at all."""
    denials = [_fixed_part(d) for d in remit.denied("fs.write")]
    found = []
    for pattern in remit.granted("fs.write"):
        folder = _fixed_part(pattern)
        if not any(d.startswith(folder) or folder.startswith(d) for d in denials):
            found.append(pattern)
    return tuple(found)


def _fixed_part(pattern: str) -> str:
    """The text before the first wildcard: all that a glob matches begins with it."""
    for i, c in enumerate(pattern):
        if c in "*?[":
            return pattern[:i]
    return pattern


def literal_host(remit: Remit, need: Need) -> bool:
    """Whether the need's host is an address that every granting layer spells out: private addresses need that.

    A name never opens them, `localhost` neither: who answers for a name may lead it anywhere (DNS rebinding).
    """
    host = need.detail[2]
    if ":" not in host and not looks_like_ipv4(host):
        return False
    layers = [layer.grants for layer in remit.layers if layer.grants is not None]
    return bool(layers) and all(
        any(g.parts[2:3] == need.detail[2:3] and g.covers(need) for g in grants) for grants in layers
    )
