"""Handles: the authority of one tool call, as objects.

A handle checks the remit at every use, notes the use for the journal, and stops working when its
lease is revoked. A built-in's needs were checked by the gate before the call; the handle checks
again, so a tool that touches more than it declared still gets no further than the remit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from remit.core import needs
from remit.core.addresses import looks_like_ipv4
from remit.core.effects import Need
from remit.core.labels import USER, Label, join
from remit.core.remit import Remit, Ruling
from remit.errors import Denied

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from remit.core.grants import Grant
    from remit.guard.code_handle import GrantedCode
    from remit.guard.leaks import LeakGuard
    from remit.guard.policy_admission import Authority
    from remit.guard.policy_meter import Meter
    from remit.ports.agents import Agents
    from remit.ports.code_sandbox import CodeSandbox
    from remit.ports.http import HttpReply
    from remit.ports.made_tool import ToolStore
    from remit.ports.sandbox import Sandbox, SandboxResult
    from remit.ports.tool import Egress, Files, Workspace

MAX_TOUCHED: Final = 64  # handle uses that one outcome lists


class Lease:
    """The life of one call's handles: they stop working when `revoked` is set."""

    __slots__ = (
        "approved",
        "arguments",
        "authority",
        "builtin",
        "current",
        "held",
        "judge",
        "label",
        "needs",
        "revoked",
        "tainted",
        "timeout_s",
        "touched",
    )

    def __init__(self, held: tuple[Need, ...], *, builtin: bool, tainted: bool, timeout_s: float) -> None:
        self.needs = held
        self.builtin = builtin
        self.tainted = tainted
        self.timeout_s = timeout_s
        self.revoked = False
        self.touched: list[str] = []
        self.label = USER
        """trust of what came in through the handles"""
        self.authority: Authority | None = None
        """whose counters and revocations hold for the call; None = nothing is counted"""
        self.arguments: Any = None
        """of the call, for grants that hold for some arguments only"""
        self.held: tuple[Grant, ...] = ()
        """grants with counters that this call has drawn on"""
        self.approved: tuple[Need, ...] = ()
        """needs that no grant covers, and that a person allowed for this call; denials still stand against them"""
        self.judge: Callable[[Need, bool, int], str] | None = None
        """(need, whether a grant covers it, now in ms) -> why policies refuse it during this call; "" = they do not"""
        self.current: list[Need] = []
        """what a handle does at this moment"""

    @property
    def meter(self) -> Meter | None:
        """Counters and revocations of the run; None = nothing is counted."""
        return None if self.authority is None else self.authority.meter

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

    def ruling(self, remit: Remit, need: Need, now_ms: int, *, again: bool = False, size_bytes: int = 0) -> Ruling:
        """What the remit says of a use in this call, counted against bounded grants.

        A call draws once on a grant, except `again` = each use is one of its own (a request, a program).
        """
        meter = self.meter
        if meter is None:
            return remit.ruling(need, now_ms)
        held = () if again else self.held
        ruling = meter.ruling(remit, need, now_ms, arguments=self.arguments, size_bytes=size_bytes, held=held)
        covered = ruling.allowed
        if not covered and not ruling.denied and need in self.approved:
            ruling = Ruling(True, "approved")
        why = self.judge(need, covered, now_ms) if self.judge is not None and ruling.allowed else ""
        if why:
            return Ruling(False, why, True)
        fresh = tuple(grant for grant in ruling.charged if grant not in held)
        if ruling.allowed and fresh:
            meter.take(fresh, now_ms, size_bytes)
            self.held = tuple(dict.fromkeys(self.held + fresh))
        return ruling

    @contextmanager
    def using(self, need: Need) -> Iterator[None]:
        """Around what a handle waits for, so that a revocation finds it."""
        self.current.append(need)
        try:
            yield
        finally:
            self.current.remove(need)
        if self.revoked:
            raise Denied("revoked", "the call that lent this handle has returned, or its grant was revoked")


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

    @property
    def made_tools(self) -> ToolStore:
        """Tools that agents wrote."""
        ...

    @property
    def agents(self) -> Agents:
        """Other agents."""
        ...

    def code_sandbox(self, tier: str) -> CodeSandbox:
        """Tier T1 or T2."""
        ...

    def leaks(self) -> LeakGuard:
        """What looks at everything that leaves."""
        ...

    def broker(self, admit: Callable[..., Any], note: Callable[[str], None]) -> AbstractAsyncContextManager[str]:
        """An egress broker for one program: the path of its socket; `admit` judges each request."""
        ...


class Handles:
    """What one call may use. Made for the call; each handle only when the tool asks for it."""

    def __init__(self, remit: Remit, lease: Lease, now_ms: Callable[[], int], *, outside: Lenders, folder: str) -> None:
        self._remit = remit
        self._lease = lease
        self._now_ms = now_ms
        self._outside = outside
        self._folder = folder
        self.transaction: Any = None
        """of a call of the tier transactional, while its body runs"""

    @property
    def files(self) -> Files:
        """Files beneath the workspace, as far as the remit reaches."""
        self._lease.brings("files")
        return self._outside.workspace(self._folder).files(self._allows, lambda: self._lease.revoked)

    @property
    def shell(self) -> GrantedShell:
        """Programs whose argv is granted, in the sandbox."""
        self._lease.brings("shell")
        return GrantedShell(self._check, self._lease, self._remit, self._outside.workspace(self._folder), self._outside)

    @property
    def http(self) -> GrantedHttp:
        """Requests to what is granted."""
        self._lease.brings("http")
        return GrantedHttp(self._check, self._lease, self._remit, self._outside)

    @property
    def made_tools(self) -> ToolStore:
        """The store of made tools, for whoever may make one."""
        self._check(Need("tool", "tool_create"))
        return self._outside.made_tools

    @property
    def agents(self) -> Agents:
        """Other agents; whoever is started holds no more than this call's run."""
        return self._outside.agents

    @property
    def code(self) -> GrantedCode:
        """Code of others, in a sandbox without an outside."""
        from remit.guard.code_handle import GrantedCode  # most runs run no such code

        self._lease.brings("code")
        return GrantedCode(self._lease, self._outside.code_sandbox)

    def _allows(self, verb: str, path: str) -> bool:
        return self._lease.ruling(self._remit, Need(verb, path), self._now_ms()).allowed

    def _check(self, need: Need, size_bytes: int = 0) -> None:
        lease = self._lease
        lease.touch(need)
        own = not (lease.builtin and need in lease.needs)  # the gate has counted what a built-in declared
        ruling = lease.ruling(self._remit, need, self._now_ms(), again=own, size_bytes=size_bytes)
        if ruling.spent:
            raise Denied("grant_bound", f"{need}: {ruling.spent}")
        if not ruling.allowed:
            code = "denied_by_rule" if ruling.denied else "not_granted"
            raise Denied(code, f"{need} is not covered" if not ruling.denied else f"{need}: {ruling.rule}")


class GrantedShell:
    """Runs programs in tier T3; there is no other way to run one."""

    def __init__(
        self, check: Callable[..., None], lease: Lease, remit: Remit, workspace: Workspace, outside: Lenders
    ) -> None:
        self._check = check
        self._lease = lease
        self._remit = remit
        self._workspace = workspace
        self._outside = outside

    async def run(
        self, argv: tuple[str, ...], *, cwd: str = ".", stdin: bytes = b"", network: bool = False
    ) -> SandboxResult:
        """Run one program; a built-in may add options of its own to the argv that the gate has checked.

        `network` lends it the egress broker, where the remit grants any use of the network; else it has none at all.
        """
        need = needs.shell(argv)
        if not self._declared(argv):
            self._check(need)
        else:
            self._lease.touch(need)
        from remit.guard.outgoing import way_out
        from remit.ports.sandbox import SandboxJob  # most runs start no program

        lease = self._lease
        with lease.using(need):
            async with way_out(network, self._check, lease, self._remit, self._outside) as socket:
                job = SandboxJob(
                    argv=argv,
                    workspace=self._workspace.root,
                    cwd=cwd,
                    writable=writable_folders(self._remit),
                    denied=self._remit.denied("fs.read"),
                    stdin=stdin,
                    timeout_s=max(0.1, lease.timeout_s - 0.5),  # the sandbox ends first and says why
                    network=socket,
                )
                return await self._outside.sandbox.run(job)

    def _declared(self, argv: tuple[str, ...]) -> bool:
        held = [n for n in self._lease.needs if n.verb == "shell"]
        return self._lease.builtin and any(n.detail[:1] == argv[:1] for n in held)


class GrantedHttp:
    """Sends requests through the egress check."""

    def __init__(self, check: Callable[..., None], lease: Lease, remit: Remit, outside: Lenders) -> None:
        self._check = check
        self._lease = lease
        self._remit = remit
        self._outside = outside

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpReply:
        """One request; raises flow_denied for an own tool once untrusted data is in the context."""
        from remit.guard.outgoing import Outgoing  # most runs send no request of their own
        from remit.ports.http import HttpRequest

        outgoing = Outgoing(self._check, self._lease, self._remit, self._outside.leaks)
        request, private = outgoing.admit(HttpRequest(method.upper(), url, tuple((headers or {}).items()), body))
        with self._lease.using(needs.net(method, url)):
            reply = await self._outside.egress.fetch(request, private)
        if self._lease.held and self._lease.meter is not None:
            self._lease.meter.passed(self._lease.held, len(reply.body))
        return reply


def writable_folders(remit: Remit) -> tuple[str, ...]:
    """Granted write patterns that no write denial reaches into: a program gets a folder whole or not at all."""
    denials = [_fixed_part(d) for d in remit.denied("fs.write")]
    found = []
    for pattern in remit.bindable("fs.write"):
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
    layers = [layer.grants or () for layer in remit.layers if not layer.silent("net")]
    return bool(layers) and all(
        any(g.parts[2:3] == need.detail[2:3] and g.covers(need) for g in grants) for grants in layers
    )
