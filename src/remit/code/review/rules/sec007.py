r"""MD5 or SHA-1 used for security.

Bad (python):
    import hashlib
    def f(x):
        return hashlib.md5(x).hexdigest()
    ---
    import hashlib
    NAME = "sha1"
    def f(x):
        return hashlib.new(NAME, x)
    ---
    import hashlib
    def f(x):
        make = hashlib.sha1
        return make(x).digest()

Good (python):
    import hashlib
    def f(x):
        return hashlib.sha256(x).hexdigest()
    ---
    import hashlib
    NAME = "sha512"
    def f(x):
        return hashlib.new(NAME, x)
    ---
    import hashlib
    def f(x):
        return hashlib.md5(x, usedforsecurity=False)
    ---
    import hashlib
    def f(x):
        name = "md5" if 1 > 2 else "sha384"
        return hashlib.new(name, x)

Bad (javascript):
    const crypto = require("crypto");
    function f(x) { return crypto.createHash("md5").update(x).digest("hex"); }
    ---
    import { createHash } from "crypto";
    const name = "sha1";
    export function f(x) { return createHash(name).update(x); }
    ---
    const crypto = require("crypto");
    function f(k, x) { return crypto.createHmac("SHA1", k).update(x); }

Good (javascript):
    const crypto = require("crypto");
    function f(x) { return crypto.createHash("sha256").update(x); }
    ---
    import { createHash } from "crypto";
    export function f(x, name) { return createHash(name).update(x); }
    ---
    const md5sum = "abc";
    function f() { return md5sum; }

Bad (go):
    package p
    import "crypto/md5"
    func f(b []byte) { md5.Sum(b) }
    ---
    package p
    import "crypto/sha1"
    func f() { h := sha1.New(); h.Write(nil) }
    ---
    package p
    import "crypto/sha1"
    func f(b []byte) [20]byte { return sha1.Sum(b) }

Good (go):
    package p
    import "crypto/sha256"
    func f(b []byte) { sha256.Sum256(b) }
    ---
    package p
    import "crypto/sha512"
    func f() { sha512.New() }
    ---
    package p
    func f(md5 string) string { return md5 }

Bad (rust):
    use md5;
    fn f(b: &[u8]) { md5::compute(b); }
    ---
    use sha1::{Sha1, Digest};
    fn f() { let h = Sha1::new(); }
    ---
    use md5::Md5;
    fn f(b: &[u8]) { Md5::digest(b); }

Good (rust):
    use sha2::{Sha256, Digest};
    fn f() { let h = Sha256::new(); }
    ---
    use blake3;
    fn f(b: &[u8]) { blake3::hash(b); }
    ---
    fn f(md5: &str) -> &str { md5 }
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from remit.code.review.flow.events import Event
from remit.code.review.flow.values import Value
from remit.code.review.values import Hit, Rule

RULE = Rule("SEC007", "Weak hash", "security", "error",
            "Use SHA-256 or stronger (for passwords: scrypt, argon2 or bcrypt); say usedforsecurity=False where "
            "it is none.",
            cwe=328, confidence=0.85)  # fmt: skip
WATCH = ("md5", "sha1", "sha", "new", "MD5", "SHA1", "Hash", "createHash", "createHmac", "Sum", "New", "compute",
    "digest",
         "md4", "ripemd160")  # fmt: skip
_NAME = re.compile(r"^(md[245]|sha-?1?|ripemd(-?160)?|rmd160)$", re.I)
_CALLS = frozenset((
    "hashlib.md5", "hashlib.sha1", "hashlib.md4", "hashlib.sha", "Crypto.Hash.MD5.new", "Crypto.Hash.SHA1.new",
    "Crypto.Hash.SHA.new", "Crypto.Hash.MD4.new", "Crypto.Hash.MD2.new", "Cryptodome.Hash.MD5.new", "md5.new",
    "sha.new",
    "Cryptodome.Hash.SHA1.new", "cryptography.hazmat.primitives.hashes.MD5",
    "cryptography.hazmat.primitives.hashes.SHA1",
    "hashes.MD5", "hashes.SHA1", "crypto/md5.Sum", "crypto/md5.New", "crypto/sha1.Sum", "crypto/sha1.New",
    "md5.compute",
    "openssl.hash.MessageDigest.md5", "openssl.hash.MessageDigest.sha1", "MessageDigest.md5", "MessageDigest.sha1",
    "sha1.Sha1.new", "md5.Md5.new", "md5.Md5.digest", "sha1.Sha1.digest", "Md5.new", "Sha1.new",
))  # fmt: skip
_NAMED = frozenset(("hashlib.new", "crypto.createHash", "crypto.createHmac", "node:crypto.createHash",
                    "node:crypto.createHmac", "createHash", "EVP.MessageDigest"))  # fmt: skip
_LEGACY = re.compile(r"\bSHA1_FOR_LEGACY_USE_ONLY$")
_KEYED = frozenset(("hmac.new", "hmac.digest", "crypto/hmac.New"))


def watch(event: Event) -> Iterable[Hit]:
    """The function, or the name it is handed, is a weak one."""
    if event.constant(-1, "usedforsecurity") is False:
        return
    if event.name in _CALLS:
        yield Hit(
            event.span, f"{event.name.rpartition('.')[2] if event.method != 'new' else event.name} is a broken hash"
        )
    elif event.name in _NAMED:
        yield from _named(event, event.argument(0, "name"))
    elif event.name in _KEYED:
        at = 0 if event.language == "go" else 2
        yield from _named(event, event.argument(at, "digestmod"))
    elif event.language == "rust" and any(_LEGACY.search(one.qual) for one in event.args):
        yield Hit(event.span, "SHA-1 is a broken hash")


def _named(event: Event, value: Value | None) -> Iterable[Hit]:
    """The algorithm is given by its name, or as the function that makes it."""
    for name in value.constants if value is not None else ():
        if isinstance(name, str) and _NAME.match(name):
            yield Hit(event.span, f"{name} is a broken hash")
            return
    if value is not None and value.qual in _CALLS:
        yield Hit(event.span, f"{value.qual} is a broken hash")
