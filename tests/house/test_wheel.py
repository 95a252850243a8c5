"""The wheel holds what the checkout holds, and works in an environment that never saw the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from house.tree import ROOT, files

pytestmark = pytest.mark.slow


def pip(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run pip with the configuration that the user has."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=env)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, real_env: dict[str, str]) -> Path:
    """The built wheel; built from a copy, because setuptools writes beside the sources."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in files():
        if name.startswith("src/") or "/" not in name:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    out = tmp_path_factory.mktemp("wheel")
    done = pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(out), str(copy), env=real_env)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("remit-*.whl"))


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    """Every committed file of src/remit is in the wheel, data files too, and nothing else."""
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {name.removeprefix("src/") for name in files() if name.startswith("src/remit/")}
    assert "remit/py.typed" in inside
    assert inside == package


def test_the_installed_command_works_without_the_checkout(
    wheel: Path, tmp_path: Path, real_env: dict[str, str]
) -> None:
    """In a clean environment the wheel, its pinned dependencies and nothing else give a working `remit`."""
    clean = tmp_path / "clean"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(clean)], check=True, timeout=120)
    python = str(clean / "bin/python")
    lock = str(ROOT / "requirements/run.txt")
    fetched = pip("--python", python, "install", "--require-hashes", "--only-binary", ":all:", "-r", lock, env=real_env)
    if fetched.returncode != 0:
        pytest.skip(f"the package index is out of reach: {fetched.stderr.strip().splitlines()[-1][:200]}")
    installed = pip("--python", python, "install", "--no-index", "--no-deps", str(wheel), env=real_env)
    assert installed.returncode == 0, installed.stderr
    checked = pip("--python", python, "check", env=real_env)
    assert checked.returncode == 0, checked.stdout
    assert "doctor" in installed_command(clean, "--help")
    assert installed_command(clean, "doctor", "--json").lstrip().startswith(("{", "["))


def installed_command(clean: Path, *arguments: str) -> str:
    """Standard output of the installed `remit`, run where no checkout can be imported."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(clean / "bin/remit"), *arguments]
    done = subprocess.run(command, cwd=clean, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout
