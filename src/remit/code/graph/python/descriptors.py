"""Objects as bytes and back: how modules name to each other what a variable may hold.

A text says all that another module may look at: of a function its parameters, flags and marks, of a class its fields.
It holds no line and no number that an edit elsewhere in the file changes.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from remit.code.graph.python import objects as o
from remit.code.graph.python.cells import Cells
from remit.code.graph.python.lowering import C_FIELDS, C_KEY, F_FLAGS, F_KEY, F_PARAMS, F_QUAL
from remit.code.graph.python.objects import Obj

_FUNCTION: Final = "f"
_CLASS: Final = "c"
_MODULE: Final = "m"
_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.decode


def home(owner: Obj) -> str:
    """The path of the module that an object belongs to."""
    while owner.kind != o.MODULE:
        owner = owner.module or owner.a
    return str(owner.a)


class Descriptors:
    """Both ways, for one module."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._texts: dict[Obj, bytes] = {}
        self._objects: dict[bytes, Obj] = {}

    def text(self, one: Obj) -> bytes:
        """An object as bytes."""
        made = self._texts.get(one)
        if made is None:
            made = self._texts[one] = _encode(self._row(one))
        return made

    def said(self, part: Any) -> Any:
        """A key or a field: objects as bytes, tuples as lists."""
        if isinstance(part, Obj):
            return self.text(part)
        return [self.said(one) for one in part] if isinstance(part, tuple) else part

    def _row(self, one: Obj) -> Any:
        if one.kind == o.MODULE:
            return (_MODULE, one.name)
        if one.kind == o.FUNC:
            parameters = [f"{kind}{name}" for name, kind, *_ in one.ir[F_PARAMS]]
            return (_FUNCTION, one.module.name, *one.b, parameters, one.ir[F_FLAGS], sorted(one.marks))
        if one.kind == o.CLASS:
            return (_CLASS, one.module.name, *one.b, one.ir[C_FIELDS])
        return (one.kind, one.name, self.said(one.a), self.said(one.b), one.ir)

    def obj(self, raw: bytes) -> Obj:
        """The object that bytes name."""
        made = self._objects.get(raw)
        if made is None:
            made = self._objects[raw] = self._made(_decode(raw))
        return made

    def known(self, raw: bytes) -> Obj | None:
        """The object that bytes name, if it was made before."""
        made = self._objects.get(raw)
        if made is None:
            made = self._known(_decode(raw))
            if made is not None:
                self._objects[raw] = made
        return made

    def _known(self, row: list[Any]) -> Obj | None:
        cells = self._cells
        if row[0] == _MODULE:
            return cells.looked.get(row[1])
        if row[0] in (_FUNCTION, _CLASS):
            module = cells.looked.get(row[1])
            kind = o.FUNC if row[0] == _FUNCTION else o.CLASS
            name = f"{row[1]}.{row[3]}" if row[1] else row[3]
            return None if module is None else cells.make.known(kind, name, module, (row[2], row[3]))
        a, b = self.known_part(row[2]), self.known_part(row[3])
        if (a is None) != (row[2] is None) or (b is None) != (row[3] is None):
            return None
        return cells.make.known(row[0], row[1], a, b)

    def known_part(self, part: Any) -> Any:
        """A key or a field back; None when it names an object that was not made."""
        if isinstance(part, bytes):
            return self.known(part)
        if not isinstance(part, list):
            return part
        made = [self.known_part(one) for one in part]
        return None if any(one is None and of is not None for one, of in zip(made, part, strict=True)) else tuple(made)

    def part(self, part: Any) -> Any:
        """A key or a field back."""
        if isinstance(part, bytes):
            return self.obj(part)
        return tuple(self.part(one) for one in part) if isinstance(part, list) else part

    def _made(self, row: list[Any]) -> Obj:
        if row[0] == _MODULE:
            module = self._cells.module(row[1])
            assert module is not None
            return module
        if row[0] in (_FUNCTION, _CLASS):
            return self._definition(row)
        kind, name, a, b, ir = row
        made = self._cells.make.get(kind, name, self.part(a), self.part(b))
        if made.ir is None and ir is not None:
            made.ir = ir
        return made

    def _definition(self, row: list[Any]) -> Obj:
        kind = o.FUNC if row[0] == _FUNCTION else o.CLASS
        module = self._cells.module(row[1])
        assert module is not None
        made = self._cells.make.get(kind, f"{row[1]}.{row[3]}" if row[1] else row[3], module, (row[2], row[3]))
        if made.ir is not None:
            return made
        made.module = module
        ir: list[Any] = [None] * 15
        if kind == o.FUNC:
            ir[F_QUAL], ir[F_KEY], ir[F_FLAGS] = row[3], row[2], row[5]
            ir[F_PARAMS] = [[text[1:], int(text[0])] for text in row[4]]
            made.marks = frozenset(row[6])
        else:
            ir[C_FIELDS], ir[C_KEY] = row[4], row[2]
        made.ir = ir
        return made
