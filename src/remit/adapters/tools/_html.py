"""Readable text of an HTML page, in one pass that is linear in the page.

Rejected: html.parser, whose time is quadratic on broken markup in the Python versions that we support
(CVE-2025-6069); a page from outside is exactly where that is tried.
"""

from __future__ import annotations

import re
from typing import Final

from remit.adapters.tools._text import unescaped

_TAG: Final = re.compile(r"</?([a-zA-Z][a-zA-Z0-9:-]{0,40})")
_TAG_MARK: Final = re.compile("[\"'<>]")
_MAX_TAG_CHARS: Final = 8192  # a longer "tag" is text
_DROPPED: Final = frozenset({"script", "style", "noscript", "template", "svg", "iframe", "object"})
_BLOCK_NAMES: Final = (
    "address article aside blockquote body br dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 "
    "head header hr html li main nav ol option p pre section table tbody tfoot thead title tr ul"
)
_BLOCK: Final = frozenset(_BLOCK_NAMES.split())
_HEADING: Final = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_HREF: Final = re.compile(r"""\bhref\s{0,8}=\s{0,8}(?:"([^"]{0,2000})"|'([^']{0,2000})'|([^\s"'>]{1,2000}))""", re.I)
_SPACES: Final = re.compile(r"[ \t\r\f\v\xa0]+")
_BLANKS: Final = re.compile(r"\n{3,}")


def html_text(page: str) -> str:
    """Text of a page: blocks on lines of their own, headings as #, list items as -, links as [text](target)."""
    lower = page.lower()
    # `lower` may change the length of exotic letters; positions must agree.
    if len(lower) != len(page):
        lower = page = page.encode("ascii", "xmlcharrefreplace").decode()
        lower = page.lower()
    out: list[str] = []
    links: list[str] = []
    at = 0
    while at < len(page):
        start = page.find("<", at)
        if start < 0:
            out.append(_flat(page[at:]))
            break
        out.append(_flat(page[at:start]))
        at = _markup(page, lower, start, (out, links))
    lines = (_SPACES.sub(" ", line).strip() for line in "".join(out).split("\n"))
    return _BLANKS.sub("\n\n", "\n".join(lines)).strip()


def _flat(text: str) -> str:
    return unescaped(text.replace("\n", " "))


def _markup(page: str, lower: str, start: int, sinks: tuple[list[str], list[str]]) -> int:
    """Handle what begins with `<` at `start`; returns where to go on."""
    out, links = sinks
    if page.startswith("<!--", start):
        end = page.find("-->", start + 4)
        return len(page) if end < 0 else end + 3
    if page.startswith(("<!", "<?"), start):
        end = page.find(">", start)
        return len(page) if end < 0 else end + 1
    found = _TAG.match(page, start)
    end = _tag_end(page, start) if found else -1
    if found is None or end < 0:
        out.append("<")
        return start + 1
    name = found[1].lower()
    closing = page[start + 1] == "/"
    if name in _DROPPED and not closing and page[end - 2] != "/":
        close = lower.find(f"</{name}", end)
        if close < 0:
            return len(page)
        stop = page.find(">", close)
        return len(page) if stop < 0 else stop + 1
    if name == "a":
        _link(page[start:end], closing, out, links)
    elif name in _BLOCK:
        out.append("\n")
        if not closing:
            out.append(_HEADING.get(name, "- " if name == "li" else ""))
    elif name in ("td", "th"):
        out.append(" | " if closing else "")
    return end


def _tag_end(page: str, start: int) -> int:
    """Position after the `>` that ends the tag, quotes respected; -1 where none is near."""
    limit = min(len(page), start + _MAX_TAG_CHARS)
    at = start + 1
    # A `<` outside quotes starts another tag; stopping there keeps the whole pass linear.
    while (found := _TAG_MARK.search(page, at, limit)) and found[0] != "<":
        if found[0] == ">":
            return found.end()
        at = page.find(found[0], found.end(), limit) + 1
        if at == 0:
            break
    # A stray quote (`<p title="x>`): the first > ends it.
    end = page.find(">", start, limit)
    return end + 1 if end >= 0 else -1


def _link(tag: str, closing: bool, out: list[str], links: list[str]) -> None:
    if closing:
        if links:
            target = links.pop()
            out.append(f"]({target})" if target else "]")
        return
    if len(links) < 16:
        href = _HREF.search(tag)
        links.append(unescaped(href[1] or href[2] or href[3] or "").strip() if href else "")
        out.append("[")
