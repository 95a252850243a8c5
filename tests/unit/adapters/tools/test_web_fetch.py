"""web_fetch: readable text, redirects that are not followed, hostile pages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from remit.adapters.tools._html import html_text
from remit.adapters.tools.web_fetch import web_fetch
from remit.core.effects import Need
from remit.errors import Invalid, Unavailable

PAGE = """<!DOCTYPE html><html><head><title>T &amp; U</title><style>p{}</style><script>if(a<b){"</p>"}</script></head>
<body><!-- <p>no</p> --><h2>Head</h2><p>One   two<br>three &#233; <a href="/x?a=1&amp;b">link</a></p>
<ul><li>a</li><li>b</li></ul><table><tr><td>1</td><td>2</td></tr></table><p title="a>b">end</p></body></html>"""


def fetch(ctx: Any, **arguments: Any) -> str:
    return str(asyncio.run(web_fetch(ctx, **arguments)))


def test_html_becomes_text() -> None:
    """Blocks, headings, lists, links, cells; scripts, styles and comments are gone."""
    assert html_text(PAGE).split("\n") == [
        "T & U",
        "",
        "## Head",
        "",
        "One two",
        "three \u00e9 [link](/x?a=1&b)",
        "",
        "- a",
        "",
        "- b",
        "",
        "1 | 2 |",
        "",
        "end",
    ]


@pytest.mark.parametrize(
    "page",
    [
        "<" * 200_000,
        "<a " * 100_000,
        '<a title="' * 50_000,
        "<!--" * 100_000,
        "<script>" * 100_000,
        "</" * 100_000,
        "&" * 300_000,
        "&#" + "9" * 100_000 + ";",
        "<a href=" * 60_000,
        "\u0130<script>x</script>" * 1000,
        "<p>" * 200_000,
        "<" + "a" * 300_000,
        "<!" * 100_000,
    ],
    ids=range(13),
)
def test_broken_pages_end(page: str) -> None:
    """Markup made to be slow or wrong: text comes back, no more than went in."""
    assert len(html_text(page)) <= 3 * len(page)


def test_pages_are_shown_in_parts(bench: Any) -> None:
    """40,000 characters a call, and how to go on; raw keeps markup."""
    ctx = bench.ctx(http=bench.http(200, b"x" * 50_000, content_type="text/plain"))
    first = fetch(ctx, url="https://a.org/")
    assert first == "x" * 40_000 + "\n[cut: characters 0-40000 of 50000 shown; go on with offset=40000]"
    assert fetch(ctx, url="https://a.org/", offset=40_000) == "x" * 10_000
    assert ctx.http.calls[0][:2] == ("GET", "https://a.org/")
    html = bench.ctx(http=bench.http(200, b"<p>a</p>", content_type="text/html; charset=utf-8"))
    assert (fetch(html, url="https://a.org/"), fetch(html, url="https://a.org/", raw=True)) == ("a", "<p>a</p>")


def test_answers_that_are_no_page(bench: Any) -> None:
    """Redirects are told, errors raised, binary refused, HEAD shows headers."""
    moved = bench.ctx(http=bench.http(302, location="https://b.org/"))
    assert fetch(moved, url="https://a.org/") == "[redirect 302 to https://b.org/; not followed]"
    with pytest.raises(Unavailable, match="answered 404") as caught:
        fetch(bench.ctx(http=bench.http(404)), url="https://a.org/")
    assert caught.value.retryable is False
    with pytest.raises(Invalid, match="not text: image/png"):
        fetch(bench.ctx(http=bench.http(200, b"x", content_type="image/png")), url="https://a.org/")
    with pytest.raises(Invalid, match="not text"):
        fetch(bench.ctx(http=bench.http(200, b"a\0b")), url="https://a.org/")
    head = bench.ctx(http=bench.http(200, content_type="text/html"))
    assert fetch(head, url="https://a.org/", method="HEAD") == "status: 200\ncontent-type: text/html"
    latin = bench.ctx(http=bench.http(200, b"\xe9", content_type="text/plain; charset=iso-8859-1"))
    assert fetch(latin, url="https://a.org/") == "\u00e9"
    odd = bench.ctx(http=bench.http(200, b"a", content_type="text/plain; charset=zlib"))
    assert fetch(odd, url="https://a.org/") == "a"


def test_needs_are_method_and_canonical_address() -> None:
    """The gate sees the parsed URL."""
    assert web_fetch.needs is not None
    need = Need("net", "GET https://a.org:443/x", ("GET", "https", "a.org", "443", "/x"))
    assert web_fetch.needs(url="https://A.org/x") == (need,)
    with pytest.raises(Invalid):
        web_fetch.needs(url="ftp://a.org")
