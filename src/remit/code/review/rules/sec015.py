r"""Outside data is kept in the session, which the program trusts.

Bad (python):
    import flask
    def view():
        flask.session["user"] = flask.request.form["user"]
    ---
    from flask import session, request
    def view():
        session[request.args["key"]] = "1"
    ---
    def view(request):
        request.session["role"] = request.POST["role"]

Good (python):
    import flask
    def view():
        flask.session["count"] = int(flask.request.form["count"])
    ---
    from flask import session, request
    def view():
        lang = request.args["lang"]
        if lang in ("en", "de"):
            session["lang"] = lang
    ---
    from flask import session
    def view():
        session["seen"] = "yes"

Bad (javascript):
    app.post("/s", (req, res) => { req.session.role = req.body.role; });
    ---
    app.post("/s", (req, res) => { req.session[req.body.key] = 1; });
    ---
    app.post("/s", (req, res) => { const u = req.body.user; req.session.user = u; });

Good (javascript):
    app.post("/s", (req, res) => { req.session.count = Number(req.body.count); });
    ---
    app.post("/s", (req, res) => { req.session.seen = true; });
    ---
    app.post("/s", (req, res) => { if (["en", "de"].includes(req.body.l)) { req.session.lang = req.body.l; } });
"""

from __future__ import annotations

from typing import Any

from remit.code.review.flow.values import Value
from remit.code.review.values import Flow, Rule, Sink

RULE = Rule("SEC015", "Trust boundary crossed", "security", "warning",
            "Check the data before it is kept where it will be trusted.", cwe=501, confidence=0.7,
            languages=("python", "javascript", "typescript"))  # fmt: skip


def _session(event: Any, value: Value) -> bool:
    return ".session." in event.name or event.name.startswith("session.")


FLOW = Flow(
    "trust",
    "{source} is kept in the session unchecked",
    {
        "python": (Sink(("flask.session.__setitem__", "session.__setitem__", "?request.session.__setitem__",
                         "?self.request.session.__setitem__", "quart.session.__setitem__"), (0, 1)),
                   Sink(("flask.session.update", "flask.session.setdefault", "session.update", "session.setdefault",
                         "?request.session.update", "?request.session.setdefault"), (0, 1)),
                   Sink(("*.setattr",), (0, 1), (), _session)),
        "javascript": (Sink(("?request.session.__setitem__",), (0, 1)), Sink(("*.__setitem__",), (0, 1), (), _session),
                       Sink(("*.session.*=",), (0,))),
    },
)  # fmt: skip
