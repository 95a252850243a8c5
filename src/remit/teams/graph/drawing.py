"""A graph as text for Mermaid, and as an SVG picture laid out in layers.

Names of nodes and ways are the only text, and they are escaped for both; neither output can hold markup of a user's.
"""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from remit.teams.graph.plan import BEGIN, Plan

_WIDTH: Final = 150  # of a node
_HEIGHT: Final = 36
_GAP_X: Final = 40
_GAP_Y: Final = 56
_SHAPES: Final = {"agent": ("([", "])"), "subgraph": ("[[", "]]"), "gate": ("{{", "}}"), "each": ("[/", "/]")}

Edge = tuple[str, str, str]
"""(from, to, way)"""


def edges_of(plan: Plan) -> list[Edge]:
    """All edges; START and END by these names."""
    found: list[Edge] = []
    for source in (BEGIN, *plan.nodes):
        shown = source or "START"
        found += [(shown, target, "") for target in plan.follow.get(source, ())]
        found += [(shown, plan.joins[i].target, "all") for i in plan.waits.get(source, ())]
        routes = plan.routes.get(source)
        if routes is not None:
            table = [
                *routes.table.items(),
                *([("otherwise", routes.otherwise)] if routes.otherwise is not None else []),
            ]
            for way, targets in table:
                found += [(shown, target, str(way)) for target in targets or ("END",)]
        if source and (
            source in plan.ends or (routes is None and source not in plan.follow and source not in plan.waits)
        ):
            found.append((shown, "END", ""))
    return found


def mermaid(plan: Plan) -> str:
    """A Mermaid flowchart. Source: mermaid.js.org/syntax/flowchart.html (quoted labels, numeric entity codes)."""
    ids = {name: f"n{i}" for i, name in enumerate(plan.nodes)} | {"START": "start", "END": "finish"}
    lines = ["flowchart TD", "    start((START))"]
    for name, node in plan.nodes.items():
        left, right = _SHAPES.get(node.kind, ("[", "]"))
        lines.append(f'    {ids[name]}{left}"{_quoted(name)}"{right}')
    lines.append("    finish((END))")
    for source, target, way in edges_of(plan):
        arrow = f'-- "{_quoted(way)}" -->' if way else "-->"
        lines.append(f"    {ids[source]} {arrow} {ids[target]}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "".join(c if c.isalnum() or c in " _.-" else f"#{ord(c)};" for c in text[:60])


def svg(plan: Plan) -> str:
    """A picture: layers by the longest way from START without going back, edges as lines with arrows."""
    edges = edges_of(plan)
    layers = _layers(plan, edges)
    widest = max(len(layer) for layer in layers)
    width = widest * (_WIDTH + _GAP_X) + _GAP_X
    height = len(layers) * (_HEIGHT + _GAP_Y) + _GAP_Y
    at: dict[str, tuple[float, float]] = {}
    for row, layer in enumerate(layers):
        left = (width - len(layer) * (_WIDTH + _GAP_X) + _GAP_X) / 2
        for column, name in enumerate(layer):
            at[name] = (left + column * (_WIDTH + _GAP_X) + _WIDTH / 2, _GAP_Y + row * (_HEIGHT + _GAP_Y))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="13">',
        '<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>',
    ]
    parts += [_line(at[source], at[target], way) for source, target, way in edges]
    parts += [_box(name, *at[name]) for layer in layers for name in layer]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _layers(plan: Plan, edges: list[Edge]) -> list[list[str]]:
    """Breadth first from START; END last."""
    follow: dict[str, list[str]] = {}
    for source, target, _ in edges:
        follow.setdefault(source, []).append(target)
    layers, seen = [["START"]], {"START", "END"}
    while layers[-1]:
        following = []
        for name in layers[-1]:
            for target in follow.get(name, ()):
                if target not in seen:
                    seen.add(target)
                    following.append(target)
        layers.append(following)
    layers[-1] = [name for name in plan.nodes if name not in seen]
    return [layer for layer in [*layers, ["END"]] if layer]


def _box(name: str, x: float, y: float) -> str:
    shown = escape(name if len(name) <= 20 else name[:19] + "…")
    radius = _HEIGHT / 2 if name in ("START", "END") else 6
    return (
        f'<rect x="{x - _WIDTH / 2:g}" y="{y - _HEIGHT / 2:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="{radius:g}" '
        f'fill="#fff" stroke="#555"/><text x="{x:g}" y="{y + 4:g}" text-anchor="middle">{shown}</text>'
    )


def _line(start: tuple[float, float], end: tuple[float, float], way: str) -> str:
    (x1, y1), (x2, y2) = start, end
    if y2 > y1:
        path = f"M{x1:g} {y1 + _HEIGHT / 2:g} L{x2:g} {y2 - _HEIGHT / 2:g}"
        middle = ((x1 + x2) / 2, (y1 + y2) / 2)
    else:  # back or sideways: around the right side
        out = max(x1, x2) + _WIDTH / 2 + _GAP_X / 2
        path = f"M{x1 + _WIDTH / 2:g} {y1:g} C{out:g} {y1:g} {out:g} {y2:g} {x2 + _WIDTH / 2:g} {y2:g}"
        middle = (out - 12, (y1 + y2) / 2)
    label = f'<text x="{middle[0]:g}" y="{middle[1]:g}" fill="#333">{escape(way[:20])}</text>' if way else ""
    return f'<path d="{path}" fill="none" stroke="#555" marker-end="url(#a)"/>{label}'
