"""The handle on code sandboxes: what a tool lends is all that the code inside can reach, as long as the call lasts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from remit.core.effects import Need
from remit.errors import Denied

if TYPE_CHECKING:
    from remit.guard.handles import Lease
    from remit.ports.code_sandbox import CodeResult, CodeSandbox

END_S = 0.5
"""seconds before the tool's own deadline: the sandbox ends first and says why"""


class GrantedCode:
    """Runs code in T1 or T2. Computing needs no grant; whatever is lent checks its own."""

    def __init__(self, lease: Lease, sandbox: Callable[[str], CodeSandbox]) -> None:
        self._lease = lease
        self._sandbox = sandbox

    async def run(
        self,
        code: str,
        *,
        tier: str = "T2",
        inputs: Mapping[str, Any] | None = None,
        lend: Mapping[str, Callable[..., Awaitable[Any]]] | None = None,
        timeout_s: float = 10.0,
    ) -> CodeResult:
        """Run Python source. A missing tier is sandbox_missing; another one never takes its place."""
        from remit.ports.code_sandbox import CodeJob

        self._lease.touch(Need("tool", f"code:{tier}"))
        lent = dict(lend or {})

        async def host(name: str, arguments: list[Any]) -> Any:
            if self._lease.revoked or name not in lent:
                raise Denied("revoked", "the call that lent this function has returned")
            try:
                return await lent[name](*arguments)
            except TypeError as error:
                raise Denied("argument_denied", f"{name}: {str(error)[:200]}") from None

        longest = max(0.1, self._lease.timeout_s - END_S)
        job = CodeJob(code, dict(inputs or {}), tuple(lent), min(timeout_s, longest))
        result = await self._sandbox(tier).run(job, host)
        if self._lease.revoked:
            raise Denied("revoked", "the call that lent this handle has returned")
        return result
