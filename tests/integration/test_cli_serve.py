"""`remit serve` in a process of its own: what its page shows works, and it ends well."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="needs uvicorn (extra server)")
pytest.importorskip("starlette", reason="needs starlette (extra server)")

from docs.pages import ROOT, command_lines
from integration.command import begin, environment, remit, result
from remit.config import config_folder

CONFIG = """
[model]
name = "builtin:obedient"
[remit]
allow = ["fs.read:docs/**"]
"""


def test_every_command_of_the_page_runs(tmp_path: Path) -> None:
    """docs/how-to/serve.md, line by line in one shell: keys, the server, requests, revocation, SIGTERM."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: apt-get install -y curl")
    config_folder().mkdir(parents=True)
    (config_folder() / "remit.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("hello", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/remit"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m remit "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    lines = command_lines(ROOT / "docs/how-to/serve.md")
    start = lines.index("remit serve --workspace .")
    wait = "for i in $(seq 200); do grep -q serving log && break; sleep 0.1; done"
    served = ["remit serve --workspace . --port 0 2>log & SERVER=$!", wait]
    bounded = [line.replace("$RUN/events", "$RUN/events --max-time 20") for line in lines[start + 1 :]]
    shown = [f'echo "== $({line})"' if line.startswith("curl") else line for line in bounded]
    script = "\n".join(["set -e", *lines[:start], *served, *shown, "kill $SERVER; wait $SERVER"])
    script = script.replace("URL=http://127.0.0.1:42617", "URL=$(sed 's/.*\\(http[^,]*\\),.*/\\1/' log)")
    script = script.replace("revoke ID", "revoke $(cut -d_ -f2 ann.key)")
    env = environment({"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "no_proxy": "127.0.0.1"})
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout + (tmp_path / "log").read_text(encoding="utf-8")
    answers = re.findall(r"^== (.*)", done.stdout, re.M)
    assert len(answers) == sum(line.startswith("curl") for line in lines)
    assert answers[0] == '{"status":"ok"}' and '"principal":"ann"' in answers[1] and '"run_id"' in answers[2]
    assert "event: end\ndata: run_done" in done.stdout and '"output"' in answers[5]
    assert '"approvals":[]' in answers[7] and '"openapi":"3.1.0"' in answers[8]
    assert "is revoked" in done.stdout


def test_signals_end_it_well(tmp_path: Path) -> None:
    """SIGTERM: exit code 0 and a result line."""
    process = begin("serve", "--port", "0", "--json", cwd=tmp_path)
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, '"type":"listening"' in first, '"type":"result"' in out) == (0, True, True), err


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("serve", "--host", "0.0.0.0"), 2, "tls_required"),
        (("serve", "--host", "example.org"), 2, "value_invalid"),
        (("serve", "--port", "70000"), 2, "usage_invalid"),
        (("serve", "--pool", "A b"), 2, "usage_invalid"),
        (("serve", "--workspace", "nowhere"), 2, "usage_invalid"),
        (("serve", "keys", "add", "Ann"), 2, "value_invalid"),
        (("serve", "keys", "add", "ann", "--scope", "all"), 2, "value_invalid"),
        (("serve", "keys", "add", "ann", "--role", "king"), 2, "usage_invalid"),
        (("serve", "keys", "add", "ann", "--allow", "fs.read"), 2, "grant_invalid"),
        (("serve", "keys", "add", "ann", "--days", "0"), 2, "usage_invalid"),
        (("serve", "keys", "revoke", "0000"), 2, "key_unknown"),
    ],
)
def test_wrong_uses_are_refused(arguments: tuple[str, ...], code: int, error: str, tmp_path: Path) -> None:
    """Each with its code, before anything listens or is written."""
    done = remit(*arguments, "--json", cwd=tmp_path)
    assert (done.returncode, result(done)["error"]["code"]) == (code, error)


def test_a_taken_address_is_said(tmp_path: Path) -> None:
    """The second server on a port ends with network_failed."""
    process = begin("serve", "--port", "0", "--json", cwd=tmp_path)
    assert process.stdout is not None
    try:
        port = re.search(r":(\d+)\"", process.stdout.readline())
        assert port is not None
        done = remit("serve", "--port", port[1], "--json", cwd=tmp_path)
        assert (done.returncode, result(done)["error"]["code"]) == (5, "network_failed")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
