r"""Outside data decides where the browser is sent.

Bad (python):
    from flask import request, redirect
    def view():
        return redirect(request.args["next"])
    ---
    import flask
    def view():
        url = flask.request.form.get("u", "")
        return flask.redirect(url)
    ---
    from django.shortcuts import redirect
    def view(request):
        return redirect(request.GET["next"])

Good (python):
    from flask import request, redirect
    def view():
        return redirect("/item?id=" + request.args["id"])
    ---
    import urllib.parse
    from flask import request, redirect
    def view():
        url = request.args["next"]
        if urllib.parse.urlparse(url).netloc not in ("example.org",):
            return "no"
        return redirect(url)
    ---
    from flask import redirect, url_for
    def view():
        return redirect(url_for("index"))

Bad (javascript):
    app.get("/r", (req, res) => { res.redirect(req.query.next); });
    ---
    window.location = new URLSearchParams(location.search).get("next");
    ---
    app.get("/r", (req, res) => { const u = req.body.url; res.redirect(302, u); });

Good (javascript):
    app.get("/r", (req, res) => { res.redirect("/home?x=" + req.query.x); });
    ---
    app.get("/r", (req, res) => { if (["/a", "/b"].includes(req.query.n)) { res.redirect(req.query.n); } });
    ---
    app.get("/r", (req, res) => { res.redirect("/"); });

Bad (go):
    package p
    import "net/http"
    func h(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.FormValue("next"), 302) }
    ---
    package p
    import "net/http"
    func h(w http.ResponseWriter, r *http.Request) { u := r.URL.Query().Get("u"); http.Redirect(w, r, u, 302) }
    ---
    package p
    func h(c *gin.Context) { c.Redirect(302, c.Query("next")) }

Good (go):
    package p
    import "net/http"
    func h(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/home?x=" + r.FormValue("x"), 302) }
    ---
    package p
    import "net/http"
    func h(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", 302) }
    ---
    package p
    import "net/http"
    func h(w http.ResponseWriter, r *http.Request) {
        n := r.FormValue("n")
        if n == "/a" { http.Redirect(w, r, n, 302) }
    }

Bad (rust):
    use axum::response::Redirect;
    async fn h(q: Query<P>) -> Redirect { Redirect::to(&q.next) }
    ---
    async fn h(q: Query<P>) { HttpResponse::Found().append_header(("Location", q.next)); }
    ---
    use axum::response::Redirect;
    async fn h(q: Query<P>) -> Redirect { Redirect::temporary(&format!("https://{}", q.host)) }

Good (rust):
    use axum::response::Redirect;
    async fn h(q: Query<P>) -> Redirect { Redirect::to(&format!("/item/{}", q.id)) }
    ---
    async fn h(q: Query<P>) { HttpResponse::Found().append_header(("X-Kind", q.next)); }
    ---
    use axum::response::Redirect;
    async fn h() -> Redirect { Redirect::to("/") }
"""

from __future__ import annotations

import re
from typing import Any

from remit.code.review.flow.values import Value
from remit.code.review.values import Flow, Rule, Sink

RULE = Rule("SEC014", "Open redirect", "security", "error",
            "Send only to paths of this site, or to hosts from a list.", cwe=601, confidence=0.85,
            languages=("python", "javascript", "typescript", "go", "rust"))  # fmt: skip
_FIXED = re.compile(r"https?://[^/\x00]+/|/[^/\\\x00]|[?#]")


def open_ended(event: Any, value: Value) -> bool:
    """Nothing fixed before the data settles the host."""
    return not _FIXED.match(value.shape or "")


def _location(event: Any, value: Value) -> bool:
    """A response's header `Location`."""
    key = event.args[0].const
    return isinstance(key, str) and key.lower() == "location" and value is event.args[1] and open_ended(event, value)


def _options(event: Any, value: Value) -> bool:
    """`writeHead(302, {Location: x})`, `make_response("", 302, {"Location": x})`."""
    box = event.box(value)
    for key, one in box.keys.items() if box is not None else ():
        if str(key).lower() == "location" and event.reaching(one, "redirect", ("outside",)):
            return open_ended(event, one)
    return False


def _pair(event: Any, value: Value) -> bool:
    """`append_header(("Location", x))`, `header("location", x)`."""
    box = event.box(event.args[0])
    pair = list(box.items or ()) if box is not None else list(event.args)
    named = len(pair) == 2 and (pair[0].qual.upper().endswith("LOCATION") or str(pair[0].const).lower() == "location")
    return named and open_ended(event, pair[1])


FLOW = Flow(
    "redirect",
    "{source} decides where {sink} sends the browser",
    {
        "python": (Sink(("flask.redirect", "redirect", "django.shortcuts.redirect", "django.http.HttpResponseRedirect",
                         "HttpResponseRedirect", "werkzeug.utils.redirect", "starlette.responses.RedirectResponse",
                         "fastapi.responses.RedirectResponse", "RedirectResponse", "aiohttp.web.HTTPFound",
                         "bottle.redirect", "quart.redirect", "?self.redirect", "tornado.web.redirect",
                         "django.http.HttpResponsePermanentRedirect", "pyramid.httpexceptions.HTTPFound"),
                        (0,), ("location", "url", "to"), open_ended),
                   Sink(("*.headers.__setitem__", "*.headers.set", "*.headers.add", "*.set_header"), (1,), (),
                        _location),
                   Sink(("*.location=",), (0,), (), lambda event, value: "esponse" in event.name
                        and open_ended(event, value)),
                   Sink(("flask.make_response", "flask.Response", "werkzeug.wrappers.Response",
                         "django.http.HttpResponse", "starlette.responses.Response", "fastapi.responses.Response",
                         "fastapi.Response"), (2,), ("headers",), _options)),
        "javascript": (Sink(("*.redirect",), (0, 1), (), open_ended),
                       Sink(("window.location=", "document.location=", "location.href=", "window.location.href=",
                             "location.assign", "location.replace", "window.location.assign", "window.open",
                             "window.location.replace"), (0,), (), open_ended),
                       Sink(("*.setHeader", "*.set", "*.header", "*.append"), (1,), (), _location),
                       Sink(("*.writeHead",), (1, 2), (), _options)),
        "go": (Sink(("net/http.Redirect", "http.Redirect"), (2,), (), open_ended),
               Sink(("*.Redirect",), (0, 1), (), lambda event, value: event.name.startswith("?ctx")
                    and open_ended(event, value)),
               Sink(("*.Set", "*.Add"), (1,), (), lambda event, value: "Header" in event.name
                    and _location(event, value))),
        "rust": (Sink(tuple(f"{owner}.{name}"
                            for owner in ("Redirect", "axum.response.Redirect", "rocket.response.Redirect")
                            for name in ("to", "temporary", "permanent", "found")), (0,), (), open_ended),
                 Sink(("*.append_header", "*.insert_header", "*.header"), (), (), _pair)),
    },
    {"python": ("flask.url_for", "url_for", "django.urls.reverse", "reverse")},
)  # fmt: skip
