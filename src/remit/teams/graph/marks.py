"""START, END, OTHERWISE, and what a node may return beside an update: `Go`."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct


class Mark:
    """A named place of a graph that is no node."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


START: Final = Mark("START")
END: Final = Mark("END")
OTHERWISE: Final = Mark("OTHERWISE")
"""the route that is taken when no other one of a mapping fits"""


class Go:
    """A node's answer where it decides the way itself: `return Go("redo", notes="too long")`."""

    __slots__ = ("route", "update")

    def __init__(self, route: Any, /, **update: Any) -> None:
        self.route = route
        self.update = update

    def __repr__(self) -> str:
        return f"Go({self.route!r}, {', '.join(self.update)})"


class NodeStarted(Struct, frozen=True, tag="node_started", tag_field="type"):
    """Shown to a listener, never journalled: a node begins."""

    step: int
    node: str


class NodeDone(Struct, frozen=True, tag="node_done", tag_field="type"):
    """Shown to a listener, never journalled: what a node wrote."""

    step: int
    node: str
    update: dict[str, Any]
    route: Any = None


class NodeSaid(Struct, frozen=True, tag="node_said", tag_field="type"):
    """Shown to a listener, never journalled: what a node says of its own with `ctx.emit`."""

    node: str
    value: Any
