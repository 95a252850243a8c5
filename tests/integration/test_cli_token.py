"""`remit token` and `remit run --token`: a run stays within its token; what does not count is refused first of all."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import stat
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("biscuit_auth", reason="needs biscuit-python (extra policy)")

import remit.cli
from remit import Agent, Remit, Runtime, ToolCall, tool
from remit.config import config_folder, state_folder
from remit.core.events import EffectDenied, GrantRevoked
from remit.core.grants import parse_grant
from remit.guard.policy_meter import Revocations
from remit.guard.revoked import FILE_NAME, Revoked, add
from remit.journal.chain import decode_event
from remit.testing import ScriptedModel

NOTHING = ("run", "Look at docs/a.md and main.py", "--model", "builtin:obedient", "--json")
RUN = (*NOTHING, "--allow", "fs.read:**")
TOKEN_ID = "ab" * 64


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The NDJSON."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def result(self) -> dict[str, Any]:
        """The result line."""
        return self.lines[-1]

    @property
    def refused(self) -> set[str]:
        """What the gate said no to."""
        return {e["code"] for e in self.lines if e["type"] == "effect_denied"}


def command(*arguments: str, cwd: Path | None = None, stdin: str = "") -> Done:
    """Run a command in this process."""
    out, err, old, folder = io.StringIO(), io.StringIO(), sys.stdin, os.getcwd()
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode()))
    try:
        if cwd is not None:
            os.chdir(cwd)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = remit.cli.main(list(arguments))
    finally:
        sys.stdin = old
        os.chdir(folder)
    return Done(code, out.getvalue(), err.getvalue())


class Desk:
    """An issuer, a holder and their files; the issuer is trusted in the user's remit.toml."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        (self.work / "docs").mkdir(parents=True)
        (self.work / "docs/a.md").write_text("hello", encoding="utf-8")
        (self.work / "main.py").write_text("x = 1\n", encoding="utf-8")
        self.issuer, self.holder = self.key("issuer"), self.key("holder")
        self.trust(self.issuer)

    def key(self, name: str) -> str:
        """Make a key file; returns the public half."""
        done = command("token", "new-key", "--out", str(self.folder / f"{name}.key"), "--json")
        return str(done.result["public"])

    def trust(self, issuer: str) -> None:
        config_folder().mkdir(parents=True, exist_ok=True)
        (config_folder() / "remit.toml").write_text(f'[policy]\ntoken_issuer = "{issuer}"\n', encoding="utf-8")

    def mint(self, *flags: str, key: str = "issuer", holder: str = "") -> Path:
        """A token file: docs may be read, unless the flags say otherwise."""
        path = self.folder / "token"
        given = flags or ("--allow", "fs.read:docs/**", "--allow", "model:builtin:*")
        keys = ("--key", str(self.folder / f"{key}.key"), "--holder", holder or self.holder)
        done = command("token", "mint", *keys, *given, "--out", str(path))
        assert done.returncode == 0, done.stderr
        return path

    def run(self, token: Path, *flags: str, key: str = "holder") -> Done:
        """A run under the token; the caller may read everything."""
        given = ("--token", str(token), "--token-key", str(self.folder / f"{key}.key"))
        return command(*RUN, *given, *flags, cwd=self.work)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_run_has_what_both_the_caller_and_the_token_grant(desk: Desk) -> None:
    """Without the token everything is read; under it only docs; the journal says on which token it stands."""
    free = command(*RUN, cwd=desk.work)
    bound = desk.run(desk.mint())
    assert (free.result["status"], free.refused) == ("ok", set())
    assert (bound.result["status"], bound.refused, bound.result["denied"]) == ("ok", {"not_granted"}, 1)
    started = bound.lines[0]
    assert (started["type"], len(started["spec"]["tokens"])) == ("run_started", 1)
    assert started["remit"]["expires_ms"] > 0


def test_a_token_never_gives_more_than_the_caller_has(desk: Desk) -> None:
    """A token that grants everything leaves a caller without grants where they were, and with their denials."""
    wide = desk.mint("--allow", "fs.read:**", "--allow", "model:*")
    keys = ("--token", str(wide), "--token-key", str(desk.folder / "holder.key"))
    assert command(*NOTHING, *keys, cwd=desk.work).result["tool_calls"] == 0  # no tool is even offered
    assert desk.run(wide).result["tool_calls"] == 2
    assert desk.run(wide, "--deny", "fs.read:main.py").refused == {"denied_by_rule"}
    assert desk.run(wide).refused == set()


def test_the_model_must_be_granted_by_the_token_too(desk: Desk) -> None:
    """Naming a model grants it to the caller's own part, never to the token's."""
    ended = desk.run(desk.mint("--allow", "fs.read:**")).result
    assert (ended["status"], ended["error"]["code"]) == ("denied", "not_granted")


def test_narrowing_and_handing_over(desk: Desk) -> None:
    """What a later block takes away is gone; after a hand-over only the next holder's key counts."""
    token = desk.mint("--allow", "fs.read:**", "--allow", "model:*")
    friend = desk.key("friend")
    narrow = desk.folder / "narrow"
    done = command("token", "narrow", str(token), "--allow", "fs.read:docs/**", "--allow", "model:*", "--minutes", "5",
                 "--out", str(narrow))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert desk.run(narrow).refused == {"not_granted"}
    theirs = desk.folder / "theirs"
    holder = str(desk.folder / "holder.key")
    done = command("token", "hand-over", str(narrow), "--key", holder, "--to", friend, "--out", str(theirs))
    assert done.returncode == 0, done.stderr
    assert desk.run(theirs, key="friend").result["status"] == "ok"
    assert desk.run(theirs).result["error"]["code"] == "token_unproven"
    shown = command("token", "show", str(theirs), "--json").result
    assert (shown["holder"], len(shown["revocation_ids"])) == (friend, 3)


def _forged(desk: Desk) -> Done:
    desk.key("mallory")
    return desk.run(desk.mint(key="mallory"))


def _damaged(desk: Desk) -> Done:
    token = desk.mint()
    text = token.read_text(encoding="ascii").strip()
    token.write_text(text[:-20] + ("A" if text[-20] != "A" else "B") + text[-19:], encoding="ascii")
    return desk.run(token)


def _foreign(desk: Desk) -> Done:
    desk.key("thief")
    return desk.run(desk.mint(), key="thief")


def _revoked(desk: Desk) -> Done:
    token = desk.mint()
    assert command("token", "revoke", str(token), "--reason", "lost", cwd=desk.work).returncode == 0
    return desk.run(token)


def _revoked_above(desk: Desk) -> Done:
    token, narrow = desk.mint(), desk.folder / "narrow"
    command("token", "narrow", str(token), "--deny", "fs.read:docs/b*", "--out", str(narrow))
    assert command("token", "revoke", str(narrow), "--root", cwd=desk.work).returncode == 0
    return desk.run(token)


def _unreadable_list(desk: Desk) -> Done:
    state_folder().mkdir(parents=True, exist_ok=True)
    (state_folder() / FILE_NAME).write_bytes(b"[{")
    return desk.run(desk.mint())


def _untrusted(desk: Desk) -> Done:
    (config_folder() / "remit.toml").unlink()
    return desk.run(desk.mint())


def _open_key(desk: Desk) -> Done:
    (desk.folder / "holder.key").chmod(0o644)
    return desk.run(desk.mint())


def _no_key(desk: Desk) -> Done:
    return command(*RUN, "--token", str(desk.mint()), cwd=desk.work)


CASES = [(_forged, "token_invalid"), (_damaged, "token_invalid"), (_foreign, "token_unproven"),
         (_revoked, "token_revoked"), (_revoked_above, "token_revoked"), (_unreadable_list, "record_altered"),
         (_untrusted, "config_invalid"), (_open_key, "key_invalid"), (_no_key, "usage_invalid")]  # fmt: skip


@pytest.mark.parametrize(("case", "code"), CASES, ids=lambda each: getattr(each, "__name__", each))
def test_what_does_not_count_is_refused_before_anything_is_written(case: Any, code: str, desk: Desk) -> None:
    """Each with its code and a hint; no run stands in the journal."""
    refused = case(desk).result
    assert (refused["status"], refused["error"]["code"], bool(refused["error"]["hint"])) == ("failed", code, True)
    if (state_folder() / "journal.db").exists():  # `token revoke` journals itself
        assert [row for row in command("runs", "--json").lines[:-1] if row["agent"] == "cli"] == []


def test_an_expired_token_is_refused(desk: Desk) -> None:
    """One second is the shortest life; after it the code is token_expired, in `show` and in `run`."""
    token = desk.mint("--allow", "model:*", "--minutes", "0.001")
    time.sleep(1.1)
    assert command("token", "show", str(token), "--json").result["error"]["code"] == "token_expired"
    assert desk.run(token).result["error"]["code"] == "token_expired"


def test_the_variables_name_files(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """REMIT_TOKEN and REMIT_TOKEN_KEY bind a run as the flags do."""
    monkeypatch.setenv("REMIT_TOKEN", str(desk.mint()))
    monkeypatch.setenv("REMIT_TOKEN_KEY", str(desk.folder / "holder.key"))
    assert command(*RUN, cwd=desk.work).refused == {"not_granted"}


def test_keys_are_private_and_never_shown(desk: Desk) -> None:
    """A key file has mode 0600 and is not overwritten; a pipe works; no command prints a private half."""
    path = desk.folder / "holder.key"
    secret = path.read_text(encoding="ascii").strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = command("token", "new-key", "--out", str(path))
    token = desk.mint()
    shown = command("token", "show", str(token))
    piped = command(*RUN, "--token", str(token), "--token-key", "-", cwd=desk.work, stdin=secret)
    wrong = command(*RUN, "--token", str(token), "--token-key", "-", cwd=desk.work, stdin="f" * 63)
    assert (again.returncode, piped.returncode, wrong.returncode) == (2, 0, 2)
    outputs = "".join(d.stdout + d.stderr for d in (again, shown, piped, wrong))
    assert secret not in outputs and "f" * 63 not in outputs


def test_an_untrusted_project_names_no_issuer(desk: Desk) -> None:
    """A cloned project's remit.toml cannot make its own issuer trusted; the setting shows where it comes from."""
    shown = command("config", "show", "--origin", cwd=desk.work).stdout
    assert "policy.token_issuer" in shown and "user " in shown
    (desk.work / "remit.toml").write_text(f'[policy]\ntoken_issuer = "{"00" * 32}"\n', encoding="utf-8")
    assert desk.run(desk.mint()).result["error"]["code"] == "config_untrusted"
    (config_folder() / "remit.toml").write_text('[policy]\ntoken_issuer = "short"\n', encoding="utf-8")
    (desk.work / "remit.toml").unlink()
    assert command(*RUN, cwd=desk.work).result["error"]["code"] == "config_invalid"


# --- runs under way ----------------------------------------------------------------------------------

DONE: list[str] = []


@tool(effect="write")
async def slow_note(text: str) -> str:
    """Note it; the first time the token is revoked meanwhile."""
    DONE.append(text)
    add(os.environ["REMIT_STATE_DIR"], Revoked(f"token:{TOKEN_ID}"))  # as `remit token revoke` of another process
    await asyncio.sleep(0.2)
    DONE.append(f"{text} ended")
    return text


def held(spec: str, hold: bool = True) -> Any:
    """What was refused in a run that stands on TOKEN_ID; DONE says what it did."""
    DONE.clear()
    calls = [ToolCall("c", "slow_note", {"text": text}) for text in ("one", "two")]
    agent = Agent("a", ScriptedModel([*calls, "end"]), tools=[slow_note], remit=Remit.allow("tool:slow_note"))
    agent.tokens = (TOKEN_ID,)

    async def main() -> Any:
        async with Runtime(spec, tune_gc=False) as runtime:
            if hold:
                runtime.revocations.hold([TOKEN_ID], agent.remit, 0)
            return {e.code for e in (await runtime.run(agent, "go")).events if isinstance(e, EffectDenied)}

    return asyncio.run(main())


def test_a_run_that_holds_a_revoked_token_is_stopped(tmp_path: Path) -> None:
    """The next effect is refused as one whose grant was revoked; unplugged (nobody holds it), both happen."""
    refused = held(f"sqlite:{tmp_path / 'a.db'}")
    assert ([t for t in DONE if not t.endswith("ended")], refused) == (["one"], {"not_granted"})
    held(f"sqlite:{tmp_path / 'b.db'}", hold=False)
    assert [t for t in DONE if not t.endswith("ended")] == ["one", "two"]


def test_a_call_in_flight_is_stopped() -> None:
    """Revoked from the same process, the call under way is cancelled."""
    DONE.clear()

    @tool(effect="write")
    async def waits() -> str:
        """Wait for ever."""
        DONE.append("began")
        await asyncio.sleep(30)
        DONE.append("ended")
        return ""

    async def main() -> Any:
        agent = Agent("a", ScriptedModel([ToolCall("c", "waits", {}), "end"]), tools=[waits],
                      remit=Remit.allow("tool:waits"))  # fmt: skip
        async with Runtime("memory:", tune_gc=False) as runtime, asyncio.TaskGroup() as group:
            runtime.revocations.hold([TOKEN_ID], agent.remit, 0)
            task = group.create_task(runtime.run(agent, "go"))
            while not DONE:
                await asyncio.sleep(0.01)
            assert await runtime.revoke_lastingly(f"token:{TOKEN_ID}", by="ann") == 1
            await task
            kept = [decode_event(e.body) for row in runtime.journal.runs() for e in runtime.journal.read(row.run_id)]
            return kept

    kept = asyncio.run(main())
    assert DONE == ["began"]
    assert [e.grant for e in kept if isinstance(e, GrantRevoked)] == [f"token:{TOKEN_ID}"]


def test_a_resumed_run_remembers_its_token(tmp_path: Path) -> None:
    """A run that waits and whose token was revoked meanwhile may do nothing when it is resumed without any flag."""
    spec = f"sqlite:{tmp_path / 'j.db'}"
    DONE.clear()

    @tool(effect="read", returns="untrusted")
    def look() -> str:
        """Look."""
        return "something"

    @tool(effect="write")
    def note(text: str) -> str:
        """Note."""
        DONE.append(text)
        return text

    def made() -> Agent:
        calls = [ToolCall("c", "look", {}), ToolCall("d", "note", {"text": "x"})]
        agent = Agent("a", ScriptedModel([*calls, "end"]), tools=[look, note],
                      remit=Remit.allow("tool:look", "tool:note"))  # fmt: skip
        agent.tokens = (TOKEN_ID,)
        return agent

    async def main(revoke: bool) -> tuple[str, set[str]]:
        async with Runtime(spec, tune_gc=False) as runtime:
            run = await runtime.run(made(), "go")
            item = runtime.journal.inbox()[0].id
            await runtime.answer(item)
        if revoke:
            add(str(state_folder()), Revoked(f"token:{TOKEN_ID}"))
        async with Runtime(spec, tune_gc=False) as runtime:
            resumed = await runtime.resume(run.id, made())
            return run.status, {e.code for e in resumed.events if isinstance(e, EffectDenied)}

    assert asyncio.run(main(revoke=False)) == ("waiting", set())
    assert DONE == ["x"]
    DONE.clear()
    assert asyncio.run(main(revoke=True))[1] == {"not_granted"}
    assert DONE == []


def test_holding_what_is_revoked_takes_everything_at_once() -> None:
    """The order does not matter: hold then revoke, or revoke then hold."""
    remit = Remit.allow("tool:a", "fs.read:**").meet(Remit.allow("tool:a"))
    late, early = Revocations(), Revocations()
    late.hold(["aa"], remit, 0, "run_1")
    late.revoke("token:aa", 0)
    early.revoke("token:aa", 0)
    early.hold(["aa"], remit, 0, "run_1")
    ids = {parse_grant(text).id for text in ("tool:a", "fs.read:**")}
    for each in (late, early):
        assert each.of(("run_1",)) >= ids
        assert not each.of(("run_2",)) & ids
