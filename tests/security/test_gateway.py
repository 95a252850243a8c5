"""The gateway under attack: each defence holds, and falls when its mechanism is unplugged."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="needs uvicorn (extra server)")
pytest.importorskip("starlette", reason="needs starlette (extra server)")

from gateway_server import CONFIG, Served, serving
from remit import Agent, Remit, ToolCall, tool
from remit.adapters.clock import SystemClock
from remit.config import state_folder
from remit.core.effects import Need
from remit.core.events import Reflected, RunDone, RunStarted
from remit.errors import Invalid
from remit.gateway import bounding, calls, connections, gateway, principals, server, streams
from remit.guard import tokens
from remit.guard.api_keys import FILE_NAME, ApiKeys
from remit.guard.revoked import Revoked, add
from remit.testing import ScriptedModel

NOW_MS = SystemClock().now_ms
Plug = Callable[[pytest.MonkeyPatch], None]


@tool(effect="write")
def note(text: str) -> str:
    """Note it."""
    return text


def agents() -> dict[str, Agent]:
    made = [
        Agent("noter", ScriptedModel([ToolCall("c", "note", {"text": "one"}), "noted"] * 20), tools=[note],
              remit=Remit.allow("tool:note")),
        Agent("other", ScriptedModel(["hello"] * 20)),
    ]  # fmt: skip
    return {agent.name: agent for agent in made}


def attack(folder: Path, work: Callable[[Served], Awaitable[Any]], **options: Any) -> Any:
    """What `work` found out of a running gateway."""

    async def main() -> Any:
        async with serving(folder, agents(), **options) as served:
            return await work(served)

    return asyncio.run(main())


def code_of(found: tuple[int, dict[str, str], Any]) -> tuple[int, str]:
    return found[0], found[2]["code"] if isinstance(found[2], dict) and "code" in found[2] else ""


# --- credentials, over all routes ---------------------------------------------------------------------


async def every_route(served: Served, headers: dict[str, str]) -> dict[str, tuple[int, str]]:
    """What each route of the table answers to these headers."""
    found = {}
    for row in served.gateway.rows:
        path = re.sub(r"{\w+}", "run_01m8hbcdbdnwf1qg4h8m5p6ne1", row.path)
        body = None if row.method == "GET" else {}
        found[f"{row.method} {row.path}"] = code_of(await served.ask(row.method, path, body, headers=headers))
    return found


def bad_credentials(served: Served) -> dict[str, dict[str, str]]:
    """Headers that must open nothing."""
    gone, right = served.key("admin"), served.key("admin")
    served.keys.revoke(gone.split("_")[1], 1)
    old = served.key("admin", expires_ms=1)
    wrong = right[:-1] + ("A" if right[-1] != "A" else "B")
    return {
        "missing": {},
        "empty": {"authorization": "Bearer "},
        "wrong": {"authorization": f"Bearer {wrong}"},
        "unknown id": {"authorization": "Bearer remit_" + "0" * 16 + right[22:]},
        "revoked": {"authorization": f"Bearer {gone}"},
        "expired": {"authorization": f"Bearer {old}"},
        "basic": {"authorization": f"Basic {b64encode(right.encode()).decode()}"},
        "in the query": {"x-api-key": right},
        "digest": {"authorization": f"Bearer {served.keys.all()[0].digest}"},
        "no issuer": {"authorization": "Biscuit " + "A" * 40},
    }


def test_no_route_answers_without_a_credential_that_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, wrong, revoked, expired: 401 `unauthenticated` on every route of the table, and one answer for all."""
    monkeypatch.setattr(principals, "BURST", 500)

    async def work(served: Served) -> dict[str, set[tuple[int, str]]]:
        cases = bad_credentials(served)
        return {name: set((await every_route(served, headers)).values()) for name, headers in cases.items()}

    found = attack(tmp_path, work)
    assert found == {name: {(401, "unauthenticated")} for name in found}


def test_unplugged_authentication_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unplugged: with an authentication that lets anybody in, the same table has other answers than 401."""
    monkeypatch.setattr(principals, "BURST", 500)

    async def work(served: Served) -> set[int]:
        somebody = served.gateway.principals.of({"authorization": f"Bearer {served.key('admin')}"})
        monkeypatch.setattr(served.gateway.principals, "of", lambda headers: somebody)
        return {status for status, _ in (await every_route(served, {})).values()}

    assert 401 not in attack(tmp_path, work)


def test_the_table_is_all_that_is_routed(tmp_path: Path) -> None:
    """Every route of the application stands in the table, and only /health answers to nobody in particular."""

    async def work(served: Served) -> tuple[Any, ...]:
        routed = {(route.path, next(iter(route.methods - {"HEAD"}))) for route in served.gateway._router.routes}
        table = {(row.path, row.method) for row in served.gateway.rows}
        nobody = [await served.ask(*each) for each in (("GET", "/health"), ("GET", "/nowhere"), ("POST", "/health"))]
        return routed == table, [status for status, _, _ in nobody], len(table)

    same, statuses, count = attack(tmp_path, work)
    assert (same, statuses, count >= 12) == (True, [200, 401, 401], True)


def test_what_is_no_route_is_said_to_be_none(tmp_path: Path) -> None:
    """Another path, method or trailing slash: route_unknown, never a redirect; a failing server names no place."""

    async def work(served: Served) -> tuple[Any, ...]:
        key = served.key("admin")
        asked = [("GET", "/v1/nothing"), ("DELETE", "/v1/runs"), ("GET", "/v1/runs/"), ("HEAD", "/v1/runs"),
                 ("GET", "//v1/runs"), ("POST", "/v1/ping"), ("GET", "/health/../v1/runs")]  # fmt: skip
        found = {code_of(await served.ask(*each, key=key)) for each in asked}
        (state_folder() / FILE_NAME).write_text("[{", encoding="utf-8")
        return found, (await served.ask("GET", "/v1/ping", key=key))[2]

    found, failed = attack(tmp_path, work)
    assert found == {(404, "route_unknown"), (404, "")}  # HEAD has no body
    assert (failed["code"], failed["message"], str(tmp_path) in str(failed)) == (
        "record_altered", "the server failed", False,
    )  # fmt: skip


def test_a_copied_token_uses_up_nothing_of_its_holder(tmp_path: Path) -> None:
    """Requests without a proof count for the address they come from."""
    pytest.importorskip("biscuit_auth", reason="needs biscuit-python (extra policy)")
    holder = Holder("model:*")

    async def work(served: Served) -> tuple[set[int], int]:
        good = await holder.headers(served)
        copied = {"authorization": good["authorization"]}
        statuses = {(await served.ask("GET", "/v1/ping", headers=copied))[0] for _ in range(70)}
        return statuses, (await served.ask("GET", "/v1/ping", headers=good))[0]

    assert attack(tmp_path, work, config=holder.config) == ({401, 429}, 200)


def test_secrets_are_not_kept(tmp_path: Path) -> None:
    """The state folder holds no key's text; a damaged or readable file lets nobody in."""

    async def work(served: Served) -> tuple[Any, ...]:
        key = served.key("admin")
        path = state_folder() / FILE_NAME
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode & 0o777
        path.chmod(0o644)
        open_file = (await served.ask("GET", "/v1/ping", key=key))[0]
        path.chmod(0o600)
        path.write_text("[{", encoding="utf-8")
        path.chmod(0o600)
        return key.split("_", 2)[2] in text, mode, (await served.ask("GET", "/v1/ping", key=key))[0], open_file

    kept, mode, damaged, _ = attack(tmp_path, work)
    assert (kept, mode, damaged) == (False, 0o600, 500)


def test_a_key_ends_at_once_and_open_streams_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Revoked from another process: the next request is 401, an open stream ends within its check."""
    monkeypatch.setattr(streams, "CHECK_S", 0.1)

    async def work(served: Served) -> tuple[Any, ...]:
        key, boss = served.key(), served.key("admin", name="boss")
        log = served.runtime.journal.create("run_x", RunStarted("a", "t", spec={"by": "ann"}))
        await log.flush()
        stream = asyncio.ensure_future(served.events(key, "run_x"))
        await asyncio.sleep(0.5)
        ApiKeys(str(state_folder())).revoke(key.split("_")[1], 1)
        events = await stream
        after = code_of(await served.ask("GET", "/v1/ping", key=key))
        await log.release("waiting")
        return events[-1], after, (await served.ask("GET", "/v1/ping", key=boss))[0]

    end, after, other = attack(tmp_path, work)
    assert (end, after, other) == ({"event": "end", "data": "unauthenticated"}, (401, "unauthenticated"), 200)
    with pytest.raises(Invalid) as caught:
        ApiKeys(str(state_folder())).revoke("nobody", 1)
    assert caught.value.code == "key_unknown"


# --- tokens -------------------------------------------------------------------------------------------


class Holder:
    """An issuer that the server trusts, and a holder of a token."""

    def __init__(self, *grants: str) -> None:
        self.issuer, root = tokens.new_key()
        self.private, self.public = tokens.new_key()
        self.config = f'{CONFIG}\n[policy]\ntoken_issuer = "{root.hex()}"\n'
        self.token = tokens.mint(Remit.allow(*grants), issuer=self.issuer, holder=self.public, now_ms=NOW_MS())

    async def headers(self, served: Served, private: bytes = b"", token: str = "") -> dict[str, str]:
        """Proven headers of one request."""
        token = token or self.token
        basic = {"authorization": f"Biscuit {token}"}
        status, _, found = await served.ask("POST", "/v1/challenge", {}, headers=basic)
        assert status == 200, found
        return {**basic, **self.proof(found["challenge"], token, private)}

    def proof(self, challenge: str, token: str, private: bytes = b"") -> dict[str, str]:
        """The two headers that prove."""
        import base64

        signed = tokens.prove(token, base64.b64decode(challenge), holder=private or self.private)
        return {"x-remit-challenge": challenge, "x-remit-proof": b64encode(signed).decode()}


biscuit = pytest.mark.skipif(
    not __import__("importlib.util").util.find_spec("biscuit_auth"), reason="needs biscuit-python (extra policy)"
)


@biscuit
def test_a_token_counts_with_a_fresh_proof_of_its_holder_only(tmp_path: Path) -> None:
    """Unproven, replayed, signed by a thief, with a made-up challenge, expired, revoked, forged: 401, with its code."""
    holder = Holder("tool:note", "model:*")

    async def work(served: Served) -> dict[str, tuple[int, str]]:
        found = {}
        good = await holder.headers(served)
        found["good"] = code_of(await served.ask("GET", "/v1/ping", headers=good))
        found["replayed"] = code_of(await served.ask("GET", "/v1/ping", headers=good))
        bare = {"authorization": good["authorization"]}
        found["unproven"] = code_of(await served.ask("GET", "/v1/ping", headers=bare))
        thief = await holder.headers(served, tokens.new_key()[0])
        found["thief"] = code_of(await served.ask("GET", "/v1/ping", headers=thief))
        own = {**bare, **holder.proof(b64encode(b"x" * 32).decode(), holder.token)}
        found["own challenge"] = code_of(await served.ask("GET", "/v1/ping", headers=own))
        mallory = tokens.mint(Remit.allow("tool:*"), issuer=tokens.new_key()[0], holder=holder.public, now_ms=NOW_MS())
        forged = {"authorization": f"Biscuit {mallory}"}
        found["forged"] = code_of(await served.ask("POST", "/v1/challenge", {}, headers=forged))
        late = tokens.mint(Remit.allow("tool:*"), issuer=holder.issuer, holder=holder.public, now_ms=NOW_MS() - 10**7)
        expired = {"authorization": f"Biscuit {late}"}
        found["expired"] = code_of(await served.ask("POST", "/v1/challenge", {}, headers=expired))
        doubled = {**(await holder.headers(served)), "X-Remit-Proof": "AAAA"}
        found["two proofs"] = code_of(await served.ask("GET", "/v1/ping", headers=doubled))
        fresh = await holder.headers(served)
        ids = tokens.inspect(holder.token, root=served.gateway.principals._issuer, now_ms=NOW_MS()).revocation_ids
        add(str(state_folder()), Revoked(f"token:{ids[0]}"))
        found["revoked"] = code_of(await served.ask("GET", "/v1/ping", headers=fresh))
        return found

    assert attack(tmp_path, work, config=holder.config) == {
        "good": (200, ""), "replayed": (401, "token_unproven"), "unproven": (401, "token_unproven"),
        "thief": (401, "token_unproven"), "own challenge": (401, "token_unproven"), "forged": (401, "token_invalid"),
        "expired": (401, "token_expired"), "two proofs": (401, "unauthenticated"), "revoked": (401, "token_revoked"),
    }  # fmt: skip


@biscuit
def test_unplugged_challenges_would_be_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unplugged: challenges that are never spent let the recorded request in again; so do proofs that nobody checks."""
    holder = Holder("model:*")
    monkeypatch.setattr(tokens.Challenges, "spend", lambda self, challenge, now_ms: True)

    async def work(served: Served) -> list[int]:
        good = await holder.headers(served)
        return [(await served.ask("GET", "/v1/ping", headers=good))[0] for _ in range(2)]

    assert attack(tmp_path, work, config=holder.config) == [200, 200]


@biscuit
def test_a_holder_gets_the_meet_and_is_stopped_by_revocation(tmp_path: Path) -> None:
    """A token without the model cannot run; with it its run holds the token's ids and grants, and ends with it."""
    holder, narrow = Holder("tool:note", "model:*"), Holder("tool:note")

    async def work(served: Served) -> tuple[Any, ...]:
        body = {"task": "go", "agent": "noter"}
        token = tokens.mint(Remit.allow("tool:note"), issuer=holder.issuer, holder=holder.public, now_ms=NOW_MS())
        refused = await served.ask("POST", "/v1/runs", body, headers=await holder.headers(served, token=token))
        made = await served.ask("POST", "/v1/runs", body, headers=await holder.headers(served))
        await asyncio.sleep(0.5)
        started = json.loads(served.runtime.journal.read(made[2]["run_id"])[0].body)
        return code_of(refused), made[0], started["spec"]["by"], len(started["spec"]["tokens"]), started["remit"]

    refused, status, by, count, remit = attack(tmp_path, work, config=holder.config)
    assert (refused, status, by, count) == ((403, "not_granted"), 202, f"holder:{holder.public.hex()}", 1)
    assert remit["expires_ms"] <= NOW_MS() + tokens.LIFETIME_MS
    assert narrow.token != holder.token


# --- where a request comes from -----------------------------------------------------------------------

HOSTS = [("evil.example", 421), ("evil.example:{port}", 421), ("127.0.0.1:{port}.evil.example", 421), ("", 421),
         ("127.0.0.1", 421), ("127.0.0.1:1", 421), ("localhost:{port}", 200), ("LOCALHOST:{port}", 200),
         ("[::1]:{port}", 200), ("user@127.0.0.1:{port}", 421)]  # fmt: skip
ORIGINS = [("http://evil.example", 403), ("null", 403), ("https://127.0.0.1:{port}", 403), ("http://127.0.0.1:1", 403),
           ("http://127.0.0.1:{port}", 200), ("http://127.0.0.1:{port}.evil.example", 403)]  # fmt: skip


def probe(folder: Path, cases: list[tuple[str, int]], name: str) -> list[int]:
    """The statuses that these values of a header get, with a key that counts."""

    async def work(served: Served) -> list[int]:
        key = served.key()
        given = [{name: value.format(port=served.port)} for value, _ in cases]
        return [(await served.ask("GET", "/v1/ping", key=key, headers=each))[0] for each in given]

    found: list[int] = attack(folder, work)
    return found


@pytest.mark.parametrize(("cases", "name"), [(HOSTS, "host"), (ORIGINS, "origin")], ids=["host", "origin"])
def test_other_names_and_other_pages_are_refused(
    cases: list[tuple[str, int]], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding (Host) and cross-origin requests (Origin); unplugged, all of them pass."""
    assert probe(tmp_path, cases, name) == [status for _, status in cases]
    monkeypatch.setattr(gateway.Gateway, "_check_addressing", lambda self, request: None)
    assert set(probe(tmp_path, cases, name)) == {200}


def test_addressing_is_checked_first_and_says_so(tmp_path: Path) -> None:
    """Health too; two Host fields are none; there is never a CORS header, also for a preflight."""

    async def work(served: Served) -> list[Any]:
        health = await served.ask("GET", "/health", headers={"host": "evil.example"})
        origin = await served.ask("GET", "/health", headers={"origin": "http://evil.example"})
        line = f"host: 127.0.0.1:{served.port}\r\n"
        twice = await served.raw(f"GET /health HTTP/1.1\r\n{line}{line}connection: close\r\n\r\n".encode())
        own = {"origin": f"http://127.0.0.1:{served.port}", "access-control-request-method": "POST"}
        preflight = await served.ask("OPTIONS", "/v1/runs", headers=own)
        return [code_of(health), code_of(origin), twice[:12], preflight[0], "access-control" in str(preflight[1])]

    expected = [(421, "host_denied"), (403, "origin_denied"), b"HTTP/1.1 421", 401, False]
    assert attack(tmp_path, work) == expected


# --- size, time, depth --------------------------------------------------------------------------------


def deep(levels: int) -> bytes:
    return b'{"task":' + b"[" * levels + b"]" * levels + b"}"


BODIES = [
    (b'{"task":"x","agent":"other"}', {}, (202, "")),
    (b'{"task":"' + b"x" * 1_000_001 + b'"}', {}, (413, "request_too_large")),
    (b'{"task":"' + b"x" * 100_001 + b'","agent":"other"}', {}, (400, "request_invalid")),
    (deep(200_000), {}, (400, "request_invalid")),
    (b'{"task":"x","agent":"other","remit":{"layers":[]}}', {}, (400, "request_invalid")),
    (b'{"task":"x","agent":"other","pool":"p"}', {}, (400, "request_invalid")),
    (b'{"task":"x","agent":"other","model":"builtin:surveyor"}', {}, (400, "request_invalid")),
    (b'{"task":"x","agent":"nobody"}', {}, (400, "request_invalid")),
    (b'{"task":"x","agent":"other","budget":{"usd":-1}}', {}, (400, "request_invalid")),
    (b'{"task":"x","agent":"other","allow":["fs.read"]}', {}, (400, "grant_invalid")),
    (b'{"task":"x","task":1}', {}, (400, "request_invalid")),
    (b"\xff\xfe", {}, (400, "request_invalid")),
    (b'{"task":"x","agent":"other"}', {"content-type": "text/plain"}, (400, "request_invalid")),
    (b"", {"content-length": "1000001"}, (413, "request_too_large")),
]


def test_bodies_are_bounded_and_strict(tmp_path: Path) -> None:
    """Too large, too deep, too long a task, unknown fields, another type: refused with its code, and nothing runs."""

    async def work(served: Served) -> tuple[list[tuple[int, str]], int]:
        key = served.key()
        found = [code_of(await served.ask("POST", "/v1/runs", b, key=key, headers=h)) for b, h, _ in BODIES]
        return found, len(served.runtime.journal.runs())

    found, runs = attack(tmp_path, work)
    assert found == [expected for _, _, expected in BODIES]
    assert runs == 1


def test_a_chunked_body_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a Content-Length the body is counted as it comes; unplugged, the same body is read whole."""

    async def work(served: Served) -> bytes:
        given = {"authorization": f"Bearer {served.key()}", "content-type": "application/json"}
        head = served.head("POST", "/v1/runs", {**given, "transfer-encoding": "chunked"})
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        last = b"1c\r\n" + b'{"task":"x","agent":"other"}' + b"\r\n0\r\n\r\n"
        return (await served.raw(head + chunk * 20 + last))[:12]

    assert attack(tmp_path, work) == b"HTTP/1.1 413"
    monkeypatch.setattr(calls, "MAX_BODY_BYTES", 10**9)
    assert attack(tmp_path, work) == b"HTTP/1.1 202"


def test_slow_requests_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that drips is cut, a body that drips is 408; unplugged (no deadline), both are still open."""
    monkeypatch.setattr(calls, "BODY_S", 0.3)
    monkeypatch.setattr(connections.Connection, "head_s", 0.3)

    async def work(served: Served) -> tuple[bytes, bytes]:
        head = await served.raw(b"GET /health HTTP/1.1\r\nhost: x\r\n", 2.0)
        given = {"authorization": f"Bearer {served.key()}", "content-type": "application/json", "content-length": "50"}
        body = await served.raw(served.head("POST", "/v1/runs", given) + b'{"ta', 2.0)
        return head, body[:12] if b'"request_slow"' in body else body

    async def timed(served: Served) -> tuple[bytes, bytes, float]:
        began = asyncio.get_running_loop().time()
        return *(await work(served)), asyncio.get_running_loop().time() - began

    head, body, took = attack(tmp_path, timed)
    assert (head, body, took < 2.0) == (b"", b"HTTP/1.1 408", True)
    monkeypatch.setattr(calls, "BODY_S", 60)
    monkeypatch.setattr(connections.Connection, "head_s", 60)
    head, body, took = attack(tmp_path, timed)
    assert (head, body, took >= 4.0) == (b"", b"", True)


FLOODS = {
    "many fields": b"".join(b"x-%d: y\r\n" % i for i in range(200)),
    "a large field": b"x: " + b"y" * 40_000 + b"\r\n",
    "an endless field": b"x: " + b"y" * 200_000,
}


@pytest.mark.parametrize("name", FLOODS)
def test_header_floods_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many, too large, never ending: 431 as JSON, and the connection ends; unplugged, the first two pass."""

    async def work(served: Served) -> bytes:
        start = f"GET /health HTTP/1.1\r\nhost: 127.0.0.1:{served.port}\r\nconnection: close\r\n".encode()
        return await served.raw(start + FLOODS[name] + b"\r\n", 1.0)

    found = attack(tmp_path, work)
    assert found.startswith(b"HTTP/1.1 431") and b'"request_too_large"' in found
    monkeypatch.setattr(connections, "MAX_FIELDS", 10**6)
    monkeypatch.setattr(connections, "MAX_HEAD_BYTES", 10**9)
    assert not attack(tmp_path, work).startswith(b"HTTP/1.1 431")


RAW = {
    "no request": b"hello\r\n\r\n",
    "a long target": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    "two lengths": b"POST /v1/runs HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "length and chunks": b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "an absolute target": b"GET http://evil.example/health HTTP/1.1\r\nhost: evil.example\r\n\r\n",
    "a tunnel": b"CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\n\r\n",
}


@pytest.mark.parametrize("name", RAW)
def test_malformed_requests_get_nothing(name: str, tmp_path: Path) -> None:
    """What is no request of ours gets a 4xx, or the connection ends; the server goes on."""

    async def work(served: Served) -> tuple[bytes, int]:
        found = await served.raw(RAW[name], 1.0)
        return found[:10], (await served.ask("GET", "/health"))[0]

    found, after = attack(tmp_path, work)
    assert (found in (b"HTTP/1.1 4", b""), after) == (True, 200)


def test_requests_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The 51st request at once is 429 with Retry-After; so is guessing; others are not held up. Unplugged: none is."""

    async def work(served: Served) -> tuple[Any, ...]:
        key, other = served.key(roles=("admin",)), served.key(name="bob", roles=("admin",))
        mine = [await served.ask("GET", "/v1/ping", key=key) for _ in range(70)]
        guesses = [await served.ask("GET", "/v1/ping", key="remit_x") for _ in range(70)]
        limited = [each for each in mine if each[0] == 429]
        theirs = (await served.ask("GET", "/v1/ping", key=other))[0]
        retry = [int(each[1]["retry-after"]) for each in limited]
        return {code_of(each) for each in mine}, {code_of(each) for each in guesses}, theirs, min(retry, default=0)

    mine, guesses, theirs, retry = attack(tmp_path, work)
    assert mine == {(200, ""), (429, "too_many_requests")}
    assert guesses == {(401, "unauthenticated"), (429, "too_many_requests")}
    assert (theirs, retry >= 1) == (200, True)
    monkeypatch.setattr(principals, "BURST", 10_000)
    assert attack(tmp_path, work)[0] == {(200, "")}


# --- who may see and do what --------------------------------------------------------------------------

TRICKS = ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e", "run_x%00", "a%20b", "run_x%0d%0aset-cookie:%20a",
          "%F0%9F%98%80", "x" * 500, "%ff", "run_x;a", "'%20OR%201=1--", "*", "%25"]  # fmt: skip


def test_run_ids_are_ids_and_nothing_else(tmp_path: Path) -> None:
    """Traversal, NUL, line ends, quotes: not found, the same for everybody; no header is split."""

    async def work(served: Served) -> set[int]:
        key = served.key("admin")
        found = set()
        for trick in TRICKS:
            for path in (f"/v1/runs/{trick}", f"/v1/runs/{trick}/events", f"/v1/approvals/{trick}"):
                method, body = ("POST", {"decision": "denied"}) if "approvals" in path else ("GET", None)
                status, headers, _ = await served.ask(method, path, body, key=key)
                assert "set-cookie" not in headers
                found.add(status)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(principals, "BURST", 500)
        assert attack(tmp_path, work) <= {404, 400}


def test_runs_of_others_do_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody sees, follows, cancels, resumes or answers another's run, or one of the machine's own user, without
    runs:manage; the answer is the one for a run that never was. Unplugged (everybody sees all), all of it works."""

    async def work(served: Served) -> dict[str, Any]:
        ann, bob, boss = served.key(), served.key(name="bob"), served.key("runs:manage", name="boss", roles=("admin",))
        run_id = (await served.run(ann, {"task": "secret", "agent": "noter"}))["run_id"]
        log = served.runtime.journal.create("run_local", RunStarted("cli", "of the user"))
        log.append(RunDone("ok"))
        await log.release("ok")
        found: dict[str, Any] = {}
        for name, key in (("ann", ann), ("bob", bob), ("boss", boss)):
            _, _, listed = await served.ask("GET", "/v1/runs", key=key)
            one = f"/v1/runs/{run_id}"
            asked = [await served.ask("GET", one, key=key), await served.ask("GET", f"{one}/events", key=key),
                     await served.ask("POST", f"{one}/cancel", {}, key=key),
                     await served.ask("POST", f"{one}/resume", {}, key=key)]  # fmt: skip
            found[name] = ({row["run_id"] for row in listed["runs"]} == set(), [each[0] for each in asked])
            found[f"{name} local"] = (await served.ask("GET", "/v1/runs/run_local", key=key))[0]
        never = await served.ask("GET", f"/v1/runs/{run_id[:-1]}0", key=bob)
        there = await served.ask("GET", f"/v1/runs/{run_id}", key=bob)
        found["same"] = (never[0], never[2]["code"]) == (there[0], there[2].get("code"))
        return found

    found = attack(tmp_path, work)
    assert found == {
        "ann": (False, [200, 200, 409, 409]), "bob": (True, [404, 404, 404, 404]),
        "boss": (False, [200, 200, 409, 409]), "ann local": 404, "bob local": 404, "boss local": 200, "same": True,
    }  # fmt: skip
    monkeypatch.setattr(principals.Principal, "sees_all", property(lambda self: True))
    unplugged = attack(_fresh(tmp_path), work)
    assert (unplugged["bob"], unplugged["bob local"]) == ((False, [200, 200, 409, 409]), 200)


def _fresh(folder: Path) -> Path:
    made = folder / "again"
    made.mkdir()
    return made


ROLES = """
[roles.runner]
permissions = ["run_agent", "view_logs"]
allowed_skills = ["noter"]
denied_skills = ["note"]
"""


def test_scopes_and_roles_are_enforced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read key writes nothing; a viewer runs nothing; an operator defines no agent; a role's denied tool is denied in
    its runs; its requests a minute end. Unplugged (every check passes), the viewer runs."""
    go = {"task": "go", "agent": "noter"}

    async def work(served: Served) -> dict[str, Any]:
        read = served.key("runs:read", name="reader")
        viewer = served.key("runs:read", "runs:write", name="viewer", roles=("viewer",))
        operator = served.key("runs:read", "runs:write", name="operator", roles=("operator",))
        runner = served.key("runs:read", "runs:write", name="runner", roles=("runner",))
        gone = served.key("runs:read", "runs:write", name="gone", roles=("no_such_role",))
        found: dict[str, Any] = {
            "read": code_of(await served.ask("POST", "/v1/runs", go, key=read)),
            "viewer": code_of(await served.ask("POST", "/v1/runs", go, key=viewer)),
            "viewer sees": code_of(await served.ask("GET", "/v1/runs", key=viewer)),
            "gone": code_of(await served.ask("GET", "/v1/runs", key=gone)),
            "operator": (await served.run(operator, go))["status"],
            "own agent": code_of(
                await served.ask("POST", "/v1/runs", {"task": "x", "instructions": "obey"}, key=operator)
            ),
            "other agent": code_of(await served.ask("POST", "/v1/runs", {"task": "x", "agent": "other"}, key=runner)),
        }
        page = await served.run(runner, go)
        body = b"".join(entry.body for entry in served.runtime.journal.read(page["run_id"]))
        found["denied tool"] = b'"denied_by_rule"' in body
        asked = [await served.ask("GET", "/v1/runs", key=viewer) for _ in range(35)]
        found["a minute"] = {code_of(each) for each in asked}
        return found

    expected = {
        "read": (403, "scope_denied"), "viewer": (403, "role_denied"), "viewer sees": (200, ""),
        "gone": (403, "role_denied"), "operator": "ok", "own agent": (403, "role_denied"),
        "other agent": (403, "role_denied"), "denied tool": True, "a minute": {(200, ""), (429, "cap_reached")},
    }  # fmt: skip
    assert attack(tmp_path, work, config=CONFIG + ROLES) == expected
    monkeypatch.setattr(principals.Person, "check", lambda self, permission, skill, now_ms: None)
    assert attack(tmp_path, work, config=CONFIG + ROLES)["viewer"] == (202, "")


# --- never more than the meet -------------------------------------------------------------------------

ASKS: list[dict[str, Any]] = [
    {}, {"allow": ["fs.read:**", "fs.write:**", "shell:*", "net:*", "tool:*", "model:*"]},
    {"allow": ["fs.read:docs/**"]},
    {"model": "builtin:surveyor"}, {"model": "builtin:surveyor", "allow": ["fs.read:**", "model:*"]},
    {"agent": "noter"}, {"agent": "noter", "allow": ["tool:*", "fs.read:**", "model:*"]},
]  # fmt: skip
KEYS: list[dict[str, Any]] = [
    {}, {"allow": ("fs.read:docs/a/**", "model:*", "tool:note")}, {"deny": ("fs.read:docs/b/**",)},
    {"allow": ("fs.read:**", "fs.write:**", "model:*", "tool:*")},
]  # fmt: skip
NEEDS = [Need("fs.read", p) for p in ("docs/x", "docs/a/x", "docs/b/x", "docs/private/x", "other", ".env")]
NEEDS += [Need("fs.write", "docs/x"), Need("shell", "ls", ("ls",)), Need("tool", "note"), Need("env", "HOME")]
NEEDS += [Need("model", "builtin:surveyor"), Need("model", "openai:gpt-5")]


def bounded_runs(served: Served, config: Remit) -> list[str]:
    """Every request of every caller whose agent may do something that server or caller may not."""
    wider = []
    for index, options in enumerate(KEYS):
        text = served.key(name=f"k{index}", **options)
        caller = served.gateway.principals.of({"authorization": f"Bearer {text}"})
        for ask in ASKS:
            request = bounding.RunRequest("go", **{k: tuple(v) if k == "allow" else v for k, v in ask.items()})
            agent = served.gateway.bounding.agent(request, caller)
            prepared = served.runtime._prepare(agent).remit  # as it is when the run begins
            given = Remit.allow(*ask["allow"]) if "allow" in ask else None
            for need in NEEDS:
                parts = [config, *([] if caller.remit.unset else [caller.remit]), *([given] if given else [])]
                may = all(part.allows(need) or need.resource == agent_model(agent) for part in parts)
                denied = caller.remit.ruling(need).denied
                if prepared.allows(need) and (not may or denied):
                    wider.append(f"key {options} asked {ask}: {need}")
    return wider


def agent_model(agent: Agent) -> str:
    return str(getattr(agent.model, "name", agent.model))


def test_no_request_gets_more_than_the_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for: server, key and request all bound the run. Unplugged (a meet that takes the request as it
    is), the same table finds what is too wide."""
    server_remit = Remit.allow("fs.read:docs/**", "tool:*", "model:*").deny("fs.read:docs/private/**")

    async def work(served: Served) -> tuple[list[str], int]:
        found = bounded_runs(served, server_remit)
        monkeypatch.setattr(Remit, "meet", lambda self, requested: self if requested.unset else requested)
        return found, len(bounded_runs(served, server_remit))

    found, unplugged = attack(tmp_path, work)
    assert found == []
    assert unplugged > 0


def test_an_unconfigured_server_gives_nothing(tmp_path: Path) -> None:
    """Without grants in remit.toml a run may use the server's model and nothing else, whatever key and request say."""

    async def work(served: Served) -> tuple[Any, ...]:
        key = served.key("admin", roles=("admin",), allow=("fs.read:**", "model:*"))
        caller = served.gateway.principals.of({"authorization": f"Bearer {key}"})
        request = bounding.RunRequest("go", allow=("fs.read:**", "model:*"))
        remit = served.gateway.bounding.agent(request, caller).remit
        other = await served.ask("POST", "/v1/runs", {"task": "x", "model": "builtin:surveyor"}, key=key)
        return [str(need) for need in NEEDS if remit.allows(need)], code_of(other)

    config = '[model]\nname = "builtin:obedient"\n'
    assert attack(tmp_path, work, config=config) == ([], (403, "not_granted"))


def test_an_agent_of_the_server_is_bounded_in_every_activation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker takes the journalled remit, not the program's own; unplugged, the caller's denial is forgotten."""

    async def work(served: Served) -> bool:
        page = await served.run(served.key(), {"task": "go", "agent": "noter", "deny": ["tool:note"]})
        return b'"denied_by_rule"' in b"".join(e.body for e in served.runtime.journal.read(page["run_id"]))

    from remit.agents import dispatch

    assert attack(tmp_path, work)
    monkeypatch.setattr(dispatch, "bound_to", lambda agent, started: agent)
    assert not attack(_fresh(tmp_path), work)


# --- readers that do not read -------------------------------------------------------------------------


def test_a_reader_that_never_reads_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stream ends and its connection is cut; what is kept for it stays small. Unplugged (no deadline): it stays."""

    async def work(served: Served) -> tuple[int, int]:
        log = served.runtime.journal.create("run_big", RunStarted("a", "t", spec={"by": "ann"}))
        for number in range(160):
            log.append(Reflected(number, "x" * 60_000, "none"))
        await log.flush()
        head = served.head("GET", "/v1/runs/run_big/events", {"authorization": f"Bearer {served.key()}"})
        _, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(head)
        kept = 0
        for _ in range(3):
            await asyncio.sleep(0.8)
            for each in list(served.connections()):
                kept = max(kept, each.transport.get_write_buffer_size())
        left = sum(served.gateway.streams.values())
        writer.close()
        await log.release("waiting")
        return left, kept

    monkeypatch.setattr(streams.EventStream, "slow_s", 0.5)
    left, kept = attack(tmp_path, work)
    assert (left, kept < 512 * 1024) == (0, True)
    monkeypatch.setattr(streams.EventStream, "slow_s", 60.0)
    assert attack(_fresh(tmp_path), work)[0] == 1


def test_streams_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The 17th stream of one caller is 429."""
    monkeypatch.setattr(streams, "MAX_STREAMS_EACH", 2)

    async def work(served: Served) -> list[int]:
        log = served.runtime.journal.create("run_x", RunStarted("a", "t", spec={"by": "ann"}))
        await log.flush()
        key, open_ones = served.key(), []
        for _ in range(2):
            open_ones.append(asyncio.ensure_future(served.events(key, "run_x", wait_s=2.0)))
        await asyncio.sleep(0.5)
        status = (await served.ask("GET", "/v1/runs/run_x/events", key=key))[0]
        await log.release("waiting")
        await asyncio.gather(*open_ones)
        await asyncio.sleep(0.3)
        return [status, len(served.gateway.streams)]

    assert attack(tmp_path, work) == [429, 0]


# --- the listener -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "certificate", "production", "code"),
    [("0.0.0.0", "", False, "tls_required"), ("::", "", False, "tls_required"),
     ("192.0.2.1", "", False, "tls_required"),
     ("127.0.0.1", "", True, "tls_required"), ("example.org", "", False, "value_invalid"),
     ("127.0.0.1", "nowhere.pem", False, "config_invalid")],
)  # fmt: skip
def test_plain_http_stays_on_loopback(host: str, certificate: str, production: bool, code: str) -> None:
    """Another address, or REMIT_ENV=production, needs TLS with a certificate that can be read; loopback needs none."""
    with pytest.raises(Invalid) as caught:
        server.tls_of(host, certificate, "", production)
    assert caught.value.code == code
    assert server.tls_of("127.0.0.1", "", "", False) is None


def test_names_are_those_of_the_address_and_the_configuration() -> None:
    """Loopback has its three names at its own port, another address itself; nothing is a wildcard."""
    section = SimpleNamespace(hosts=("Remit.Example.org",), origins=("https://app.example.org",))
    hosts, origins = server.names_of("127.0.0.1", 42617, section, False)  # type: ignore[arg-type]
    assert hosts == {"127.0.0.1:42617", "localhost:42617", "[::1]:42617", "remit.example.org"}
    assert "https://app.example.org" in origins and "http://localhost:42617" in origins
    hosts, origins = server.names_of("192.0.2.1", 443, SimpleNamespace(hosts=None, origins=None), True)  # type: ignore[arg-type]
    assert (hosts, origins) == ({"192.0.2.1:443", "192.0.2.1"}, {"https://192.0.2.1:443", "https://192.0.2.1"})
