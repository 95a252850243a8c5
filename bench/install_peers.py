"""Make one virtual environment for each line of peers.txt, beside the benchmark and outside remit's own locks.

Uses venv and pip with the index the user has configured. An environment whose marker file holds the same requirements
and the same Python is left alone. A peer that cannot be installed is reported and skipped: the benchmark prints
"not installed" for it and goes on.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TIMEOUT_S = 900


def requirements() -> dict[str, list[str]]:
    """Return {environment: [pinned requirement, ...]} as peers.txt says."""
    found: dict[str, list[str]] = {}
    for line in (HERE / "peers.txt").read_text(encoding="utf-8").splitlines():
        name, colon, rest = line.partition(":")
        if colon and not line.startswith("#"):
            found[name.strip()] = rest.split()
    return found


def install(name: str, pins: list[str]) -> None:
    """Create .venvs/NAME with exactly `pins` at the top level; raises CalledProcessError or TimeoutExpired."""
    folder = HERE / ".venvs" / name
    marker = folder / "installed.txt"
    wanted = "\n".join([sys.version, *pins])
    if marker.is_file() and marker.read_text(encoding="utf-8") == wanted:
        print(f"{name}: already installed")
        return
    shutil.rmtree(folder, ignore_errors=True)
    python = folder / "bin" / "python"
    # Debian's Python has no ensurepip, and the environment this runs in may have no pip: the base's pip installs.
    base = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=TIMEOUT_S)
    pip = [str(base), "-m", "pip", "--python", str(python)]
    command = [*pip, "install", "-qq", "--disable-pip-version-check", "--only-binary", ":all:", *pins]
    subprocess.run(command, check=True, timeout=TIMEOUT_S)
    marker.write_text(wanted, encoding="utf-8")
    print(f"{name}: installed {' '.join(pins)}")


def main(names: list[str]) -> int:
    """Install the named environments (all when none is named); exit 1 when any failed."""
    failed = 0
    for name, pins in requirements().items():
        if names and name not in names:
            continue
        try:
            install(name, pins)
        except (subprocess.SubprocessError, OSError) as error:
            failed = 1
            print(f"{name}: not installed ({error})", file=sys.stderr)
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
