"""Handles: they check the remit at every use, note it, and stop with the call."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from remit.core import needs
from remit.core.remit import Remit
from remit.errors import Denied
from remit.guard.handles import Handles, Lease, literal_host, writable_folders
from remit.guard.leaks import LeakGuard
from remit.ports.http import HttpReply
from remit.ports.sandbox import SandboxResult


class Outside:
    """Everything that a handle reaches, noting what reached it."""

    def __init__(self) -> None:
        self.jobs: list[Any] = []
        self.requests: list[Any] = []

    root = "/somewhere"

    @property
    def sandbox(self) -> Any:
        return self

    @property
    def egress(self) -> Any:
        return self

    def workspace(self, folder: str) -> Any:
        return self

    def leaks(self) -> LeakGuard:
        return LeakGuard()

    async def run(self, job: Any) -> SandboxResult:
        self.jobs.append(job)
        return SandboxResult(0, b"", b"")

    async def fetch(self, request: Any, allow_private: Any) -> HttpReply:
        self.requests.append((request.method, request.url, allow_private))
        return HttpReply(200, {}, b"")


def lend(remit: Remit, **options: Any) -> tuple[Handles, Lease, Outside]:
    lease = Lease(
        options.get("held", ()),
        builtin=options.get("builtin", False),
        tainted=options.get("tainted", False),
        timeout_s=5,
    )
    outside = Outside()
    return Handles(remit, lease, lambda: 0, outside=outside, folder="x"), lease, outside


def code(work: Any) -> str:
    with pytest.raises(Denied) as caught:
        asyncio.run(work)
    return caught.value.code


def test_a_program_runs_only_when_its_argv_is_granted() -> None:
    """The shell handle checks the argv; what ran is noted with its full argv."""
    handles, lease, outside = lend(Remit.allow("shell:git status"))
    asyncio.run(handles.shell.run(("git", "status")))
    assert (lease.touched, outside.jobs[0].argv) == (["shell:git status"], ("git", "status"))
    assert code(handles.shell.run(("git", "push"))) == "not_granted"
    assert len(outside.jobs) == 1


def test_a_built_in_may_add_options_only_to_the_program_it_declared() -> None:
    """The gate granted `git log`; its options are the tool's own, another program is not."""
    held = (needs.shell(("git", "log")),)
    handles, _, outside = lend(Remit.allow("shell:git log"), held=held, builtin=True)
    asyncio.run(handles.shell.run(("git", "--no-pager", "log", "-n", "5")))
    assert code(handles.shell.run(("sh", "-c", "x"))) == "not_granted"
    own, _, _ = lend(Remit.allow("shell:git log"), held=held, builtin=False)
    assert code(own.shell.run(("git", "--no-pager", "log"))) == "not_granted"
    assert len(outside.jobs) == 1


def test_every_handle_stops_with_the_call() -> None:
    """After revocation nothing that was lent works, also when the handle was kept."""
    handles, lease, outside = lend(Remit.allow("shell:ls", "net:example.org"))
    shell, http = handles.shell, handles.http
    lease.revoked = True
    assert code(shell.run(("ls",))) == "revoked"
    assert code(http.fetch("GET", "https://example.org/")) == "revoked"
    assert (outside.jobs, outside.requests) == ([], [])


def test_untrusted_data_does_not_leave_through_an_own_tool() -> None:
    """With untrusted data in the context an undeclared request is refused; a declared one was asked about."""
    remit = Remit.allow("net:example.org")
    tainted, _, outside = lend(remit, tainted=True)
    assert code(tainted.http.fetch("GET", "https://example.org/?q=secret")) == "flow_denied"
    asked, _, outside = lend(remit, tainted=True, held=(needs.net("GET", "https://example.org/"),))
    asyncio.run(asked.http.fetch("GET", "https://example.org/"))
    clean, _, other = lend(remit)
    asyncio.run(clean.http.fetch("GET", "https://example.org/"))
    assert (len(outside.requests), len(other.requests)) == (1, 1)


@pytest.mark.parametrize(
    ("grant", "url", "private"),
    [
        ("net:http://127.0.0.1:8080", "http://127.0.0.1:8080/x", True),
        ("net:http://*:8080", "http://127.0.0.1:8080/x", False),
        ("net:*", "https://10.0.0.1/", False),
        ("net:10.0.0.1", "https://10.0.0.1/", True),
        ("net:http://[::1]:8080", "http://[::1]:8080/x", True),
        ("net:http://localhost:8080", "http://localhost:8080/x", False),
        ("net:http://api.example.org:8080", "http://api.example.org:8080/x", False),
    ],
)
def test_a_private_address_needs_a_grant_that_names_it(grant: str, url: str, private: bool) -> None:
    """Only a literal address opens the egress check; a wildcard leaves it closed, in every layer."""
    remit = Remit.allow(grant)
    assert literal_host(remit, needs.net("GET", url)) is private
    assert not literal_host(remit.meet(Remit.allow("net:*")), needs.net("GET", url))
    handles, _, outside = lend(remit)
    asyncio.run(handles.http.fetch("GET", url))
    assert bool(outside.requests[0][2]) is private


@pytest.mark.parametrize(
    ("denial", "left"),
    [
        ("fs.write:out/keep/**", ("tmp/**",)),
        ("fs.write:**/*.key", ()),
        ("fs.write:out", ("tmp/**",)),
        ("fs.write:docs/**", ("out/**", "tmp/**")),
    ],
)
def test_a_program_never_gets_a_folder_that_a_write_denial_reaches(denial: str, left: tuple[str, ...]) -> None:
    """A sandbox binds folders whole, so one that holds anything denied stays read-only."""
    assert writable_folders(Remit.allow("fs.write:out/**", "fs.write:tmp/**").deny(denial)) == left
