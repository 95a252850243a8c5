r"""A cookie is set without the Secure flag.

Bad (python):
    from flask import make_response
    def view():
        r = make_response("x")
        r.set_cookie("id", "1", httponly=True)
        return r
    ---
    def view(response):
        response.set_cookie("id", "1", secure=False)
    ---
    SECURE = False
    def view(response):
        flag = SECURE
        response.set_cookie("id", "1", secure=flag)

Good (python):
    def view(response):
        response.set_cookie("id", "1", secure=True, httponly=True)
    ---
    SECURE = True
    def view(response):
        flag = SECURE
        response.set_cookie("id", "1", secure=flag)
    ---
    def view(response, settings):
        response.set_cookie("id", "1", secure=settings.secure)
    ---
    def view(jar, options):
        jar.set_cookie("id", "1", **options)
    ---
    def keep(jar, cookie):
        jar.set_cookie(cookie)

Bad (javascript):
    app.get("/", (req, res) => { res.cookie("id", "1"); });
    ---
    app.get("/", (req, res) => { res.cookie("id", "1", { secure: false }); });
    ---
    app.get("/", (req, res) => { res.cookie("id", "1", { httpOnly: true }); });

Good (javascript):
    app.get("/", (req, res) => { res.cookie("id", "1", { secure: true }); });
    ---
    app.get("/", (req, res) => { res.cookie("id", "1", options); });
    ---
    app.get("/", (req, res) => { const secure = true; res.cookie("id", "1", { secure, httpOnly: true }); });

Bad (go):
    package p
    import "net/http"
    func h(w http.ResponseWriter) { http.SetCookie(w, &http.Cookie{Name: "id", Value: "1"}) }
    ---
    package p
    import "net/http"
    func h(w http.ResponseWriter) { c := http.Cookie{Name: "id", Secure: false}; http.SetCookie(w, &c) }
    ---
    package p
    import "net/http"
    func h(w http.ResponseWriter) { http.SetCookie(w, &http.Cookie{Name: "id", HttpOnly: true}) }

Good (go):
    package p
    import "net/http"
    func h(w http.ResponseWriter) { http.SetCookie(w, &http.Cookie{Name: "id", Secure: true}) }
    ---
    package p
    import "net/http"
    func h(w http.ResponseWriter, c *http.Cookie) { http.SetCookie(w, c) }
    ---
    package p
    import "net/http"
    func h(w http.ResponseWriter) { s := true; http.SetCookie(w, &http.Cookie{Name: "id", Secure: s}) }
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from remit.code.review.flow.events import Event
from remit.code.review.flow.values import HOLE, UNKNOWN, Value
from remit.code.review.values import Hit, Rule

RULE = Rule("SEC016", "Cookie without Secure", "security", "warning",
            "Set secure=True (and httponly=True): the cookie then travels over TLS only.", cwe=614, confidence=0.85,
            languages=("python", "javascript", "typescript", "go"))  # fmt: skip
WATCH = ("set_cookie", "cookie", "SetCookie", "set_signed_cookie", "__setitem__", "setHeader", "set", "Set", "Add",
         "add", "append", "header")  # fmt: skip


_HEADER = ("__setitem__", "setHeader", "set", "Set", "Add", "add", "append", "header")


def watch(event: Event) -> Iterable[Hit]:
    """The flag is absent or false."""
    if event.method in _HEADER:
        yield from _header(event)
        return
    if event.language == "python":
        if event.method in ("cookie", "SetCookie") or (not event.args and not event.keywords):
            return
        if len(event.args) == 1 and not event.keywords and event.args[0].const is UNKNOWN:
            return  # a client's jar takes a whole cookie; a response takes a name and more
        if "**" in event.keywords and "secure" not in event.keywords:
            return
        flag = event.argument(-1, "secure") or (event.args[6] if len(event.args) > 6 else Value(False))
    else:
        found = _options(event)
        if found is None:
            return
        flag = found
    if flag.const is not UNKNOWN and not flag.const:
        yield Hit(event.span, "the cookie is set without the Secure flag")


def _header(event: Event) -> Iterable[Hit]:
    """`Set-Cookie` written as a header."""
    if len(event.args) < 2 or not isinstance(event.args[0].const, str) or event.args[0].const.lower() != "set-cookie":
        return
    said = event.args[1].shape
    if said is not None and not re.search(r";\s*secure\b", said, re.I) and not said.endswith(HOLE):
        yield Hit(event.span, "the cookie is set without the Secure flag")


def _options(event: Event) -> Value | None:
    """The flag in the options (JavaScript) or the struct (Go); None = not known, or no cookie is set."""
    if event.method == "SetCookie":
        box = event.box(event.args[1]) if len(event.args) > 1 and event.name.startswith(("net/http", "http")) else None
        return None if box is None or box.rest is not None else box.keys.get("Secure", Value(False))
    if event.method != "cookie" or len(event.args) < 2 or not event.name.startswith(("?", "res", "reply")):
        return None
    if len(event.args) == 2:
        return Value(False)
    box = event.box(event.args[2])
    return None if box is None or box.rest is not None else box.keys.get("secure", Value(False))
