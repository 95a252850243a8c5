r"""XML from outside is parsed with external entities on.

Bad (python):
    import lxml.etree
    from flask import request
    def view():
        p = lxml.etree.XMLParser(resolve_entities=True)
        return lxml.etree.fromstring(request.data, p)
    ---
    import xml.sax
    from flask import request
    def view():
        p = xml.sax.make_parser()
        p.setFeature(xml.sax.handler.feature_external_ges, True)
        p.parse(request.form["x"])
    ---
    from lxml import etree
    from flask import request
    def view():
        return etree.fromstring(request.data)

Good (python):
    import lxml.etree
    from flask import request
    def view():
        p = lxml.etree.XMLParser(resolve_entities=False)
        return lxml.etree.fromstring(request.data, p)
    ---
    import xml.sax
    from flask import request
    def view():
        p = xml.sax.make_parser()
        p.setFeature(xml.sax.handler.feature_external_ges, False)
        p.parse(request.form["x"])
    ---
    import defusedxml.ElementTree as ET
    from flask import request
    def view():
        return ET.fromstring(request.data)
    ---
    import xml.etree.ElementTree as ET
    from flask import request
    def view():
        return ET.fromstring(request.data)

Bad (javascript):
    const libxml = require("libxmljs");
    app.post("/x", (req, res) => { libxml.parseXml(req.body, { noent: true }); });
    ---
    const { parseXmlString } = require("libxmljs2");
    app.post("/x", (req, res) => { parseXmlString(req.body.xml, { noent: true, nonet: true }); });

Good (javascript):
    const libxml = require("libxmljs");
    app.post("/x", (req, res) => { libxml.parseXml(req.body); });
    ---
    const libxml = require("libxmljs");
    app.post("/x", (req, res) => { libxml.parseXml(req.body, { noent: false }); });
"""

from __future__ import annotations

from collections.abc import Iterable

from remit.code.review.flow.events import Event, steps_of
from remit.code.review.flow.values import NOTHING, UNKNOWN, Value
from remit.code.review.values import Hit, Rule, Step

RULE = Rule("SEC017", "External XML entities", "security", "error",
            "Turn external entities off, or parse with defusedxml.", cwe=611, confidence=0.85,
            languages=("python", "javascript", "typescript"))  # fmt: skip
WATCH = ("parse", "parseString", "fromstring", "XML", "iterparse", "setFeature", "feed", "fromstringlist", "XMLParser",
         "XMLID", "parseXML", "parseXml", "parseXmlString", "parseXmlAsync")  # fmt: skip
_LXML = ("lxml.etree.fromstring", "lxml.etree.XML", "lxml.etree.parse", "lxml.etree.iterparse", "lxml.etree.XMLID",
         "lxml.etree.fromstringlist", "lxml.objectify.fromstring", "lxml.objectify.parse")  # fmt: skip
_SAX = ("xml.sax.parse", "xml.sax.parseString", "xml.dom.pulldom.parse", "xml.dom.pulldom.parseString",
        "xml.dom.minidom.parse", "xml.dom.minidom.parseString", "xml.sax.make_parser().parse",
        "xml.sax.make_parser().feed", "xml.sax.expatreader.create_parser().parse")  # fmt: skip


def watch(event: Event) -> Iterable[Hit]:
    """A parser that resolves entities meets data from outside."""
    if event.language != "python":
        if not event.name.startswith(("libxmljs", "libxmljs2")) or not _entities(event):
            return
    elif event.name in _LXML:
        parser = event.argument(1, "parser")
        if not _resolves(event, parser):
            return
    elif event.name in _SAX:
        if not _switched_on(event):
            return
    else:
        return
    for value in (*event.args, *event.keywords.values()):
        found = event.reaching(value, "xxe", ("outside",))
        if found is not None:
            yield Hit(event.span, f"{found[0].note} is parsed as XML with external entities on",
                      steps=steps_of(*found, Step(event.path, event.span[0], "is parsed")))  # fmt: skip
            return


def _entities(event: Event) -> bool:
    """`{ noent: true }` (JavaScript)."""
    box = event.box(event.args[1]) if len(event.args) > 1 else None
    return box is not None and box.keys.get("noent", NOTHING).const is True


def _resolves(event: Event, parser: Value | None) -> bool:
    """lxml resolves unless the parser says no."""
    if parser is None or parser.const is None:
        return event.constant(-1, "resolve_entities") is not False
    if not parser.ref:
        return False
    box = event.box(parser)
    flag = box.keys.get("resolve_entities") if box is not None else None
    return flag is None or (flag.const is not False and flag.const is not UNKNOWN and flag.const != "internal")


def _switched_on(event: Event) -> bool:
    """The standard library resolves only when a feature is switched on."""
    for one in (event.receiver, *event.args, *event.keywords.values()):
        box = event.box(one)
        flag = box.keys.get("feature:external") if box is not None else None
        if flag is not None:
            return bool(flag.const) and flag.const is not UNKNOWN
    return False
