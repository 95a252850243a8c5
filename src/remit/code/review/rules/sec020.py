r"""A broken or too weak cipher, or ECB mode.

Bad (python):
    from Crypto.Cipher import DES
    def f(key):
        return DES.new(key, DES.MODE_CBC)
    ---
    from Crypto.Cipher import AES
    def f(key):
        return AES.new(key, AES.MODE_ECB)
    ---
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    def f(key):
        return Cipher(algorithms.ARC4(key), mode=None)

Good (python):
    from Crypto.Cipher import AES
    def f(key):
        return AES.new(key, AES.MODE_GCM)
    ---
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    def f(key, iv):
        return Cipher(algorithms.AES(key), modes.GCM(iv))
    ---
    from cryptography.fernet import Fernet
    def f(key):
        return Fernet(key)

Bad (javascript):
    const crypto = require("crypto");
    function f(k, iv) { return crypto.createCipheriv("des-ede3-cbc", k, iv); }
    ---
    const crypto = require("crypto");
    function f(k) { return crypto.createCipheriv("aes-128-ecb", k, null); }
    ---
    const crypto = require("crypto");
    function f(p) { return crypto.createCipher("aes192", p); }

Good (javascript):
    const crypto = require("crypto");
    function f(k, iv) { return crypto.createCipheriv("aes-256-gcm", k, iv); }
    ---
    const crypto = require("crypto");
    function f(a, k, iv) { return crypto.createCipheriv(a, k, iv); }
    ---
    const name = "des";
    function f() { return name; }

Bad (go):
    package p
    import "crypto/des"
    func f(k []byte) { des.NewCipher(k) }
    ---
    package p
    import "crypto/rc4"
    func f(k []byte) { rc4.NewCipher(k) }
    ---
    package p
    import "crypto/des"
    func f(k []byte) { des.NewTripleDESCipher(k) }

Good (go):
    package p
    import "crypto/aes"
    func f(k []byte) { aes.NewCipher(k) }
    ---
    package p
    import "golang.org/x/crypto/chacha20poly1305"
    func f(k []byte) { chacha20poly1305.New(k) }
    ---
    package p
    func f(des string) string { return des }
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from remit.code.review.flow.events import Event
from remit.code.review.flow.values import NOTHING, UNKNOWN
from remit.code.review.values import Hit, Rule

RULE = Rule("SEC020", "Weak cipher", "security", "error",
            "Use AES-GCM or ChaCha20-Poly1305.", cwe=327, confidence=0.9,
            languages=("python", "javascript", "typescript", "go"))  # fmt: skip
WATCH = ("new", "ARC4", "TripleDES", "Blowfish", "IDEA", "CAST5", "SEED", "ECB", "createCipheriv", "createCipher",
         "createDecipheriv", "createDecipher", "NewCipher", "NewTripleDESCipher", "ARC2", "wrap_socket",
         "SSLContext", "Config{}")  # fmt: skip
_WEAK = re.compile(r"(^|\.)(DES3?|ARC[24]|Blowfish|IDEA|CAST5?|SEED|XOR|TripleDES)(\.new)?$")
_NAMED = re.compile(r"^(des|rc[24]|bf|cast|idea|seed)(-|\d|$)|ecb", re.I)
_OLD_GO = re.compile(r"Version(SSL30|TLS10|TLS11)$")
_WEAK_SUITE = re.compile(r"TLS_\w*(RC4|3DES|_DES_|NULL|EXPORT)\w*$")
_OLD = re.compile(r"PROTOCOL_(SSLv2|SSLv3|SSLv23|TLSv1|TLSv1_1)$")


def watch(event: Event) -> Iterable[Hit]:
    """The algorithm or its mode is a weak one."""
    name = event.name
    if "ipher" in name or "algorithms." in name:
        mode = event.argument(1, "mode")
        if _WEAK.search(name):
            yield Hit(event.span, f"{name.removesuffix('.new').rpartition('.')[2]} is a broken cipher")
        elif (mode is not None and mode.qual.endswith("MODE_ECB")) or name.endswith("modes.ECB"):
            yield Hit(event.span, "ECB shows which blocks are equal")
        elif event.method in ("createCipheriv", "createDecipheriv", "createCipher", "createDecipher"):
            yield from _node(event)
    if name == "crypto/tls.Config{}":
        yield from _tls(event)
    if name.startswith(("crypto/des.", "crypto/rc4.")):
        yield Hit(event.span, f"{name.partition('/')[2].partition('.')[0]} is a broken cipher")
    if name.startswith("ssl.") and any(_OLD.search(one.qual) for one in (*event.args, *event.keywords.values())):
        yield Hit(event.span, "this version of the protocol is broken")


def _tls(event: Event) -> Iterable[Hit]:
    """The fields of Go's `tls.Config`."""
    least = event.keywords.get("MinVersion", NOTHING)
    suites = event.keywords.get("CipherSuites", NOTHING)
    if _OLD_GO.search(least.qual):
        yield Hit(event.span, "this version of the protocol is broken")
    elif any(_WEAK_SUITE.search(one.qual) for one in event.deep(suites)):
        yield Hit(event.span, "a broken cipher is allowed")
    elif event.keywords.get("InsecureSkipVerify", NOTHING).const is True:
        yield Hit(event.span, "the server's certificate is not checked", cwe=295)


def _node(event: Event) -> Iterable[Hit]:
    algorithm = event.constant(0)
    if event.method in ("createCipher", "createDecipher"):
        yield Hit(event.span, "the key is derived from the password by a broken function")
    elif algorithm is not UNKNOWN and isinstance(algorithm, str) and _NAMED.search(algorithm):
        yield Hit(event.span, f"{algorithm} is a broken cipher or mode")
