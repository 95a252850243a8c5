r"""Outside text inside an XPath expression.

Bad (python):
    import lxml.etree
    from flask import request
    def view(root):
        return root.xpath(f"/users/user[@name='{request.args['n']}']")
    ---
    import elementpath
    from flask import request
    def view(root):
        query = "//user[@id='" + request.form["id"] + "']"
        return elementpath.select(root, query)
    ---
    import xml.etree.ElementTree as ET
    from flask import request
    def view():
        return ET.parse("u.xml").getroot().find(".//user[@name='%s']" % request.cookies["n"])

Good (python):
    import lxml.etree
    from flask import request
    def view(root):
        return root.xpath("/users/user[@name=$n]", n=request.args["n"])
    ---
    import lxml.etree
    from flask import request
    def view(root):
        n = request.args["n"].replace("'", "&apos;")
        return root.xpath(f"/users/user[@name='{n}']")
    ---
    import elementpath
    from flask import request
    def view(root):
        n = request.args["n"]
        if "'" in n:
            return ""
        return elementpath.select(root, f"/users/user[@name='{n}']")

Bad (javascript):
    const xpath = require("xpath");
    app.get("/u", (req, res) => { xpath.select("//u[@n='" + req.query.n + "']", doc); });
    ---
    const { select1 } = require("xpath");
    app.get("/u", (req, res) => { select1(`//u[@n="${req.body.n}"]`, doc); });

Good (javascript):
    const xpath = require("xpath");
    app.get("/u", (req, res) => { xpath.parse("//u[@n=$n]").select({ node: doc, variables: { n: req.query.n } }); });

Bad (go):
    package p
    import "github.com/antchfx/xmlquery"
    func h(w http.ResponseWriter, r *http.Request) { xmlquery.Find(doc, "//u[@n='" + r.FormValue("n") + "']") }

Good (go):
    package p
    import ("github.com/antchfx/xmlquery"; "strings")
    func h(w http.ResponseWriter, r *http.Request) {
        n := r.FormValue("n")
        if strings.Contains(n, "'") { return }
        xmlquery.Find(doc, "//u[@n='" + n + "']")
    }
"""

from __future__ import annotations

from typing import Any

from remit.code.review.flow.values import Value
from remit.code.review.values import Flow, Rule, Sink

RULE = Rule("SEC012", "XPath built from data", "security", "error",
            "Hand the data over as a variable of the expression.", cwe=643, confidence=0.85,
            languages=("python", "javascript", "typescript", "go"))  # fmt: skip


def _path(event: Any, value: Value) -> bool:
    """The text has the form of a path into a document."""
    shape = value.shape or ""
    return "/" in shape or "[" in shape or "etree" in event.name or "xml" in event.name


FLOW = Flow(
    "xpath",
    "{source} becomes part of the XPath that {sink} evaluates",
    {"python": (Sink(("*.xpath", "lxml.etree.XPath", "lxml.etree.ETXPath", "*.XPath"), (0,), ("path", "_path")),
                Sink(("elementpath.select", "elementpath.iter_select", "elementpath.Selector",
                "elementpath.XPath2Parser",
                      "elementpath.XPathToken"), (0, 1), ("path",)),
                Sink(("*.find", "*.findall", "*.findtext", "*.iterfind"), (0,), ("path",), _path),
                Sink(("libxml2.xpathEval", "*.xpathEval", "xpath.find"), (0,))),
     "javascript": (Sink(("xpath.select", "xpath.select1", "xpath.evaluate", "xpath.parse", "document.evaluate",
                          "xpath.useNamespaces()"), (0,)),),
     "go": (Sink(tuple(f"{owner}.{name}" for owner in ("github.com/antchfx/xmlquery", "github.com/antchfx/htmlquery",
                                                       "xmlquery", "htmlquery")
                       for name in ("Find", "FindOne", "Query", "QueryAll", "FindEach")), (1,)),
            Sink(tuple(f"{owner}.{name}" for owner in ("github.com/antchfx/xpath", "xpath")
                       for name in ("Compile", "MustCompile", "Select")), (0,)))},
    {"python": ("*.quoteattr", "xml.sax.saxutils.quoteattr")},
)  # fmt: skip
