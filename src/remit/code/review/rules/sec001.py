r"""A literal secret bound to the name of one; tests and examples apart.

Bad (python):
    password = "hunter2-Tr0ub4dor"
    ---
    API_KEY = "ghp_1234567890abcdefABCDEF"
    ---
    def f(connect):
        connect(host="x", password="s3cr3t-value")
    ---
    config = {"secret_key": "9f8e7d6c5b4a"}
    ---
    def check(password):
        return password == "letMe1n-now"

Good (python):
    import os
    password = os.environ["PASSWORD"]
    ---
    password = ""
    ---
    PASSWORD_FIELD = "password"
    ---
    token = "<your token>"
    ---
    secret_name = "database/password"

Bad (javascript):
    const password = "hunter2-Tr0ub4dor";
    ---
    const config = { apiKey: "ghp_1234567890abcdefABCDEF" };
    ---
    class C { constructor() { this.secret = "9f8e7d6c5b4a"; } }

Good (javascript):
    const password = process.env.PASSWORD;
    ---
    const passwordLabel = "Password";
    ---
    const token = "";

Bad (go):
    package p
    const password = "hunter2-Tr0ub4dor"
    ---
    package p
    var apiKey = "ghp_1234567890abcdefABCDEF"
    ---
    package p
    func f() { c := Config{Secret: "9f8e7d6c5b4a"}; use(c) }

Good (go):
    package p
    import "os"
    var password = os.Getenv("PASSWORD")
    ---
    package p
    const passwordKey = "password"
    ---
    package p
    var token = ""

Bad (rust):
    const PASSWORD: &str = "hunter2-Tr0ub4dor";
    ---
    fn f() { let api_key = "ghp_1234567890abcdefABCDEF"; g(api_key); }
    ---
    fn f() { let c = Config { secret: "9f8e7d6c5b4a" }; g(c); }

Good (rust):
    fn f() { let password = std::env::var("PASSWORD"); g(password); }
    ---
    const PASSWORD_FIELD: &str = "password";
    ---
    fn f() { let token = ""; g(token); }
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import nodes
from remit.code.review.values import Hit, Rule

RULE = Rule("SEC001", "Literal secret", "security", "critical",
            "Take it from the environment or a vault, and change the one that was written down.", cwe=798)  # fmt: skip
_NAME = re.compile(r"(^|[_\W]|(?<=[a-z]))(password|passwd|pwd|passphrase|secret|api_?key|access_?key|auth_?key|"
    r"private_?key|"
                   r"secret_?key|encryption_?key|signing_?key|token|client_?secret|credentials?|jwt_?secret)$",
                   re.I)  # fmt: skip
_NO_SECRET = re.compile(r"^$|^[<{\[(%$].*|.*[>}\])%]$|^\*+$|^x+$|.*\s.*\s.*|^(none|null|true|false|test|example|"
    r"changeme|"
                        r"password|passwd|secret|token|api_?key|your.*|dummy|placeholder|todo|bearer|basic|string|str|text|"
                        r"redacted|default|unknown|username|user|admin_password|required|optional|hidden|key|id|name|value)$|"
                        r"^[a-z]+(_[a-z]+)*$|^[A-Z]+(_[A-Z]+)+$|^https?://|^[./~]|.*[/\\].*|^[a-z]+(-[a-z]+)*$|"
                        r"^[A-Za-z][a-z]+$|^[a-z]+([A-Z][a-z]+)+$|^\.\.\.$", re.I | re.S)  # fmt: skip
_KNOWN = re.compile(r"^(ghp|gho|ghs|github_pat|sk|pk|rk|xox[abp]|AKIA|ASIA|AIza|glpat|npm|SG)[-_.A-Za-z0-9]{16,}$")


def check(file: File) -> Iterable[Hit]:
    """Assignments, keywords, map entries and comparisons."""
    if file.test:
        return
    compared = {one.span for one in nodes(file, ir.Binary)}
    for name, value, span in _bindings(file):
        if not _NAME.search(name) or not isinstance(value, ir.Const) or not _secret(value.value):
            continue
        if span in compared and not re.search(r"\d", str(value.value)) and str(value.value) not in _COMMON:
            continue  # a marker that a token of a language is compared with, and the like
        yield Hit(span, f"a literal secret is bound to {name}")


def _secret(value: Any) -> bool:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str) or not 4 <= len(value) <= 300:
        return False
    if _KNOWN.match(value):
        return True
    if re.fullmatch(r"[a-z]{4,}|[A-Z]?[a-z]+", value):
        return value.lower() in _COMMON
    return not _NO_SECRET.fullmatch(value)


_COMMON = frozenset(("hunter", "letmein", "qwerty", "iloveyou", "dragon", "monkey", "superman", "batman", "abcdef"))


def _bindings(file: File) -> Iterator[tuple[str, Any, ir.Span]]:
    """(name, value, place) of everything that binds a name to a value."""
    for node in nodes(file, ir.Assign, ir.Call, ir.Mapping, ir.Binary, ir.Function):
        if isinstance(node, ir.Assign):
            yield from ((_word(target), node.value, node.span) for target in node.targets)
        elif isinstance(node, ir.Call):
            yield from ((name, value, value.span) for name, value in zip(node.names, node.args, strict=True)
                        if name.strip("*"))  # fmt: skip
        elif isinstance(node, ir.Mapping):
            yield from ((_word(key), value, value.span) for key, value in zip(node.keys, node.values, strict=False)
                        if key is not None and value is not None)  # fmt: skip
        elif isinstance(node, ir.Function):
            yield from ((one.name, one.default, one.default.span) for one in node.params if one.default is not None)
        elif node.op in ("==", "===", "!=", "!=="):
            yield _word(node.left), node.right, node.span


def _word(node: Any) -> str:
    if isinstance(node, ir.Const) and isinstance(node.value, str):
        return node.value if len(node.value) < 60 and " " not in node.value else ""
    if isinstance(node, ir.Index):
        return _word(node.key)
    return ir.last_name(node)
