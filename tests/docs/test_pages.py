"""What the pages show is executed, and what they point at exists."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from docs import generated
from docs.pages import ROOT, command_lines, normalise, pages, program, remit, run

PROGRAMS = [page for page in pages() if program(page)[0]]
MAKE_TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
LINK = re.compile(r"\[[^\]]+\]\((?P<target>[^)#\s]+)(#[^)]*)?\)")
CODE = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")


def name_of(page: object) -> str:
    """A page's path beneath the root, as the test's id."""
    return page.relative_to(ROOT).as_posix() if isinstance(page, Path) else str(page)


@pytest.mark.parametrize("page", PROGRAMS, ids=name_of)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    """A page's Python blocks run as one program, offline, in an empty folder, and print what the page shows."""
    code, printed = program(page)
    script = tmp_path / "page.py"
    script.write_text(code, encoding="utf-8")
    folder = tmp_path / "work"
    folder.mkdir()
    done = run(["-W", "error::DeprecationWarning:remit", str(script)], folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == printed


def test_the_pages_that_teach_have_programs() -> None:
    """README, tutorial and the how-tos that show Python are among those that are run."""
    expected = {"README.md", "docs/tutorial/first-agent.md", "docs/how-to/break-the-gate.md"}
    assert expected <= {name_of(page) for page in PROGRAMS}


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_resolve(page: Path) -> None:
    """Every relative link points at a file or folder of the checkout."""
    text = page.read_text(encoding="utf-8")
    targets = [match["target"] for match in LINK.finditer(text) if "://" not in match["target"]]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", [page for page in pages() if command_lines(page)], ids=name_of)
def test_shell_lines_name_real_verbs_and_flags(page: Path) -> None:
    """Each `remit` line of a page uses a verb, subcommand and flags that its help knows."""
    for line in command_lines(page):
        words = [word for word in shlex.split(line) if not re.match(r"[A-Z_]+=", word)]
        if words[0].rpartition("/")[2] != "remit":
            continue
        verb = words[1]
        assert verb in generated.verbs(), line
        help_text = remit(verb, "--help").stdout
        if len(words) > 2 and re.fullmatch(r"[a-z]+", words[2]):
            assert words[2] in help_text, line
            help_text = remit(verb, words[2], "--help").stdout
        unknown = [word for word in words[2:] if word.startswith("--") and word.split("=")[0] not in help_text]
        assert unknown == [], line


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_make_targets_exist(page: Path) -> None:
    """Every `make TARGET` of a page is a target of the Makefile."""
    text = page.read_text(encoding="utf-8")
    shown = {
        word
        for match in re.finditer(r"(?:^ {4}|`)make ((?:[a-z]+ ?)+)", text, re.M)
        for word in match[1].split()
    }  # fmt: skip
    assert shown <= MAKE_TARGETS


@pytest.mark.sandbox
def test_the_recorded_output_of_the_demo_is_what_it_prints() -> None:
    """The README's output equals the demo's, stderr included, after numbers, ids, times and paths are made alike."""
    if not ((ROOT / ".git").exists() and shutil.which("git")):
        pytest.skip("the recorded demo shows a history: it needs git and a clone")
    assert normalise(generated.recorded("make demo")) == normalise(generated.demo_output())


def test_the_recorded_output_of_the_suite_is_what_pytest_prints(tmp_path: Path) -> None:
    """The README's closing lines of `make test` have the form that the suite's own settings give, and no failure."""
    (tmp_path / "test_three.py").write_text(THREE_TESTS, encoding="utf-8")
    settings = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]
    done = run(["-m", "pytest", *settings, "test_three.py"], tmp_path)
    first, *real, last = forms(generated.closing_lines(done.stdout))
    assert (first, real) == ("= short test summary info =", ["SKIPPED", "XFAIL"])
    assert last == {"passed", "skipped", "xfailed"}
    recorded_first, *recorded, recorded_last = forms(generated.recorded("make test"))
    assert recorded_first == first
    assert set(map(str, recorded)) <= {"SKIPPED", "XFAIL"}
    assert {"passed"} <= set(recorded_last) <= {"passed", "skipped", "xfailed", "warning", "warnings"}


THREE_TESTS = """import pytest

def test_a(): pass

@pytest.mark.skip(reason="why")
def test_b(): pass

@pytest.mark.xfail(reason="why")
def test_c(): assert False
"""


def forms(closing: str) -> list[str | set[str]]:
    """Closing lines as kinds: the heading, what stands before each test, and what is counted at the end."""
    *lines, last = closing.strip().split("\n")
    kinds = [re.sub("=+", "=", line) if line.startswith("=") else line.split()[0] for line in lines]
    assert re.fullmatch(r"=+ .* in [\d.]+s( \([\d:]+\))? =+", last), last
    return [*dict.fromkeys(kinds), set(re.findall(r"\d+ ([a-z]+)", last))]


def test_decisions_are_numbered_once_and_complete() -> None:
    """Every ADR has a number of its own and its four parts, and every one that is named in the tree exists."""
    names = [path.name for path in sorted((ROOT / "docs/adr").glob("*.md"))]
    numbers = [name[:4] for name in names]
    assert names
    assert len(set(numbers)) == len(numbers), names
    for name in names:
        text = (ROOT / "docs/adr" / name).read_text(encoding="utf-8").lower()
        missing = [part for part in ("context", "decision", "evidence", "change our mind") if part not in text]
        assert missing == [], name
    named = set()
    for folder in ("src", "tests", "bench", "docs"):
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix in (".py", ".md"):
                named.update(re.findall(r"docs/adr/(\d{4})", path.read_text(encoding="utf-8")))
    assert named <= set(numbers)
