r"""A fixed IP address, or a plain-http URL.

Bad (python):
    HOST = "203.0.113.7"
    ---
    def f(get):
        return get("http://api.acme.dev/v1")
    ---
    SERVERS = ["198.51.100.2:8080"]

Good (python):
    HOST = "127.0.0.1"
    ---
    BIND = "0.0.0.0"
    ---
    URL = "http://localhost:8000/"
    ---
    URL = "https://api.acme.dev/v1"
    ---
    VERSION = "1.2.3"

Bad (javascript):
    const host = "203.0.113.7";
    ---
    fetch("http://api.acme.dev/v1");
    ---
    const u = `http://${name}.acme.dev/`;

Good (javascript):
    const host = "127.0.0.1";
    ---
    fetch("https://api.acme.dev/v1");
    ---
    const ns = "http://www.w3.org/2000/svg";

Bad (go):
    package p
    const host = "203.0.113.7"
    ---
    package p
    func f() { get("http://api.acme.dev/v1") }
    ---
    package p
    var peers = []string{"198.51.100.2:80"}

Good (go):
    package p
    const host = "127.0.0.1"
    ---
    package p
    func f() { get("https://api.acme.dev/v1") }
    ---
    package p
    const any = "0.0.0.0:80"

Bad (rust):
    const HOST: &str = "203.0.113.7";
    ---
    fn f() { get("http://api.acme.dev/v1"); }
    ---
    fn f() { let p = vec!["198.51.100.2:80"]; g(p); }

Good (rust):
    const HOST: &str = "127.0.0.1";
    ---
    fn f() { get("https://api.acme.dev/v1"); }
    ---
    const ANY: &str = "0.0.0.0:80";
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import nodes
from remit.code.review.values import Fix, Hit, Rule

RULE = Rule("SEC006", "Fixed address or plain http", "security", "warning",
            "Take addresses from the configuration, and use https.", cwe=319, confidence=0.7)  # fmt: skip
_IP = re.compile(r"^(?:\w+://)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(:\d+)?(/[^ ]*)?$")
_HTTP = re.compile(r"^http://([^/\s:?#]*)[^\s]*$")
_NO_HOST = re.compile(r"^$|^(localhost|127\..*|0\.0\.0\.0|\[::1?\]|example\.(com|org|net)|.*\.(local|localhost|"
    r"test|example|"
                      r"invalid|internal))$|(^|\.)(w3\.org|xmlsoap\.org|purl\.org|schemas\..*|json-schema\.org|xmlns\..*|"
                      r"openxmlformats\.org|apache\.org|gnu\.org|oasis-open\.org|ns\.adobe\.com|xml\.org|"
                      r"docbook\.org|relaxng\.org|python\.org)$|[%{}<>]", re.I)  # fmt: skip


def check(file: File) -> Iterable[Hit]:
    """Literals that are an address as a whole."""
    if file.test:
        return
    inside: dict[int, bool] = {}
    for text in nodes(file, ir.Text):
        for at, part in enumerate(text.parts):
            inside[id(part)] = at == 0
    for node in nodes(file, ir.Const):
        if not isinstance(node.value, str) or len(node.value) > 500 or inside.get(id(node)) is False:
            continue
        value = node.value
        octets = _IP.match(value)
        http = _HTTP.match(value)
        if octets and all(int(part) < 256 for part in octets.groups()[:4]) and not _harmless(octets.groups()[:4]):
            yield Hit(node.span, f"a fixed address: {value[:60]}", cwe=1051)
        elif (
            http
            and not octets
            and not _NO_HOST.search(http[1])
            and ("." in http[1] or (id(node) in inside and http[1]))
        ):
            yield Hit(node.span, f"plain http: {value[:80]}", fix=_fix(file, node))
        elif id(node) in inside and value == "http://":
            yield Hit(node.span, "plain http to a host that is filled in")


def _harmless(octets: tuple[str | None, ...]) -> bool:
    first = octets[0]
    return first in ("127", "0", "255") or (first is not None and int(first) < 10 and octets[3] in ("0", "1", "2", "3"))


def _fix(file: File, node: ir.Const) -> Fix | None:
    """https for http, where the line holds it once."""
    line, _, end, _ = node.span
    text = file.lines[line - 1] if line == end and line <= len(file.lines) else ""
    if text.count("http://") != 1:
        return None
    return Fix(line, line, text.replace("http://", "https://") + "\n")
