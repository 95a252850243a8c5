"""code_interpreter: code in its tier, through the gate, with the files of the call and nothing else."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from remit import Agent, Remit, Runtime, ToolCall
from remit.adapters.sandboxes import wasm
from remit.adapters.sandboxes.monty import Monty
from remit.adapters.sandboxes.wasm import Wasm
from remit.adapters.tools.code_interpreter import code_interpreter, shown
from remit.core.events import EffectDenied, EffectDone, EffectFailed
from remit.ports.code_sandbox import CodeResult
from remit.testing import ScriptedModel
from wasm_interpreter import interpreter_folder

ALLOWED = ("tool:code_interpreter", "fs.read:data/**")


def run(tmp_path: Path, *calls: dict[str, Any], allow: tuple[str, ...] = ALLOWED, folder: str = "") -> list[Any]:
    """The outcomes of one agent's calls: a text, or (code, message) of a refusal or failure."""
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "n.csv").write_text("a,b\n1,2\n")
    (tmp_path / "other.txt").write_text("secret")
    script = [*(ToolCall(f"c{i}", "code_interpreter", arguments) for i, arguments in enumerate(calls)), "done"]

    async def main() -> list[Any]:
        async with Runtime(workspace=str(tmp_path)) as runtime:
            if folder:
                runtime.outside._code_sandboxes["T2"] = Wasm(folder)
            agent = Agent("a", ScriptedModel(script), tools=["code_interpreter"], remit=Remit.allow(*allow))
            found: list[Any] = []
            for event in (await agent.run("compute")).events:
                if isinstance(event, EffectDone) and "/call/" in event.key:
                    import msgspec

                    found.append(msgspec.json.decode(bytes(event.result)))
                    assert event.label.integrity == "untrusted"
                elif isinstance(event, EffectDenied):
                    found.append((event.code, event.why))
                elif isinstance(event, EffectFailed):
                    found.append((event.code, event.message))
            return found

    return asyncio.run(main())


def test_t1_computes(tmp_path: Path) -> None:
    """Output, value and error come back as one text."""
    assert run(tmp_path, {"code": "print('a')\n2 ** 10", "tier": "T1"}, {"code": "1 / 0", "tier": "T1"}) == [
        "output:\na\nvalue:\n1024",
        run(tmp_path, {"code": "1 / 0", "tier": "T1"})[0],
    ]
    assert "ZeroDivisionError" in run(tmp_path, {"code": "1 / 0", "tier": "T1"})[0]


@pytest.mark.parametrize("tier", ["T1", "T2"])
def test_only_the_named_files_can_be_read(tier: str, tmp_path: Path) -> None:
    """`files` needs the grants of its paths; the code reads those and no other, links and climbing included."""
    folder = interpreter_folder() if tier == "T2" else ""
    code = "for p in ('data/n.csv', './data//n.csv', 'other.txt', '../other.txt', '/etc/passwd'):\n"
    code += "    try: print(repr(read_file(p)))\n    except RuntimeError as e: print('refused')"
    (text,) = run(tmp_path, {"code": code, "files": ["data/n.csv"], "tier": tier}, folder=folder)
    assert text == "output:\n'a,b\\n1,2\\n'\n'a,b\\n1,2\\n'\nrefused\nrefused\nrefused"
    (refused,) = run(tmp_path, {"code": code, "files": ["other.txt"], "tier": tier}, folder=folder)
    assert refused[0] == "not_granted"
    (text,) = run(tmp_path, {"code": "read_file('data/n.csv')", "tier": tier}, folder=folder)
    assert "NameError" in text


def test_it_needs_its_own_grant(tmp_path: Path) -> None:
    """Without tool:code_interpreter nothing runs."""
    assert run(tmp_path, {"code": "1", "tier": "T1"}, allow=("fs.read:**",))[0][0] == "not_granted"


def test_a_missing_tier_is_refused_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T2 without its interpreter: sandbox_missing, and T1, which is there, is never asked."""
    asked: list[Any] = []
    monkeypatch.setattr(Monty, "run", lambda *_: asked.append(1))
    (refused,) = run(tmp_path, {"code": "open('/etc/passwd').read()"})
    assert (refused[0], asked) == ("sandbox_missing", [])
    monkeypatch.setattr(wasm, "search_paths", lambda _: asked.append(2))
    assert (run(tmp_path, {"code": "1"})[0][0], asked) == ("sandbox_missing", [])


@pytest.mark.parametrize(
    "arguments",
    [{"code": "1", "tier": "T0"}, {"code": "1", "tier": "T3"}, {"code": "", "tier": "T1"},
     {"code": "1", "timeout_s": 0},
     {"code": "1", "timeout_s": 1e9}, {"code": "1", "files": ["x"] * 21}, {"code": 1}, {"code": "1", "calls": ["x"]}],
)  # fmt: skip
def test_bad_arguments_never_reach_a_sandbox(arguments: dict[str, Any], tmp_path: Path) -> None:
    """Unknown tiers, empty code, absurd deadlines and too many files are refused."""
    ((code, _),) = run(tmp_path, arguments, allow=("tool:*", "fs.read:**"))
    assert code in ("arguments_invalid", "value_invalid")


def test_the_result_says_what_was_cut_and_killed() -> None:
    """Bounds and limits are part of the text, in a fixed order."""
    assert shown(CodeResult(killed="timeout", error="the deadline is over", output="x\n", cut_bytes=7)) == (
        "output:\nx\nkilled: timeout (the deadline is over)\n[cut: 7 bytes of output were dropped]"
    )
    assert shown(CodeResult()) == "[no output, no value]"
    assert shown(CodeResult(value={"a": [1]})) == 'value:\n{"a":[1]}'
    assert "cut" in shown(CodeResult(value="x" * 100_000))
    assert code_interpreter.label.integrity == "untrusted"
    assert os.sep == "/"
