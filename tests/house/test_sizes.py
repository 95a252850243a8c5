"""Small enough to read: sizes of files, functions, rooms and lists (DESIGN: house rules)."""

from __future__ import annotations

import ast
import re
import tomllib
import warnings

from house.tree import ROOT, comments, files, functions, rooms, sources, texts

MAX_FILE_LINES = 500
SOFT_FILE_LINES = 300
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 6
MAX_GATE_LINES = 1_000
MAX_ROOM_README_LINES = 40
MAX_README_LINES = 150
MAX_MAKE_TARGETS = 12
MAX_DISTRIBUTIONS = 12
MAX_ROOMS = 16
COMMENT_SHARE = (0.02, 0.10)


def test_no_file_of_the_package_is_longer_than_500_lines() -> None:
    """A file of src has at most 500 lines; those over 300 are named in the report, for people."""
    lengths = {source.name: source.text.count("\n") for source in sources()}
    soft = sorted(name for name, lines in lengths.items() if lines > SOFT_FILE_LINES)
    if soft:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.warn(f"over {SOFT_FILE_LINES} lines: {', '.join(soft)}", stacklevel=1)
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    """A function of src spans at most 60 lines, its docstring included."""
    long = [
        f"{source.name}:{node.lineno} {node.name}"
        for source in sources()
        for node in functions(source)
        if (node.end_lineno or node.lineno) - node.lineno >= MAX_FUNCTION_LINES
    ]
    assert long == [], "\n".join(["", *long])


def test_no_function_takes_more_than_six_parameters() -> None:
    """A function of src has at most 6 parameters beside self, unless its line says why (noqa: PLR0913)."""
    many = []
    for source in sources():
        lines = source.text.split("\n")
        for node in functions(source):
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            excused = any("PLR0913" in line for line in lines[node.lineno - 1 : node.body[0].lineno])
            overload = any("overload" in ast.unparse(decorator) for decorator in node.decorator_list)
            if len([n for n in names if n not in ("self", "cls")]) > MAX_PARAMETERS and not excused and not overload:
                many.append(f"{source.name}:{node.lineno} {node.name}")
    assert many == [], "\n".join(["", *many])


def test_the_gate_can_be_read_in_one_sitting() -> None:
    """All Python files of the gate together have at most 1,000 lines."""
    gate = {source.name: source.text.count("\n") for source in sources("src/remit/gate/")}
    assert gate, "there is no gate"
    assert sum(gate.values()) <= MAX_GATE_LINES, gate


def test_every_room_says_what_it_is() -> None:
    """Each folder of src/remit has a README of 3 to 40 lines, and there are at most 16 folders."""
    assert len(rooms()) <= MAX_ROOMS
    sizes = {room: texts().get(f"src/remit/{room}/README.md", "").count("\n") for room in rooms()}
    assert {room: size for room, size in sizes.items() if not 3 <= size <= MAX_ROOM_README_LINES} == {}


def test_the_readme_is_short() -> None:
    """The README has at most 150 lines."""
    assert texts()["README.md"].count("\n") <= MAX_README_LINES


def test_the_makefile_has_at_most_twelve_targets() -> None:
    """Every phony target is a command for people; there are at most 12, and the seven that are promised."""
    phony = re.findall(r"^\.PHONY:(.*)$", texts()["Makefile"], re.M)
    targets = {name for line in phony for name in line.split()}
    assert {"demo", "test", "lint", "types", "bench", "lock", "help"} <= targets
    assert len(targets) <= MAX_MAKE_TARGETS
    assert all(re.search(rf"^{name}:.*## ", texts()["Makefile"], re.M) for name in targets)


def test_the_base_install_is_small() -> None:
    """The base install resolves to at most 12 distributions, and holds every declared dependency."""
    locked = set(re.findall(r"^([a-z0-9-]+)==", texts()["requirements/run.txt"], re.M))
    declared = tomllib.loads(texts()["pyproject.toml"])["project"]["dependencies"]
    assert {re.split(r"[<>=;\s\[]", line)[0] for line in declared} <= locked
    assert len(locked) <= MAX_DISTRIBUTIONS


def test_comments_are_neither_missing_nor_a_second_text() -> None:
    """2 to 10 % of the package's non-blank lines carry a comment."""
    lines = commented = 0
    for source in sources():
        lines += sum(1 for line in source.text.split("\n") if line.strip())
        commented += len(comments(source.text))
    assert COMMENT_SHARE[0] <= commented / lines <= COMMENT_SHARE[1], f"{commented} of {lines} lines"


def test_the_root_is_tidy() -> None:
    """Only expected things stand at the root of the checkout."""
    expected = {
        ".ci", ".gitignore", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "bench", "docs",
        "pyproject.toml", "requirements", "src", "tests",
    }  # fmt: skip
    assert {name.split("/")[0] for name in files()} - expected == set()
    assert (ROOT / ".ci/run").stat().st_mode & 0o111, ".ci/run is not executable"
