r"""A secret-like value written to a log.

Bad (python):
    import logging
    def f(password):
        logging.info("login %s", password)
    ---
    def f(log, user):
        log.debug(f"token {user.token}")
    ---
    def f(api_key):
        print("key: " + api_key)

Good (python):
    import logging
    def f(user):
        logging.info("login %s", user)
    ---
    def f(log, password):
        log.debug("length %d", len(password))
    ---
    def f(log, token_count):
        log.info("used %d", token_count)

Bad (javascript):
    function f(password) { console.log("login", password); }
    ---
    function f(user) { logger.info(`token ${user.token}`); }
    ---
    function f(apiKey) { console.error("key: " + apiKey); }

Good (javascript):
    function f(user) { console.log("login", user.name); }
    ---
    function f(token) { verify(token); }
    ---
    function f(password) { console.log("length", password.length); }

Bad (go):
    package p
    import "log"
    func f(password string) { log.Println("login", password) }
    ---
    package p
    import "fmt"
    func f(u User) { fmt.Printf("token %s", u.Token) }
    ---
    package p
    import "log"
    func f(apiKey string) { log.Printf("key: " + apiKey) }

Good (go):
    package p
    import "log"
    func f(user string) { log.Println("login", user) }
    ---
    package p
    import "log"
    func f(password string) { log.Println("length", len(password)) }
    ---
    package p
    func f(token string) { verify(token) }

Bad (rust):
    fn f(password: &str) { println!("login {}", password); }
    ---
    fn f(u: &User) { info!("token {}", u.token); }
    ---
    fn f(api_key: &str) { log::debug!("key {api_key}"); }

Good (rust):
    fn f(user: &str) { println!("login {}", user); }
    ---
    fn f(password: &str) { println!("length {}", password.len()); }
    ---
    fn f(token: &str) { verify(token); }
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import nodes
from remit.code.review.values import Hit, Rule

RULE = Rule("SEC008", "Secret in a log", "security", "error",
            "Leave it out, or write a digest or its last characters.", cwe=532)  # fmt: skip
_SECRET = re.compile(r"(^|_|(?<=[a-z]))(password|passwd|pwd|passphrase|secret|api_?key|private_?key|"
    r"access_?token|auth_?token|"
                     r"token|credentials?|ssn|credit_?card(_?number)?|cvv)$", re.I)  # fmt: skip
_LOGGER = re.compile(r"(^|\.)(log|logger|logging|_log|_logger|LOG|LOGGER|console|slog|tracing|syslog|warnings)$", re.I)
_LEVELS = frozenset(["debug", "info", "warning", "warn", "error", "critical", "exception", "log", "fatal",
    "trace", "Print", "Println", "Printf", "Fatal", "Fatalf", "Debug", "Info", "Warn", "Error", "Infof", "Errorf",
    "Debugf", "Warnf", "notice"])  # fmt: skip
_PLAIN = frozenset(("print", "pprint", "println", "eprintln", "eprint", "dbg", "sys.stdout.write", "sys.stderr.write",
                    "fmt.Println", "fmt.Printf", "fmt.Print"))  # fmt: skip
_MACROS = frozenset(["debug", "info", "warn", "error", "trace", "println", "eprintln"])


def check(file: File) -> Iterable[Hit]:
    """Calls of a logger whose arguments name a secret."""
    if file.test:
        return
    for node in nodes(file, ir.Call):
        name = ir.dotted(node.callee)
        if not _logs(name, node.kind):
            continue
        for value in node.args:
            found = next((one for one in _said(value) if _SECRET.search(one)), "")
            if found:
                yield Hit(node.span, f"{found} is written to a log")
                break


def _logs(name: str, kind: str) -> bool:
    owner, _, last = name.rpartition(".")
    if name in _PLAIN or (kind == "macro" and last in _MACROS):
        return True
    return last in _LEVELS and bool(_LOGGER.search(owner.replace("()", "")) or "getLogger" in owner)


def _said(node: Any) -> Iterator[str]:
    """The names whose values an expression shows; a call shows what it makes of them, and is left out."""
    if isinstance(node, ir.Name | ir.Attr):
        yield node.name
    elif isinstance(node, ir.Index):
        if isinstance(node.key, ir.Const) and isinstance(node.key.value, str):
            yield node.key.value
    elif isinstance(node, ir.Text | ir.Binary | ir.Sequence | ir.Wrap | ir.Logic | ir.Choice | ir.Opaque):
        for part in ir.parts_of(node):
            if not (isinstance(node, ir.Choice) and part is node.test):
                yield from _said(part)
