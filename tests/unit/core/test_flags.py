"""Enable flags: a fallback of the root only, turned into grants before anything is handed down."""

from __future__ import annotations

import pytest

from remit.core import needs
from remit.core.effects import Need
from remit.core.flags import FLAGS, explicit
from remit.core.remit import BOTTOM, TOP, Remit
from remit.errors import Invalid


def test_a_root_without_grants_gets_those_of_its_flags() -> None:
    """Denials stay; the result is an ordinary remit that a child's list narrows."""
    root = explicit(Remit().deny("fs.write:secret/**"), ["write_file"])
    assert [root.allows(needs.fs_write(p)) for p in ("a", "secret/a")] == [True, False]
    child = root.meet(Remit.allow("fs.write:out/**"))
    assert [child.allows(needs.fs_write(p)) for p in ("out/a", "a")] == [True, False]


def test_flags_are_no_fallback_anywhere_else() -> None:
    """A root with grants, TOP, BOTTOM and a handed-down remit stay as they are."""
    handed = Remit.allow("tool:x").meet(Remit())
    for remit in (Remit.allow("tool:x"), TOP, BOTTOM, handed):
        assert explicit(remit, ["write_file"]) == remit
    assert not explicit(Remit(), []).allows(Need("tool", "x"))


def test_every_flag_of_the_map_parses() -> None:
    """Each flag's grants are grants; an unknown flag is refused."""
    for flag in FLAGS:
        assert not explicit(Remit(), [flag]).unset
    with pytest.raises(Invalid):
        explicit(Remit(), ["everything"])
