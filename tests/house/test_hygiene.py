"""What may not be written anywhere: addresses of registries, unfinished work, silent catches, empty tests."""

from __future__ import annotations

import ast
import re

from house.tree import ROOT, Source, comments, files, functions, sources, texts

MAX_BROAD_EXCEPTS = 10

# The needles are built from pieces, so that this file does not hold what it looks for.
REGISTRIES = re.compile(
    "|".join(
        ["py" + r"pi\.org", "pythonhos" + "ted", "npm" + r"js\.(org|com)", r"deb\." + "debian",
         "crates" + r"\.io", r"proxy\." + "golang", "files" + r"\.python"]
    )
)  # fmt: skip
COMMON_TOP_FOLDERS = {"app", "bin", "build", "dev", "etc", "home", "mnt", "opt", "proc", "root", "run", "src", "srv"}
COMMON_TOP_FOLDERS |= {"sys", "tmp", "usr", "var", "workspace", "workspaces"}
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
ASSERTING = re.compile(r"^_?(assert|check|expect|verify|raises|warns|fail|refuses?|same|equal)")


def test_no_file_holds_the_address_of_a_registry() -> None:
    """No committed file names a package registry: locks hold hashes, the user's own configuration holds addresses."""
    found = [
        f"{name}:{number}"
        for name, text in texts().items()
        for number, line in enumerate(text.split("\n"), 1)
        if REGISTRIES.search(line)
    ]
    assert found == [], "\n".join(["", *found])


def test_no_file_holds_a_path_of_the_machine_it_was_written_on() -> None:
    """Neither the checkout's own path nor its top folder appears in a committed file."""
    needles = [str(ROOT)]
    if ROOT.parts[1] not in COMMON_TOP_FOLDERS:
        needles.append(f"/{ROOT.parts[1]}/")
    pattern = re.compile(r"(?<![\w.])(" + "|".join(map(re.escape, needles)) + r")(?![\w-])")
    if len(needles) > 1:
        pattern = re.compile(r"(?<![\w.])(" + "|".join(map(re.escape, needles)) + ")")
    assert [name for name, text in texts().items() if pattern.search(text)] == []


def test_locks_are_pinned_by_hash_and_hold_no_address() -> None:
    """Every line of a lock is a pinned requirement with hashes; nothing in it says where to download."""
    for name in ("requirements/run.txt", "requirements/dev.txt"):
        blocks = re.split(r"\n(?=\S)", texts()[name].strip())
        bad = [
            block.split("\n")[0] for block in blocks if not re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:", block, re.S)
        ]
        assert bad == [], name
        assert "://" not in texts()[name]
    assert [name for name in files() if name.endswith(("uv.lock", "pylock.toml", "package-lock.json"))] == []


def test_nothing_is_left_unfinished() -> None:
    """No reminder of work to do stands in the code or its tests."""
    found = [
        f"{source.name}:{number}"
        for source in (*sources("src/"), *sources("tests/"), *sources("bench/"))
        for number, comment in comments(source.text).items()
        if UNFINISHED.search(comment)
    ]
    found += [s.name for s in sources("src/") if UNFINISHED.search(s.text)]
    assert found == [], "\n".join(["", *found])


def test_no_module_has_a_name_that_says_nothing() -> None:
    """No file or folder of the package is called utils, helpers, common, base or manager."""
    parts = {part.removesuffix(".py") for source in sources() for part in source.name.split("/")}
    assert parts & VAGUE_NAMES == set()


def test_every_module_says_what_it_is() -> None:
    """Each Python file of the package that holds code starts with a docstring."""
    assert [s.name for s in sources() if s.tree.body and not ast.get_docstring(s.tree)] == []


def test_public_things_are_documented() -> None:
    """Every public module-level class and function of the package has a docstring."""
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    bare = [
        f"{source.name}:{node.lineno} {node.name}"
        for source in sources()
        for node in source.tree.body
        if isinstance(node, kinds) and not node.name.startswith("_") and not ast.get_docstring(node)
        and not any("overload" in ast.unparse(d) for d in node.decorator_list)
    ]  # fmt: skip
    assert bare == [], "\n".join(["", *bare])


def test_broad_excepts_are_few_and_say_why() -> None:
    """At most 10 places catch every exception, each with its reason; cleaning up and raising on is no catch.

    A context manager that swallows what is raised in it is one, too: its `__exit__` returns something, or it is
    `suppress(Exception)`.
    """
    found, silent = [], []
    for source in sources():
        remarks = comments(source.text)
        for node in ast.walk(source.tree):
            if _swallows(node):
                found.append(f"{source.name}:{getattr(node, 'lineno', 0)}")
            if not isinstance(node, ast.ExceptHandler) or _raises_on(node):
                continue
            if node.type is None or re.search(r"\b(Base)?Exception\b", ast.unparse(node.type)):
                found.append(f"{source.name}:{node.lineno}")
                if not any(line in remarks for line in (node.lineno - 1, node.lineno, node.lineno + 1)):
                    silent.append(found[-1])
    assert silent == [], "\n".join(["", *silent])
    assert len(found) <= MAX_BROAD_EXCEPTS, found


def _swallows(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
        return any(re.fullmatch(r"(Base)?Exception", ast.unparse(each)) for each in node.args)
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name not in ("__exit__", "__aexit__"):
        return False
    given = [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value is not None]
    return any(not (isinstance(value, ast.Constant) and value.value in (None, False)) for value in given)


def _raises_on(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_no_function_is_empty() -> None:
    """No function outside a Protocol has a body of only pass, ... or NotImplementedError."""
    found = [place for source in sources() for place in _empty_bodies(source)]
    assert found == [], "\n".join(["", *found])


def _empty_bodies(source: Source) -> list[str]:
    declared: set[ast.AST] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and any(re.search("Protocol|ABC", ast.unparse(b)) for b in node.bases):
            declared.update(ast.walk(node))
    empty = []
    for node in functions(source):
        marks = " ".join(ast.unparse(d) for d in node.decorator_list)
        if node in declared or "overload" in marks or "abstract" in marks:
            continue
        body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
        if all(isinstance(s, ast.Pass) or "NotImplementedError" in ast.unparse(s) for s in body):
            empty.append(f"{source.name}:{node.lineno} {node.name}")
    return empty


def test_every_test_asserts_something_and_says_what() -> None:
    """Every test function holds an assertion and a docstring that is the claim."""
    bad = []
    for source in sources("tests/"):
        for node in functions(source):
            if node.name.startswith("test_") and source.name.split("/")[-1].startswith("test_"):
                if not _asserts(node):
                    bad.append(f"{source.name}:{node.lineno} {node.name} asserts nothing")
                if not ast.get_docstring(node):
                    bad.append(f"{source.name}:{node.lineno} {node.name} has no claim")
    assert bad == [], "\n".join(["", *bad])


def _asserts(function: ast.AST) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = [argument.id for argument in node.args if isinstance(argument, ast.Name)]
            if any(ASSERTING.match(word) for word in (name, *given)):
                return True
    return False


def test_every_exemption_has_a_reason() -> None:
    """A noqa or a type: ignore names its rule, and a comment on the line or just above says why."""
    bare = []
    for source in (*sources("src/"), *sources("tests/"), *sources("bench/")):
        remarks = comments(source.text)
        for number, comment in remarks.items():
            match = re.search(r"#\s*(noqa(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)?|type:\s*ignore(\[[\w, -]+\])?)(.*)$", comment)
            if match is None:
                continue
            named = match[2] or match[4]
            reason = re.search(r"\w+ \w+", match[5]) or number - 1 in remarks
            if not named or not (reason or source.name.startswith(("tests/", "bench/"))):
                bare.append(f"{source.name}:{number}")
    assert bare == [], "\n".join(["", *bare])
