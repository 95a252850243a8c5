"""Snapshots of an agent's loop: a resumed run is the same with them, without, and whatever somebody made of them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

import remit.agents.reopened as reopened_module
import remit.agents.snapshots as snapshots_module
import remit.journal.takeover as takeover_module
from remit import Agent, Budget, Remit, Runtime, tool
from remit.agents.snapshots import Part, Start, find
from remit.core.labels import Label
from remit.core.messages import Image, Message, Text, Thinking, ToolCall, ToolResult
from remit.core.model import Reply
from remit.core.usage import Usage
from remit.errors import ModelError, RemitError
from remit.gate.budget import DEFAULT_MAX_OUTPUT
from remit.journal.fork import fork
from remit.journal.signing_key import SigningKey
from remit.journal.snapshots import SUFFIX, Place, Snapshots
from remit.journal.sqlite import SqliteJournal
from remit.testing import FakeClock, FunctionModel
from remit.testing.crashes import Crash, CrashingJournal

TURNS = 40
RUN = "run_00000000000000000000000001"
DONE: list[str] = []
ASKED: list[Any] = []
STARTS: list[Start | None] = []


@tool(effect="unsafe")
async def act(what: str) -> str:
    """Something that must not happen twice."""
    DONE.append(what)
    await asyncio.sleep(0)
    return f"acted: {what}"


@tool(effect="read", returns="tool")
async def look(what: str) -> str:
    """Something from outside."""
    return f"seen {what} " * 20


@tool(effect="read")
async def broken(what: str) -> str:
    """A tool that fails."""
    raise ValueError(what)


def answer(request: Any) -> Reply:
    """What a model says of `n` turns so far: every kind of call, several at once, calls that fail or are refused."""
    ASKED.append(request.messages)
    n = sum(message.role == "assistant" for message in request.messages)
    usage = Usage(10 + n, 3)
    if n >= TURNS:
        return Reply((Text(f"done after {n}"),), "end", usage)
    calls: list[Any] = [ToolCall(f"a{n}", "act", {"what": f"thing {n}"})]
    if n % 3 == 0:
        calls.append(ToolCall(f"l{n}", "look", {"what": f"thing {n}"}))
    if n % 5 == 1:
        calls = [ToolCall(f"b{n}", "broken", {"what": "x"}), ToolCall(f"u{n}", "unheard_of", {"y": n})]
    return Reply((Thinking("hm", "sig"), Text(f"turn {n}"), *calls), "tool_use", usage)


def agent(**changed: Any) -> Agent:
    """The definition."""
    given: dict[str, Any] = {"model": FunctionModel(answer, name="test:model"), "instructions": "Do it."}
    given |= {"tools": [act, look, broken], "max_turns": 100, "max_parallel": 1}
    return Agent("long", **{**given, **changed})


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot every ten events, and each look for one noted."""
    monkeypatch.setattr(snapshots_module, "EVERY", 10)
    monkeypatch.setattr(takeover_module, "FEWEST", 2)

    def noted(*given: Any) -> Start | None:
        STARTS.append(find(*given))
        return STARTS[-1]

    monkeypatch.setattr(reopened_module, "find", noted)
    for each in (DONE, ASKED, STARTS):
        each.clear()


def begin(folder: Path, at: int, definition: Agent | None = None, **journal: Any) -> int:
    """Run until the process dies at append `at` (0 = to the end); returns how many appends there were."""

    async def main() -> int:
        clock = FakeClock()
        stored = SqliteJournal(folder / "j.db", clock, **journal)
        crashing = CrashingJournal(stored, at)
        try:
            await Runtime(crashing, clock=clock, tune_gc=False).run(definition or agent(), "Go.", run_id=RUN)  # type: ignore[arg-type]  # it has the port's methods
        except (Crash, BaseExceptionGroup):
            assert at
        await stored.aclose()
        return crashing.appends

    return asyncio.run(main())


def go_on(folder: Path, definition: Agent | None = None, **journal: Any) -> dict[str, Any]:
    """Resume the run, and everything that anybody could see of it afterwards."""
    for each in (DONE, ASKED, STARTS):
        each.clear()

    async def main() -> dict[str, Any]:
        clock = FakeClock(1_800_000_000_000, seed=7)
        stored = SqliteJournal(folder / "j.db", clock, **journal)
        runtime = Runtime(stored, clock=clock, tune_gc=False)
        try:
            run = await runtime.resume(RUN, definition or agent())
            error: Any = run.error.for_user() if run.error is not None else None
        except RemitError as e:
            return {"raised": e.for_user(), "events": run_events(stored)}
        finally:
            await stored.aclose()
        names = ("status", "output", "messages", "usage", "cost_nano", "tool_calls", "denied", "waiting_for")
        return {name: getattr(run, name) for name in names} | {"error": error, "done": list(DONE), "asked": list(ASKED)}

    found = asyncio.run(main())
    journal_after = SqliteJournal(folder / "j.db", FakeClock(), **journal)
    found["events"] = run_events(journal_after)
    assert journal_after.verify(RUN) == []
    asyncio.run(journal_after.aclose())
    return found


def run_events(journal: SqliteJournal) -> list[bytes]:
    """Everything that the journal holds of the run."""
    return [entry.body for entry in journal.read(RUN)]


def _without(file: Path) -> None:
    for end in ("", "-wal", "-shm"):
        file.with_name(file.name + end).unlink(missing_ok=True)


def _changed(statement: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        connection = apsw.Connection(str(file))
        connection.execute(statement)
        connection.close()

    return change


def _garbage(file: Path) -> None:
    _without(file)
    file.write_bytes(b"\0garbage" * 4096)


def _forged(file: Path) -> None:
    """A part that says that all is done, signed with somebody's own key."""
    connection = apsw.Connection(str(file))
    rows: list[Any] = connection.execute("SELECT seq, hash, code, body FROM snapshots ORDER BY seq").fetchall()
    connection.close()
    if not rows:
        return
    seq, digest, code, body = rows[-1]
    said = msgspec.json.decode(body)
    said |= {"turn": said["turn"] + 3, "before": 0, "messages": [{"role": "user", "parts": [], "label": None}]}
    _without(file)
    forged = Snapshots(str(file).removesuffix(SUFFIX), None, SigningKey(str(file.parent / "theirs")).sign, None)
    assert forged.add(Place(RUN, seq, digest, code), msgspec.json.encode(said), "", b"")
    forged.close()


VARIANTS: dict[str, Callable[[Path], None]] = {
    "without": _without,
    "corrupt": _changed("UPDATE snapshots SET body = CAST(replace(CAST(body AS TEXT), 'turn', 'burn') AS BLOB)"),
    "forged": _forged,
    "ahead": _changed("UPDATE snapshots SET seq = seq + 1000"),
    "garbage": _garbage,
}


def test_a_resumed_run_is_the_same_whatever_became_of_its_snapshots(tmp_path: Path) -> None:
    """Crashed at each 31st append: status, answer, messages, money, effects, requests and events are the same."""
    (tmp_path / "whole").mkdir()
    whole = begin(tmp_path / "whole", 0)
    assert whole > 150
    used = 0
    for at in range(17, whole + 1, 31):
        crashed = tmp_path / f"crash-{at}"
        crashed.mkdir()
        DONE.clear()
        begin(crashed, at)
        before = list(DONE)
        copies = {name: Path(shutil.copytree(crashed, tmp_path / f"{at}-{name}")) for name in VARIANTS}
        found = go_on(crashed)
        used += STARTS[0] is not None
        for name, change in VARIANTS.items():
            change(copies[name] / f"j.db{SUFFIX}")
            other = go_on(copies[name])
            assert STARTS == [None], name
            assert other == found, f"{name} at {at}"
            shutil.rmtree(copies[name])
        assert len(before + found["done"]) == len({*before, *found["done"]})  # nothing twice
        shutil.rmtree(crashed)
    assert used > 3


def test_effects_before_the_snapshot_are_neither_done_again_nor_left_out(tmp_path: Path) -> None:
    """All crashes of one run together: each thing is done once, or is shown as in doubt and was done at most once."""
    (tmp_path / "a").mkdir()
    begin(tmp_path / "a", 0)
    everything = list(DONE)
    for number, at in enumerate((60, 61, 62, 63)):
        folder = tmp_path / f"b{number}"
        folder.mkdir()
        DONE.clear()
        begin(folder, at)
        before = list(DONE)
        found = go_on(folder)
        assert STARTS[0] is not None
        if found["status"] == "waiting":
            assert before + found["done"] == everything[: len(before)]
        else:
            assert before + found["done"] == everything


CHANGED: dict[str, dict[str, Any]] = {
    "instructions": {"instructions": "Do something else."},
    "tools": {"tools": [act, look]},
    "turns": {"max_turns": 99},
}


@pytest.mark.parametrize("change", CHANGED)
def test_other_code_is_replayed_and_says_what_differs(tmp_path: Path, change: str) -> None:
    """A definition that was changed meanwhile: what replaying says of it is said, too, where there is a snapshot."""
    definition = agent(**CHANGED[change])
    begin(tmp_path, 120)
    copy = Path(shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name}-copy")))
    found = go_on(tmp_path, definition)
    assert STARTS == [None]
    _without(copy / f"j.db{SUFFIX}")
    assert go_on(copy, definition) == found
    if change != "turns":
        assert found["raised"]["code"] == "nondeterminism" if "raised" in found else found["error"]


def test_an_altered_past_is_found_as_without(tmp_path: Path) -> None:
    """An event before the snapshot is changed in the file: the run is not continued."""
    begin(tmp_path, 120)
    connection = apsw.Connection(str(tmp_path / "j.db"))
    connection.execute("UPDATE events SET body = CAST(replace(CAST(body AS TEXT), '{', '{ ') AS BLOB) WHERE seq = 9")
    connection.close()

    async def main() -> str:
        journal = SqliteJournal(tmp_path / "j.db", FakeClock())
        try:
            await Runtime(journal, clock=FakeClock(), tune_gc=False).resume(RUN, agent())
        except RemitError as e:
            return e.code
        finally:
            await journal.aclose()
        return ""

    assert asyncio.run(main()) == "chain_broken"


def test_a_snapshot_of_events_that_were_lost_is_none(tmp_path: Path) -> None:
    """The machine lost power: the cache was written, the events behind it were not. And another event stands there."""
    begin(tmp_path, 120)
    copy = Path(shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name}-copy")))
    made = Snapshots(str(tmp_path / "j.db"), None, SigningKey(_audit_folder()).sign, None)
    found = made.read(RUN)
    assert found is not None
    for place in (Place(RUN, 5000, b"x" * 32, found.place.code), Place(RUN, 110, b"x" * 32, found.place.code)):
        assert made.add(place, found.bodies[-1], "", b"")
        with_it = go_on(Path(shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name}-{place.seq}"))))
        assert STARTS == [None]
        without = Path(shutil.copytree(copy, tmp_path.with_name(f"{tmp_path.name}-{place.seq}-without")))
        _without(without / f"j.db{SUFFIX}")
        assert go_on(without) == with_it
    made.close()


def _audit_folder() -> str:
    from remit.journal.signing_key import default_place

    return default_place().folder


def test_a_run_that_ends_leaves_no_snapshot(tmp_path: Path) -> None:
    """Whether it was resumed or not; one that waits keeps what it has."""
    begin(tmp_path, 0)
    assert _count(tmp_path) == 0
    (tmp_path / "b").mkdir()
    begin(tmp_path / "b", 121)
    assert _count(tmp_path / "b") > 3
    assert go_on(tmp_path / "b")["status"] in ("ok", "waiting")


def _count(folder: Path) -> int:
    connection = apsw.Connection(str(folder / f"j.db{SUFFIX}"))
    (count,) = connection.execute("SELECT count(*) FROM snapshots").fetchone() or (0,)
    connection.close()
    return int(count)


@pytest.mark.parametrize("at", [1, 40])
def test_a_fork_is_replayed(tmp_path: Path, at: int) -> None:
    """A fork, also one of the very first moment, asks before what is unsafe, whatever snapshots its origin has."""
    begin(tmp_path, 121)

    async def main() -> tuple[str, list[str]]:
        clock = FakeClock(1_800_000_000_000)
        journal = SqliteJournal(tmp_path / "j.db", clock)
        forked = await fork(journal, clock, RUN, at, {})
        DONE.clear()
        run = await Runtime(journal, clock=clock, tune_gc=False).resume(forked, agent())
        await journal.aclose()
        return run.status, list(DONE)

    assert asyncio.run(main()) == ("waiting", [])
    assert STARTS == []


def test_counted_grants_keep_no_snapshot(tmp_path: Path) -> None:
    """What a replay counts beside the messages is counted: no snapshot is taken where a grant has a counter."""
    counted = agent(remit=Remit.allow("tool:act", "tool:broken", "tool:look where uses=1000"))
    begin(tmp_path, 121, counted)
    assert not (tmp_path / f"j.db{SUFFIX}").exists()


def test_parts_grow_with_the_run_and_not_with_its_square(tmp_path: Path) -> None:
    """Each message stands in one part only."""
    begin(tmp_path, 190)
    connection = apsw.Connection(str(tmp_path / f"j.db{SUFFIX}"))
    rows: list[Any] = connection.execute("SELECT body FROM snapshots ORDER BY seq").fetchall()
    connection.close()
    parts = [msgspec.json.decode(body, type=Part) for (body,) in rows]
    assert len(parts) > 8
    assert [part.before for part in parts] == [sum(len(p.messages) for p in parts[:n]) for n in range(len(parts))]
    assert max(len(part.messages) for part in parts[1:]) < 12


def test_every_kind_of_message_comes_back() -> None:
    """A part holds what messages can hold, labels and a provider's own items included."""
    messages = (
        Message("user", (Text("hi"), Image(b"\0\xff", "image/png")), Label("tool", ("ann",), ("tool:x",))),
        Message("assistant", (Thinking("t", "s"), ToolCall("1", "x", {"a": [1, 2.5, None, "\u2028"]}, echo=None))),
        Message("tool", (ToolResult("1", "x", "y", True, label=Label("untrusted")),)),
    )
    part = Part(0, messages, 3, 2, (("x", b'{"a":1}', "y"),), "said", Label("untrusted"), 4, 1)
    assert msgspec.json.decode(msgspec.json.encode(part), type=Part) == part


def test_sealed_runs_have_sealed_snapshots(tmp_path: Path) -> None:
    """With contents sealed by subject the file shows nothing of them, and a resumed run uses it."""
    from remit.guard.keys import KeyRing
    from remit.guard.keys_sources import LocalKey
    from remit.guard.subjects import Subjects
    from remit.journal.encrypted import AtRest

    def at_rest() -> AtRest:
        ring = KeyRing(str(tmp_path / "state"), str(tmp_path / "anchor"), lambda _: LocalKey(b"s" * 32))
        return AtRest((), Subjects(ring, str(tmp_path / "state"), sealing=True))

    begin(tmp_path, 121, at_rest=at_rest())
    for end in ("", "-wal"):
        file = tmp_path / f"j.db{SUFFIX}{end}"
        assert not file.exists() or b"thing" not in file.read_bytes()
    assert _count(tmp_path) > 3
    found = go_on(tmp_path, at_rest=at_rest())
    assert STARTS[0] is not None
    assert found["status"] in ("ok", "waiting")


def test_a_budget_goes_on_where_it_was(tmp_path: Path) -> None:
    """Tokens used before the snapshot count: the run ends where it would have ended."""
    limited = agent(budget=Budget(tokens=DEFAULT_MAX_OUTPUT + 5000))
    (tmp_path / "a").mkdir()
    ended = begin(tmp_path / "a", 0, limited)
    assert ended < 150  # in the middle
    begin(tmp_path, ended - 12, limited)
    copy = Path(shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name}-copy")))
    found = go_on(tmp_path, limited)
    assert STARTS[0] is not None
    _without(copy / f"j.db{SUFFIX}")
    assert go_on(copy, limited) == found
    assert found["status"] == "exhausted"


def test_a_slow_model_is_streamed_as_after_a_replay(tmp_path: Path) -> None:
    """Retried calls before the snapshot: what a replay learns of them is known with it, too."""
    seen = [0]

    def flaky(request: Any) -> Reply:
        seen[0] += 1
        if seen[0] == 4:
            raise ModelError("model_timeout", "slow", retryable=True)
        return answer(request)

    definition = agent(model=FunctionModel(flaky, name="test:model"))
    begin(tmp_path, 121, definition)
    copy = Path(shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name}-copy")))
    seen[0] = 100
    found = go_on(tmp_path, definition)
    assert STARTS[0] is not None
    _without(copy / f"j.db{SUFFIX}")
    assert go_on(copy, definition) == found
