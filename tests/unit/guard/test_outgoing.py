"""What one call may send: grants, secrets and the leak guard, for tools and for confined programs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from remit.core import needs
from remit.core.remit import BOTTOM, TOP, UNSET, Remit
from remit.errors import RemitError
from remit.guard.handles import Handles, Lease
from remit.guard.leaks import LeakGuard
from remit.guard.leaks_matcher import Matcher
from remit.guard.outgoing import Outgoing, may_reach_out
from remit.ports.http import HttpRequest
from remit.ports.sandbox import SandboxJob, SandboxResult

VALUE = "Tq7-vault-value-9xK2"
KEY = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
HANDLE = "{{secret:token}}"


class Outside:
    """A sandbox and a broker that note what they are asked for."""

    root = "/somewhere"

    def __init__(self, mode: str = "redact") -> None:
        self.mode = mode
        self.jobs: list[SandboxJob] = []
        self.admit: Any = None

    @property
    def sandbox(self) -> Any:
        return self

    @property
    def egress(self) -> Any:
        raise AssertionError("nothing may be sent")

    def workspace(self, folder: str) -> Any:
        return self

    def leaks(self) -> LeakGuard:
        return LeakGuard(lambda: Matcher([("token", VALUE.encode())]), mode=self.mode)

    async def run(self, job: SandboxJob) -> SandboxResult:
        self.jobs.append(job)
        return SandboxResult(0, b"", b"")

    @asynccontextmanager
    async def broker(self, admit: Any, note: Callable[[str], None]) -> AsyncIterator[str]:
        self.admit = admit
        note("GET http://a.b 200")
        yield "/run/broker.sock"


def lend(remit: Remit, outside: Outside, **more: Any) -> tuple[Handles, Lease]:
    held = more.get("held", ())
    lease = Lease(held, builtin=bool(held), tainted=more.get("tainted", False), timeout_s=5)
    return Handles(remit, lease, lambda: 0, outside=outside, folder="x"), lease  # type: ignore[arg-type]


def judged(remit: Remit, request: HttpRequest, mode: str = "redact") -> tuple[HttpRequest, Any, Lease]:
    outside = Outside(mode)
    handles, lease = lend(remit, outside)
    admitted, private = Outgoing(handles._check, lease, remit, outside.leaks).admit(request)
    return admitted, private, lease


def refused(remit: Remit, request: HttpRequest, mode: str = "redact") -> str:
    with pytest.raises(RemitError) as caught:
        judged(remit, request, mode)
    assert VALUE not in str(caught.value) and KEY not in str(caught.value)
    return caught.value.code


def request(url: str = "https://a.b/x", **more: Any) -> HttpRequest:
    return HttpRequest(more.pop("method", "POST"), url, **more)


GRANT = Remit.allow("net:POST a.b")
BOTH = Remit.allow("net:POST a.b", "secret:token@a.b")


def test_a_secret_needs_its_own_grant_for_the_host() -> None:
    """A handle is a need `secret:NAME@host`, noted for the journal; without a grant for the host, not_granted."""
    made = request(headers=(("authorization", f"Bearer {HANDLE}"),), body=f'{{"k":"{HANDLE}"}}'.encode())
    admitted, _, lease = judged(BOTH, made)
    assert (admitted.secrets, admitted.body) == ((("token", "header"), ("token", "body")), made.body)
    assert lease.touched == ["net:POST https://a.b:443/x", "secret:token@a.b"]
    assert refused(GRANT, made) == "not_granted"
    assert refused(Remit.allow("net:POST a.b", "secret:token@c.d"), made) == "not_granted"
    assert refused(BOTH.deny("secret:*@a.b"), made) == "denied_by_rule"
    assert judged(GRANT, request())[0].secrets == ()


@pytest.mark.parametrize(
    "url", [f"https://a.b/{HANDLE}", "https://a.b/%7B%7Bsecret:token%7D%7D", f"https://a.b/?q={HANDLE}"]
)
def test_a_handle_in_a_url_is_refused(url: str) -> None:
    """URLs end in logs: no secret stands in one."""
    assert refused(BOTH, request(url)) == "secret_denied"


def test_a_value_of_the_vault_does_not_leave() -> None:
    """In a URL or a header it is refused, in a body replaced; in mode block refused; in mode off too."""
    assert refused(GRANT, request(f"https://a.b/?q={VALUE}")) == "secret_leak"
    assert refused(GRANT, request(headers=(("authorization", f"Bearer {VALUE}"),))) == "secret_leak"
    assert refused(GRANT, request(headers=((f"x-{VALUE}", "1"),))) == "secret_leak"
    body = f'{{"k":"{VALUE}","n":1}}'.encode()
    assert judged(GRANT, request(body=body))[0].body == b'{"k":"[secret:token]","n":1}'
    assert {refused(GRANT, request(body=body), mode) for mode in ("block", "off")} == {"secret_leak"}


def test_somebody_elses_key_leaves_in_a_credential_header_only() -> None:
    """A key that the user gave may authenticate a request; in any other header it is refused, in a body replaced."""
    kept = (("Authorization", f"Bearer {KEY}"),)
    assert judged(GRANT, request(headers=kept))[0].headers == kept
    assert refused(GRANT, request(headers=(("x-note", KEY),))) == "secret_leak"
    assert judged(GRANT, request(body=KEY.encode()))[0].body == b"[key:github]"
    assert judged(GRANT, request(body=KEY.encode()), "off")[0].body == KEY.encode()


def test_a_private_address_needs_its_literal_grant() -> None:
    """Only a grant that spells the address opens it, and only for this host and port."""
    literal = Remit.allow("net:http://10.0.0.1:8080")
    assert judged(literal, request("http://10.0.0.1:8080/", method="GET"))[1] == {("10.0.0.1", 8080)}
    assert judged(Remit.allow("net:http://*:*"), request("http://10.0.0.1:8080/", method="GET"))[1] == frozenset()


NETWORK = Remit.allow("shell:curl *", "net:* a.b", "net:CONNECT c.d")
CURL = ("curl", "x")


@pytest.mark.parametrize(
    ("remit", "options", "wanted", "socket"),
    [
        (NETWORK, {}, True, "/run/broker.sock"),
        (NETWORK, {}, False, ""),
        (Remit.allow("shell:curl *"), {}, True, ""),
        (NETWORK.meet(Remit.allow("shell:curl *")), {}, True, ""),
        (NETWORK, {"tainted": True}, True, ""),
        (NETWORK, {"tainted": True, "held": (needs.shell(CURL), needs.tunnel("c.d"))}, True, "/run/broker.sock"),
    ],
)
def test_a_program_gets_a_way_out_only_when_some_network_is_granted(
    remit: Remit, options: dict[str, Any], wanted: bool, socket: str
) -> None:
    """No grant, not asked for, or untrusted data in the context and nothing declared: no socket at all."""
    outside = Outside()
    handles, lease = lend(remit, outside, **options)
    asyncio.run(handles.shell.run(CURL, network=wanted))
    assert outside.jobs[0].network == socket
    assert ("egress:GET http://a.b 200" in lease.touched) is bool(socket)


def test_what_a_program_sends_is_judged_like_a_tool() -> None:
    """The broker's judge is the same: grants, tunnels, and once data is untrusted what was declared."""
    outside = Outside()
    handles, _ = lend(NETWORK, outside, tainted=True, held=(needs.shell(CURL), needs.tunnel("c.d")))
    asyncio.run(handles.shell.run(CURL, network=True))

    def code(method: str, url: str) -> str:
        try:
            outside.admit(HttpRequest(method, url))
        except RemitError as error:
            return error.code
        return ""

    assert code("CONNECT", "https://c.d/") == ""
    assert code("CONNECT", "https://c.d:8443/") == "not_granted"
    assert code("GET", "https://a.b/") == "flow_denied"
    assert code("GET", "https://e.f/") == "not_granted"
    handles, lease = lend(NETWORK, outside)
    asyncio.run(handles.shell.run(CURL, network=True))
    assert code("CONNECT", "https://a.b/") == "", "a grant of every method is one of tunnels too"
    lease.revoked = True
    assert code("GET", "https://a.b/") == "revoked"


def test_who_may_reach_out() -> None:
    """Every layer that speaks of the network must grant some; nobody reaches out by default."""
    net = Remit.allow("net:a.b")
    assert may_reach_out(net) and may_reach_out(TOP)
    assert not any(map(may_reach_out, (UNSET, BOTTOM, Remit.allow("shell:*"), net.meet(Remit.allow("shell:*")))))


def test_a_tunnel_needs_its_own_method() -> None:
    """A grant to read does not open a tunnel, in which nobody sees the method; CONNECT and * do."""
    need = needs.tunnel("a.b")
    assert not Remit.allow("net:a.b").allows(need)
    assert not Remit.allow("net:GET,POST a.b/x/**").allows(need)
    assert Remit.allow("net:CONNECT a.b").allows(need) and Remit.allow("net:* a.b").allows(need)
    assert not Remit.allow("net:* a.b").deny("net:a.b").allows(need)
