r"""Outside text reaches a page unescaped (cross-site scripting).

Bad (python):
    from flask import request
    @app.route("/x")
    def view():
        return "<p>" + request.args["name"] + "</p>"
    ---
    from flask import request, make_response
    @app.route("/x")
    def view():
        return make_response(f"<b>{request.form['n']}</b>")
    ---
    from django.http import HttpResponse
    def view(request):
        return HttpResponse("hello " + request.GET["name"])
    ---
    from markupsafe import Markup
    from flask import request
    def view():
        return Markup("<b>%s</b>" % request.args["x"])

Good (python):
    import html
    from flask import request
    @app.route("/x")
    def view():
        return "<p>" + html.escape(request.args["name"]) + "</p>"
    ---
    from flask import request, jsonify
    @app.route("/x")
    def view():
        return jsonify({"name": request.args["name"]})
    ---
    from flask import request, render_template
    @app.route("/x")
    def view():
        return render_template("x.html", name=request.args["name"])
    ---
    from flask import request, Response
    @app.route("/x")
    def view():
        return Response(request.args["name"], mimetype="text/plain")

Bad (javascript):
    app.get("/x", (req, res) => { res.send("<p>" + req.query.name + "</p>"); });
    ---
    document.getElementById("a").innerHTML = location.hash.slice(1);
    ---
    document.write(decodeURIComponent(location.search));

Good (javascript):
    app.get("/x", (req, res) => { res.json({ name: req.query.name }); });
    ---
    document.getElementById("a").textContent = location.hash.slice(1);
    ---
    app.get("/x", (req, res) => { res.send("<p>" + escapeHtml(req.query.name) + "</p>"); });

Bad (go):
    package p
    import "fmt"
    func h(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "<p>%s</p>", r.FormValue("n")) }
    ---
    package p
    func h(w http.ResponseWriter, r *http.Request) { w.Write([]byte("<p>" + r.FormValue("n") + "</p>")) }
    ---
    package p
    import "html/template"
    func h(w http.ResponseWriter, r *http.Request) { t.Execute(w, template.HTML(r.FormValue("n"))) }

Good (go):
    package p
    import ("fmt"; "html")
    func h(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "<p>%s</p>", html.EscapeString(r.FormValue("n"))) }
    ---
    package p
    func h(w http.ResponseWriter, r *http.Request) { t.Execute(w, r.FormValue("n")) }
    ---
    package p
    import "encoding/json"
    func h(w http.ResponseWriter, r *http.Request) { json.NewEncoder(w).Encode(r.FormValue("n")) }

Bad (rust):
    use axum::response::Html;
    async fn h(q: Query<P>) -> Html<String> { Html(format!("<p>{}</p>", q.name)) }
    ---
    async fn h(q: Query<P>) { HttpResponse::Ok().content_type("text/html").body(q.name); }
    ---
    use axum::response::Html;
    async fn h(Path(n): Path<String>) -> Html<String> { let page = "<b>".to_string() + &n; Html(page) }

Good (rust):
    use axum::response::Html;
    async fn h(q: Query<P>) -> Html<String> { Html(format!("<p>{}</p>", html_escape::encode_text(&q.name))) }
    ---
    async fn h(q: Query<P>) { HttpResponse::Ok().json(q.name); }
    ---
    async fn h(q: Query<P>) { HttpResponse::Ok().content_type("text/plain").body(q.name); }
"""

from __future__ import annotations

import re

from remit.code.review import ir
from remit.code.review.flow.engine import _route
from remit.code.review.flow.events import Event
from remit.code.review.flow.values import UNKNOWN, Value
from remit.code.review.values import Flow, Rule, Sink

RULE = Rule("SEC010", "Unescaped text in a page", "security", "error",
            "Escape the text for the place it stands in, or let a template with autoescape do it.",
            cwe=79, confidence=0.85, languages=("python", "javascript", "typescript", "go", "rust"))  # fmt: skip
_PLAIN = re.compile(r"json|text/plain|csv|octet|xml|image|pdf", re.I)


def _html(event: Event, value: Value) -> bool:
    """The answer is not declared as something that browsers do not render."""
    for name in ("mimetype", "content_type", "media_type"):
        kind = event.constant(-1, name)
        if isinstance(kind, str) and _PLAIN.search(kind):
            return False
    headers = event.keywords.get("headers")
    box = event.box(headers) if headers is not None else None
    kinds = [
        one.const for key, one in (box.keys.items() if box is not None else ()) if str(key).lower() == "content-type"
    ]
    return not any(isinstance(kind, str) and _PLAIN.search(kind) for kind in kinds)


_VERBS = frozenset(("get", "post", "put", "delete", "patch", "head", "options", "dispatch_request"))


def _registered(event: Event) -> bool:
    """A handler by a call (`add_url_rule`), or a method of a class of views."""
    function = event.frame.function
    if id(function) in event.frame.module.routed:
        return True
    held = event.box(event.frame.self_value) if event.frame.self_value is not None else None
    bases = held.cls.cls.bases if held is not None and held.cls is not None else ()
    return function is not None and function.name in _VERBS and any(ir.last_name(one) in ("MethodView", "View")
                                                                    for one in bases)  # fmt: skip


def _handler(event: Event, value: Value) -> bool:
    """A handler of Flask and its kind gives back text (not an object that becomes JSON)."""
    function = event.frame.function
    if function is None or event.language != "python" or not (_route(function) is not None or _registered(event)):
        return False
    box = event.box(event.args[0])
    if box is not None:
        return box.kind == "tuple" and bool(box.items) and bool(box.items and box.items[0].taints)
    return value.qual not in _OBJECTS and not re.search(
        r"redirect|render|jsonify|send_file|json|template|[rR]esponse\(\)", value.qual
    )


_OBJECTS = frozenset(("flask.jsonify()", "flask.redirect()"))


def _writer(event: Event, value: Value) -> bool:
    """The first argument is a response."""
    first = event.args[0] if event.args else None
    if first is None or not re.search(r"ResponseWriter", first.qual) or value is first:
        return False
    return not _said_plain(event)


def _response_writer(event: Event, value: Value) -> bool:
    return re.search(r"ResponseWriter", event.receiver.qual) is not None and not _said_plain(event)


def _said_plain(event: Event) -> bool:
    """The handler, or the chain of calls itself, says that the answer is no page."""
    body = [event.node, *(event.frame.function.body if event.frame.function is not None else ())]
    for one in ir.within(body):
        if not isinstance(one, ir.Call) or not one.args or not isinstance(one.args[-1], ir.Const):
            continue
        kind, name = str(one.args[-1].value), ir.last_name(one.callee)
        first = one.args[0].value if isinstance(one.args[0], ir.Const) else ""
        if _PLAIN.search(kind) and (name in ("type", "contentType") or str(first).lower() == "content-type"):
            return True
    return False


def _not_object(event: Event, value: Value) -> bool:
    """express sends objects as JSON."""
    box = event.box(event.args[0]) if event.args else None
    plain = event.args[0].const if event.args else UNKNOWN
    return (box is None or box.kind not in ("dict", "list")) and plain is UNKNOWN and not _said_plain(event)


def _as_page(event: Event, value: Value) -> bool:
    """`...content_type("text/html").body(x)`."""
    for one in ir.walk(event.node):
        if isinstance(one, ir.Call) and ir.last_name(one.callee) in ("content_type", "insert_header", "append_header"):
            return any(isinstance(part, ir.Const) and "html" in str(part.value) for part in ir.walk(one.args))
    return False


_PAGES = ("flask.make_response", "flask.Response", "make_response", "Response", "django.http.HttpResponse",
          "django.http.HttpResponseBadRequest", "django.http.HttpResponseNotFound", "werkzeug.wrappers.Response",
          "fastapi.responses.HTMLResponse", "starlette.responses.HTMLResponse", "aiohttp.web.Response",
          "django.http.response.HttpResponse", "HttpResponse", "quart.Response", "flask.make_response.make_response",
          "django.http.HttpResponseForbidden", "django.http.HttpResponseServerError", "HTMLResponse")  # fmt: skip
_SAFE = ("markupsafe.Markup", "flask.Markup", "django.utils.safestring.mark_safe", "jinja2.Markup", "Markup",
    "mark_safe",
         "django.utils.safestring.SafeString")  # fmt: skip

FLOW = Flow(
    "xss",
    "{source} reaches the page through {sink} unescaped",
    {
        "python": (
            Sink(_PAGES, (0,), ("response", "content", "body", "text"), _html),
            Sink(_SAFE, (0,)),
            Sink(("return",), (0,), (), _handler, what="what the handler gives back"),
            Sink(("*.set_data", "?self.write", "*.wfile.write", "?handler.wfile.write"), (0,)),
            Sink(("*.data=", "*.content="), (0,), (), lambda event, value: "esponse" in event.name),
        ),
        "javascript": (
            Sink(("*.send", "*.end", "*.write"), (0,), (),
                 lambda event, value: bool(re.search(r"^\?response\.|^(res|resp|response|reply)\.|\.status\(\)",
                 event.name)) and _not_object(event, value)),
            Sink(("*.innerHTML=", "*.outerHTML=", "*.srcdoc="), (0,)),
            Sink(("document.write", "document.writeln", "*.insertAdjacentHTML", "*.html", "*.append$"), (0, 1)),
            Sink(("*.dangerouslySetInnerHTML=",), (0,)),
        ),
        "go": (
            Sink(("fmt.Fprintf", "fmt.Fprint", "fmt.Fprintln", "io.WriteString"), (1, 2, 3), (), _writer),
            Sink(("*.Write", "*.WriteString"), (0,), (), _response_writer),
            Sink(("html/template.HTML", "template.HTML", "html/template.JS", "template.JS", "html/template.URL"), (0,)),
        ),
        "rust": (
            Sink(("axum.response.Html", "Html", "warp.reply.html", "rocket.response.content.RawHtml", "RawHtml",
                  "actix_web.web.Html.new"), (0,)),
            Sink(("*.body",), (0,), (), _as_page),
        ),
    },
    {
        "python": ("html.escape", "markupsafe.escape", "flask.escape", "cgi.escape", "django.utils.html.escape",
                   "bleach.clean", "werkzeug.utils.escape", "xml.sax.saxutils.escape", "escape", "nh3.clean",
                   "urllib.parse.quote", "urllib.parse.quote_plus", "urllib.parse.urlencode", "flask.jsonify",
                   "jsonify",
                   "json.dumps", "flask.render_template", "render_template", "flask.render_template_string",
                   "django.shortcuts.render", "render", "flask.redirect", "redirect", "flask.url_for", "*.hexdigest",
                   "jinja2.Environment().get_template().render", "flask.send_file", "flask.send_from_directory",
                   "django.utils.html.format_html", "saxutils.escape", "base64.b64encode",
                   "lxml.html.clean.clean_html", "markupsafe.Markup().format", "flask.Markup().format",
                   "jinja2.Markup().format"),
        "javascript": ("escapeHtml", "escape-html", "encodeURIComponent", "encodeURI", "DOMPurify.sanitize",
                       "validator.escape", "lodash.escape", "he.encode", "he.escape", "JSON.stringify", "sanitizeHtml",
                       "sanitize-html", "_.escape", "xss"),
        "go": ("html.EscapeString", "html/template.HTMLEscapeString", "template.HTMLEscapeString",
               "url.QueryEscape", "net/url.QueryEscape", "net/url.PathEscape"),
        "rust": ("html_escape.encode_text", "html_escape.encode_safe", "html_escape.encode_double_quoted_attribute",
                 "askama_escape.escape", "ammonia.clean", "v_htmlescape.escape", "urlencoding.encode"),
    },
)  # fmt: skip
