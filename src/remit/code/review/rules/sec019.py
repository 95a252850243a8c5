r"""Outside text is a template (server-side template injection).

Bad (python):
    from flask import request, render_template_string
    def view():
        return render_template_string("<p>" + request.args["x"] + "</p>")
    ---
    import jinja2
    from flask import request
    def view():
        return jinja2.Template(request.form["t"]).render()
    ---
    from jinja2 import Environment
    from flask import request
    def view():
        return Environment().from_string(request.args["t"]).render()

Good (python):
    from flask import request, render_template_string
    def view():
        return render_template_string("<p>{{ x }}</p>", x=request.args["x"])
    ---
    import jinja2
    from flask import request
    def view():
        return jinja2.Template("hello {{ n }}").render(n=request.form["n"])
    ---
    from flask import request, render_template
    def view():
        return render_template("a.html", t=request.args["t"])

Bad (javascript):
    const ejs = require("ejs");
    app.get("/t", (req, res) => { ejs.render(req.query.t); });
    ---
    const pug = require("pug");
    app.get("/t", (req, res) => { pug.compile("p " + req.query.t)(); });
    ---
    const Handlebars = require("handlebars");
    app.get("/t", (req, res) => { Handlebars.compile(req.body.t); });

Good (javascript):
    const ejs = require("ejs");
    app.get("/t", (req, res) => { ejs.render("<%= t %>", { t: req.query.t }); });
    ---
    app.get("/t", (req, res) => { res.render("page", { t: req.query.t }); });
    ---
    const pug = require("pug");
    function f() { return pug.compile("p hello"); }
"""

from __future__ import annotations

from remit.code.review.values import Flow, Rule, Sink

RULE = Rule("SEC019", "Template from outside", "security", "critical",
            "Keep the template fixed and hand the data over as its variables.", cwe=1336, confidence=0.9,
            languages=("python", "javascript", "typescript"))  # fmt: skip
FLOW = Flow(
    "template",
    "{source} is part of the template that {sink} runs",
    {
        "python": (Sink(("flask.render_template_string", "render_template_string", "jinja2.Template", "Template",
                         "mako.template.Template", "jinja2.Environment().from_string", "*.from_string",
                         "django.template.Template", "tornado.template.Template", "chameleon.PageTemplate",
                         "quart.render_template_string"), (0,), ("source",)),),
        "javascript": (Sink(tuple(f"{engine}.{name}" for engine in ("ejs", "pug", "handlebars", "nunjucks",
        "mustache", "dot",
                                                                    "lodash", "hogan.js", "eta")
                                  for name in ("render", "compile", "renderString", "template")), (0,)),),
    },
)  # fmt: skip
