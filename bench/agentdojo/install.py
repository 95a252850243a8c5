"""Make the environment of run.py: the package agentdojo with every dependency pinned, outside remit's own locks."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from install_peers import install  # noqa: E402  # a script of the folder above, not a package


def main() -> int:
    """Install what requirements.txt names; says so on stderr, because stdout belongs to the measurement."""
    lines = (HERE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    with contextlib.redirect_stdout(sys.stderr):
        try:
            install("agentdojo", [line for line in lines if "==" in line])
        except (subprocess.SubprocessError, OSError) as error:
            print(f"agentdojo cannot be installed: {error}")
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
