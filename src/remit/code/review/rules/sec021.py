r"""A predictable random number where it must not be guessed.

Bad (python):
    import random
    def token():
        token = str(random.randint(0, 10**9))
        return token
    ---
    import random
    from flask import session
    def view():
        session["id"] = random.random()
    ---
    import random, string
    def make():
        password = "".join(random.choice(string.ascii_letters) for _ in range(12))
        return password
    ---
    import random
    def view(response):
        key = random.getrandbits(64)
        response.set_cookie("remember", str(key), secure=True)

Good (python):
    import secrets
    def token():
        token = secrets.token_hex(16)
        return token
    ---
    import random
    def pick(colours):
        return random.choice(colours)
    ---
    import random
    def token():
        token = random.SystemRandom().randint(0, 10**9)
        return token
    ---
    import random
    def jitter():
        delay = random.uniform(0, 1)
        return delay

Bad (javascript):
    function f() { const token = Math.random().toString(36); return token; }
    ---
    app.get("/", (req, res) => { const sessionId = "s" + Math.random(); });
    ---
    function make() { let password = ""; password += Math.random(); return password; }

Good (javascript):
    const crypto = require("crypto");
    function f() { const token = crypto.randomBytes(16).toString("hex"); return token; }
    ---
    function roll() { return Math.floor(Math.random() * 6); }
    ---
    function f() { const delay = Math.random() * 100; return delay; }

Bad (go):
    package p
    import "math/rand"
    func f() int { token := rand.Intn(1000); return token }
    ---
    package p
    import ("math/rand"; "fmt")
    func f() string { sessionID := fmt.Sprint(rand.Int63()); return sessionID }
    ---
    package p
    import "math/rand"
    func f() { password := rand.Perm(8); use(password) }

Good (go):
    package p
    import "crypto/rand"
    func f(b []byte) { token, _ := rand.Read(b); use(token) }
    ---
    package p
    import "math/rand"
    func f() int { die := rand.Intn(6); return die }
    ---
    package p
    import "math/rand"
    func f() { delay := rand.Float64(); use(delay) }
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from remit.code.review import ir
from remit.code.review.flow.events import Event, steps_of
from remit.code.review.flow.values import Value
from remit.code.review.values import Hit, Rule, Step

RULE = Rule("SEC021", "Predictable random number", "security", "warning",
            "Use the secrets module (crypto.randomBytes, crypto/rand).", cwe=330, confidence=0.8,
            languages=("python", "javascript", "typescript", "go"))  # fmt: skip
WATCH = ("",)
_SECRET = re.compile(r"(^|_|(?<=[a-z]))(token|password|passwd|pwd|secret|session_?id|nonce|otp|salt|iv|csrf|api_?key|"
                     r"remember(me)?(_?key|_?me)?|auth|cookie|captcha|pin|key|verification_?code|reset_?code)(s|$|_|[A-Z0-9])",
                     re.I)  # fmt: skip
_PLACES = re.compile(r"(session\.__setitem__|set_cookie|\.headers\.__setitem__|session\.\w+=|\.cookie|SetCookie|"
                     r"set_secure_cookie|cookies\.__setitem__)$")  # fmt: skip
_KEYED = re.compile(
    r"sort_?key|key_?(func|error|word|board|frame|up|down|code|s$)|primary_key|foreign_?key|public_?key", re.I
)


def watch(event: Event) -> Iterable[Hit]:
    """It is bound to a secret's name, or put where secrets are kept; in a request's handler a hint is worth it."""
    if event.name == "=":
        if _secret_name(event.receiver.qual):
            yield from _said(event, event.args[0], f"becomes {event.receiver.qual}")
        return
    if event.name == "math/rand.Read" and isinstance(event.node, ir.Call) and event.node.args:
        name = ir.last_name(event.node.args[0])
        if _secret_name(name):
            yield Hit(event.span, f"predictable random numbers fill {name}, which must not be guessed")
        return
    if event.name.endswith("=") and _secret_name(event.name.rstrip("=").rpartition(".")[2]):
        yield from _said(event, event.args[0], f"becomes {event.name.rstrip('=').rpartition('.')[2]}")
    elif event.method == "__setitem__" and isinstance(event.constant(0), str) and _secret_name(event.constant(0)):
        yield from _said(event, event.args[1], f"becomes {event.constant(0)}")
    elif _PLACES.search(event.name):
        for value in event.args:
            yield from _said(event, value, f"goes to {event.name.replace('?', '').replace('.__setitem__', '')}")


def _secret_name(name: str) -> bool:
    return len(name) < 60 and bool(_SECRET.search(name)) and not _KEYED.search(name)


def _said(event: Event, value: Value, where: str) -> Iterable[Hit]:
    found = event.reaching(value, "random", ("random",))
    if found is not None:
        token, _ = found
        yield Hit((*token.span,) if token.path == event.path else event.span,
                  f"{token.note} {where}, where it must not be guessed",
                  steps=steps_of(*found, Step(event.path, event.span[0], where)))  # fmt: skip
