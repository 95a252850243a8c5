"""apply_patch: both formats, all or nothing, and the paths that the gate is told of."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from remit.adapters.tools.apply_patch import apply_patch
from remit.core.effects import Need
from remit.errors import Denied, Invalid, RemitError, Unavailable

UNIFIED = """\
diff --git a/src/a.py b/src/a.py
index 111..222 100644
--- a/src/a.py
+++ b/src/a.py
@@ -1,3 +1,4 @@
 one
-two
+TWO
+two and a half
 three
--- /dev/null
+++ b/new/b.txt
@@ -0,0 +1,2 @@
+x
+-- y
--- a/old.txt
+++ /dev/null
@@ -1 +0,0 @@
-bye
"""

ENVELOPE = """\
*** Begin Patch
*** Update File: src/a.py
@@ one
-two
+TWO
*** Add File: new/b.txt
+x
*** Delete File: old.txt
*** End Patch
"""


def fill(bench: Any) -> Any:
    bench.put("src/a.py", "one\ntwo\nthree\n")
    bench.put("old.txt", "bye\n")
    return bench.ctx()


def tree(bench: Any) -> dict[str, str]:
    return {str(p.relative_to(bench.root)): p.read_bytes().decode() for p in bench.root.rglob("*") if p.is_file()}


def test_a_unified_diff(bench: Any) -> None:
    """Change, creation and deletion in one patch."""
    assert apply_patch(fill(bench), UNIFIED) == "updated src/a.py: 1 hunks\nadded new/b.txt\ndeleted old.txt"
    assert tree(bench) == {"src/a.py": "one\nTWO\ntwo and a half\nthree\n", "new/b.txt": "x\n-- y\n"}


def test_the_envelope(bench: Any) -> None:
    """The same in the *** Begin Patch form."""
    apply_patch(fill(bench), ENVELOPE)
    assert tree(bench) == {"src/a.py": "one\nTWO\nthree\n", "new/b.txt": "x\n"}


def test_moves_in_both_forms(bench: Any) -> None:
    """A rename alone, and a rename with a change."""
    ctx = fill(bench)
    apply_patch(ctx, "diff --git a/old.txt b/n/x\nsimilarity index 100%\nrename from old.txt\nrename to n/x\n")
    move = "*** Begin Patch\n*** Update File: src/a.py\n*** Move to: c.py\n@@\n one\n-two\n+2\n*** End Patch"
    assert apply_patch(ctx, move) == "updated src/a.py: 1 hunks, moved to c.py"
    assert tree(bench) == {"n/x": "bye\n", "c.py": "one\n2\nthree\n"}


def test_needs_name_every_path_of_the_patch() -> None:
    """Read and write of each path, in one spelling, also of moved files."""
    assert apply_patch.needs is not None
    assert list(apply_patch.needs(patch=UNIFIED)) == [
        Need(verb, path) for path in ("src/a.py", "new/b.txt", "old.txt") for verb in ("fs.read", "fs.write")
    ]
    moved = "*** Begin Patch\n*** Update File: ./a\n*** Move to: b//c\n*** End Patch"
    assert [need.resource for need in apply_patch.needs(patch=moved)] == ["a", "a", "b/c", "b/c"]


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        (UNIFIED.replace("-two", "-deux"), "line 2 should be 'deux', found 'two'"),
        (UNIFIED.replace("-bye", "-hello"), "hunk 1 of old.txt does not fit"),
        (UNIFIED.replace("@@ -1,3 +1,4 @@", "@@ -1,2 +1,4 @@"), "says 2 old and 4 new lines, the hunk holds 3 and 4"),
        (UNIFIED.replace("+++ b/new/b.txt", "+++ b/src/a.py"), "names 'src/a.py' twice"),
        (UNIFIED.replace("b/new/b.txt", "b/./old.txt"), "two spellings"),
        (ENVELOPE.replace("*** End Patch", ""), "End Patch is missing"),
        (ENVELOPE.replace("@@ one", "@@ absent"), "no line 'absent'"),
        (ENVELOPE.replace("+x", "x"), "every line of an added file starts with"),
        (ENVELOPE.replace("old.txt", "absent.txt"), "does not exist"),
        (ENVELOPE.replace("new/b.txt", "src/a.py/x"), "."),
        ("", "changes no file"),
        ("hello\nworld\n", "changes no file"),
        ("GIT binary patch\n", "before the names"),
        ("diff --git a/x b/x\nBinary files a/x and b/x differ\n", "binary patches"),
        ("diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n", "no links"),
    ],
)
def test_what_does_not_fit_changes_nothing(bench: Any, patch: str, why: str) -> None:
    """Every refusal says the place, and the tree is as before."""
    ctx = fill(bench)
    before = tree(bench)
    with pytest.raises(RemitError, match=why.replace("(", r"\(")):
        apply_patch(ctx, patch)
    assert tree(bench) == before


def test_an_ambiguous_hunk_is_refused_and_a_line_number_decides(bench: Any) -> None:
    """Where old lines stand twice, only a fitting line number or an anchor chooses."""
    bench.put("f", "a\nx\nb\na\nx\n")
    envelope = "*** Begin Patch\n*** Update File: f\n@@\n a\n-x\n+y\n*** End Patch\n"
    with pytest.raises(Invalid, match=r"several lines \(1, 4\)"):
        apply_patch(bench.ctx(), envelope)
    with pytest.raises(Invalid, match="ambiguous"):
        apply_patch(bench.ctx(), "--- f\n+++ f\n@@ -2,2 +2,2 @@\n a\n-x\n+y\n")
    apply_patch(bench.ctx(), "--- f\n+++ f\n@@ -4,2 +4,2 @@\n a\n-x\n+y\n")
    assert bench.get("f") == "a\nx\nb\na\ny\n"
    apply_patch(bench.ctx(), "*** Begin Patch\n*** Update File: f\n@@ b\n-a\n+A\n y\n*** End of File\n*** End Patch\n")
    assert bench.get("f") == "a\nx\nb\nA\ny\n"


def test_a_moved_place_is_found_when_it_is_unique(bench: Any) -> None:
    """Line numbers that are off do not matter where the old lines stand once."""
    bench.put("f", "0\n" * 50 + "a\nb\n")
    apply_patch(bench.ctx(), "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n")
    assert bench.get("f") == "0\n" * 50 + "a\nc\n"


def test_no_newline_at_the_end(bench: Any) -> None:
    """The marker is honoured in both directions; a file that ends otherwise is refused."""
    bench.put("f", "a\nb")
    patch = "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n"
    apply_patch(bench.ctx(), patch)
    assert bench.get("f") == "a\nc\n"
    apply_patch(bench.ctx(), "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-c\n+d\n\\ No newline at end of file\n")
    assert bench.get("f") == "a\nd"
    with pytest.raises(Invalid, match="line end"):
        apply_patch(bench.ctx(), "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-d\n+e\n")


def test_crlf_files_keep_their_line_ends(bench: Any) -> None:
    """A patch with plain line feeds fits a CRLF file."""
    bench.put("f", "a\r\nb\r\n")
    apply_patch(bench.ctx(), "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n")
    assert bench.get("f") == "a\r\nc\r\n"


def test_a_write_that_fails_puts_the_others_back(bench: Any) -> None:
    """The second file cannot be written: the first is as before, the error is that of the write."""
    ctx = fill(bench)
    before = tree(bench)
    real = ctx.files

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def write(self, path: str, data: bytes) -> None:
            if path == "new/b.txt":
                raise Unavailable("disk_failed", "no space")
            real.write(path, data)

    failing = bench.ctx(files=Failing())
    with pytest.raises(Unavailable) as caught:
        apply_patch(failing, UNIFIED)
    assert caught.value.code == "disk_failed"
    assert tree(bench) == before


def test_a_path_without_a_grant_stops_all(bench: Any) -> None:
    """One denied file in the patch and none is written."""
    fill(bench)
    before = tree(bench)
    with pytest.raises(Denied):
        apply_patch(bench.ctx(lambda verb, path: path != "old.txt"), UNIFIED)
    with pytest.raises(Denied):
        apply_patch(bench.ctx(), ENVELOPE.replace("new/b.txt", "../evil"))
    assert tree(bench) == before


def test_reconcile_after_a_crash(bench: Any) -> None:
    """Before, after and between are told apart by the files themselves."""
    ask = apply_patch.reconcile
    assert ask is not None
    for patch in (UNIFIED, ENVELOPE):
        ctx = fill(bench)
        assert ask(ctx, patch=patch) == "not-done"
        apply_patch(ctx, patch)
        assert ask(ctx, patch=patch) == "done"
        bench.put("old.txt", "bye\n")
        assert ask(ctx, patch=patch) == "unknown"
        (bench.root / "new/b.txt").unlink()


@pytest.mark.git
def test_what_git_makes_is_applied_as_git_does(bench: Any) -> None:
    """Real diffs of git, many hunks, odd names: the result equals git's."""
    root = bench.root.parent / "repo"
    root.mkdir()
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    lines = [f"line {n}" for n in range(400)]
    names = ["plain.txt", "sp ace.txt", "\u00fcml\u00e4ut.txt", "tail"]
    for name in names:
        (root / name).write_text("\n".join(lines) + ("" if name == "tail" else "\n"))
        bench.put(name, "\n".join(lines) + ("" if name == "tail" else "\n"))
    for argv in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *argv], cwd=root, env=env, check=True)
    for number, name in enumerate(names):
        changed = list(lines)
        changed[5] = "changed"
        del changed[100 + number : 110]
        changed.insert(300, "inserted")
        changed[-1] = "end"
        (root / name).write_text("\n".join(changed) + ("\n" if number % 2 else ""))
    diff = subprocess.run(["git", "diff", "--no-color"], cwd=root, env=env, check=True, capture_output=True).stdout
    apply_patch(bench.ctx(), diff.decode())
    assert {name: bench.get(name) for name in names} == {name: (root / name).read_text() for name in names}
