"""Patches as models write them: applied where only one place can be meant, refused elsewhere."""

from __future__ import annotations

import pytest

from remit.code import apply
from remit.errors import Conflict

FILE = """import os


def first(x):
    if x:
        return 1
    return 2


def second(x):
    if x:
        return 1
    return 3
"""
RIGHT = FILE.replace("return 3", "return 4")


def header(hunk: str) -> str:
    """A patch of one hunk."""
    return f"--- a/f.py\n+++ b/f.py\n{hunk}"


@pytest.mark.parametrize(
    "hunk",
    [
        "@@ -11,3 +11,3 @@\n     if x:\n         return 1\n-    return 3\n+    return 4\n",
        "@@ -1,9 +1,2 @@\n     if x:\n         return 1\n-    return 3\n+    return 4\n",  # numbers and counts wrong
        "@@ ... @@\n         return 1\n-    return 3\n+    return 4\n",
        "@@\n-    return 3\n+    return 4\n",
        "@@ def second(x): @@\n     if x:\n         return 1\n-    return 3\n+    return 4\n",
        "@@ -11,3 +11,3 @@\n     if x:  \n         return 1\n-    return 3 \n+    return 4\n",  # trailing blanks
        "@@ -11,3 +11,3 @@\n if x:\n     return 1\n-return 3\n+return 4\n",  # indentation lost
        "@@ -11,3 +11,3 @@\n     if x:\n         retrun 1\n-    return 3\n+    return 4\n",  # a slip in kept text
        "@@ -9,4 +9,4 @@\n class Changed:\n     if x:\n         return 1\n-    return 3\n+    return 4\n",  # drifted
    ],
)
def test_one_place_can_be_meant(hunk: str) -> None:
    """Wrong or missing numbers, blanks, indentation, a slip, changed surroundings."""
    assert apply(header(hunk), {"f.py": FILE}) == {"f.py": RIGHT}


@pytest.mark.parametrize(
    ("hunk", "why"),
    [
        ("@@ ... @@\n     if x:\n-        return 1\n+        return 9\n", "2 places"),
        ("@@ -40,2 +40,2 @@\n     if x:\n-        return 1\n+        return 9\n", "2 places"),
        ("@@ ... @@\n-    nothing like it\n+    x\n", "nowhere"),
        ("@@ ... @@\n+    x\n", "neither"),
    ],
)
def test_what_is_not_clear_is_refused(hunk: str, why: str) -> None:
    """Two possible places, none, or nothing to go by: refused with the hunk's line and the reason."""
    with pytest.raises(Conflict, match=why) as caught:
        apply(header(hunk), {"f.py": FILE})
    assert caught.value.code == "patch_conflict"
    assert "line 3 of the patch" in caught.value.message


def test_the_right_number_decides_between_two_places() -> None:
    """A hunk that fits twice goes where its own, right number says."""
    hunk = "@@ -5,2 +5,2 @@\n     if x:\n-        return 1\n+        return 9\n"
    assert apply(header(hunk), {"f.py": FILE})["f.py"] == FILE.replace("return 1", "return 9", 1)


def test_the_shift_of_a_sure_hunk_decides_for_its_neighbour() -> None:
    """All numbers are off by 30; the hunk that fits once tells where the other one belongs."""
    patch = header(
        "@@ -35,2 +35,2 @@\n     if x:\n-        return 1\n+        return 9\n"
        "@@ -43,1 +43,1 @@\n-    return 3\n+    return 4\n"
    )
    expected = FILE.replace("return 1", "return 9", 1).replace("return 3", "return 4")
    assert apply(patch, {"f.py": FILE})["f.py"] == expected


def test_unclear_indentation_is_refused() -> None:
    """Lines around were shifted differently, so nobody knows how deep the new one belongs."""
    file = "a:\n    b\n        c\n"
    patch = header("@@ ... @@\n a:\n b\n     c\n+  d\n")
    with pytest.raises(Conflict, match="indentation"):
        apply(patch, {"f.py": file})


def test_the_files_line_ends_stay() -> None:
    """A patch with plain line ends for a CR LF file, and one for a file without a last line end."""
    patch = header("@@ -1,2 +1,3 @@\n a\n-b\n+c\n+d\n")
    assert apply(patch, {"f.py": "a\r\nb\r\n"}) == {"f.py": "a\r\nc\r\nd\r\n"}
    assert apply(patch, {"f.py": "a\nb"}) == {"f.py": "a\nc\nd"}


def test_a_typographic_quote_is_a_quote() -> None:
    """Punctuation that a model made nice still finds its line; the file keeps its own."""
    patch = header("@@ ... @@\n say(\u201chello\u201d)\n-old = \u20181\u2019\n+new = 2\n")
    assert apply(patch, {"f.py": "say(\"hello\")\nold = '1'\n"}) == {"f.py": 'say("hello")\nnew = 2\n'}


BLOCK = """Here is the change:

f.py
```python
<<<<<<< SEARCH
    return 3
=======
    return 4
>>>>>>> REPLACE
```
"""
ENVELOPE = """*** Begin Patch
*** Update File: f.py
@@ def second(x):
     if x:
         return 1
-    return 3
+    return 4
*** End Patch
"""


@pytest.mark.parametrize("patch", [BLOCK, ENVELOPE], ids=["search/replace", "envelope"])
def test_other_formats(patch: str) -> None:
    """Search/replace blocks and envelopes reach the same place."""
    assert apply(patch, {"f.py": FILE}) == {"f.py": RIGHT}


def test_an_envelope_adds_deletes_and_moves() -> None:
    """All kinds of one envelope; an added file may not exist yet."""
    patch = (
        "*** Begin Patch\n*** Add File: n.py\n+one\n+two\n*** Delete File: d.py\n*** Update File: m.py\n"
        "*** Move to: moved.py\n@@\n-x\n+y\n*** End Patch\n"
    )
    assert apply(patch, {"d.py": "d\n", "m.py": "x\n"}) == {"n.py": "one\ntwo\n", "moved.py": "y\n"}
    with pytest.raises(Conflict, match="exists"):
        apply(patch, {"d.py": "d\n", "m.py": "x\n", "n.py": "there\n"})


def test_a_block_that_fits_twice_is_refused() -> None:
    """Search text must be unique."""
    with pytest.raises(Conflict, match="2 places"):
        apply(BLOCK.replace("return 3", "if x:").replace("return 4", "if y:"), {"f.py": FILE})
