# hostile data and scripts are one line each
"""Fuzz the decoders by coverage, with atheris where it is installed.

    python tests/security/fuzz/run.py [TARGET] [--seconds N]

One process a target, N seconds each (20). Prints a line a target; exit 1 on a finding, whose bytes are printed as hex.
Without atheris it says so and exits 77 (skipped); tests/security/test_fuzz.py covers the same targets with hypothesis.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
SKIPPED = 77


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target in this process; it ends with the process."""
    import atheris

    with atheris.instrument_imports(include=["remit"]):
        from remit.errors import RemitError
        from security.fuzz.targets import SEEDS, TARGETS
    target = TARGETS[name]

    def one(data: bytes) -> None:
        try:
            target(data)
        except RemitError:
            pass
        except BaseException:
            sys.stderr.write(f"FINDING {name}: {data.hex()}\n")
            raise

    folder = tempfile.mkdtemp()
    for number, seed in enumerate(SEEDS.get(name, (b"{}",))):
        Path(folder, str(number)).write_bytes(seed)
    atheris.Setup(
        [sys.argv[0], folder, f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10", "-rss_limit_mb=1024"], one
    )
    atheris.Fuzz()


def main() -> int:
    """Run the chosen targets, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("target", nargs="?", default="")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        sys.stdout.write("SKIPPED: atheris is not installed (pip install atheris); the hypothesis suite still runs\n")
        return SKIPPED
    if args.here:
        fuzz(args.target, args.seconds)
    from security.fuzz.targets import TARGETS

    bad = 0
    for name in [args.target] if args.target else list(TARGETS):
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, name, "--seconds", str(args.seconds), "--here"]
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, errors="replace", env=environment()
            )
        runs = [line for line in done.stderr.splitlines() if line.startswith(("Done", "stat::number", "FINDING"))]
        bad += done.returncode != 0
        verdict = "ok" if done.returncode == 0 else "FINDING"
        sys.stdout.write(f"{name:28} {verdict:8} {time.monotonic() - started:5.0f} s  {'; '.join(runs)[:300]}\n")
        if done.returncode != 0:
            sys.stdout.write(done.stderr[-1500:])
        sys.stdout.flush()
    return 1 if bad else 0


def environment() -> dict[str, str]:
    """The package and the tests are importable in the child."""
    paths = [str(ROOT / "src"), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in paths if p)}


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]
    sys.exit(main())
