"""The leak guard: what leaves without its secrets, what is blocked, and what is no secret."""

from __future__ import annotations

import hashlib
import string
import uuid
from base64 import b64encode

import pytest

from remit.errors import Denied
from remit.guard.leaks import LeakGuard, key_shapes, looks_random
from remit.guard.leaks_matcher import Matcher

VALUE = "Tq7-vault-value-9xK2"
GUARD = LeakGuard(lambda: Matcher([("token", VALUE.encode())]))


def digits(seed: str, size: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """`size` random-looking characters, the same at each run."""
    found = ""
    while len(found) < size:
        seed = hashlib.sha256(seed.encode()).hexdigest()
        found += "".join(alphabet[int(seed[i : i + 4], 16) % len(alphabet)] for i in range(0, 64, 4))
    return found[:size]


KEYS = {
    "anthropic": f"sk-ant-api03-{digits('a', 80)}",
    "openai": f"sk-proj-{digits('b', 60)}",
    "aws": f"AKIA{digits('c', 16, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567')}",
    "github": f"ghp_{digits('d', 36)}",
    "gitlab": f"glpat-{digits('e', 20)}",
    "slack": f"xoxb-{digits('f', 12, '0123456789')}-{digits('g', 24)}",
    "google": f"AIza{digits('h', 35)}",
    "stripe": f"sk_live_{digits('i', 24)}",
    "npm": f"npm_{digits('j', 36)}",
    "pypi": f"pypi-{digits('k', 120)}",
    "huggingface": f"hf_{digits('l', 34)}",
    "age-key": f"AGE-SECRET-KEY-1{digits('m', 58, 'ABCDEFGHJKLMNPQRSTUVWXYZ023456789')}",
    "jwt": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{digits('n', 43)}",
    "bearer": f"Bearer {digits('o', 40)}",
    "database-url": f"postgres://app:{digits('p', 16)}@db.example.org/main",
    "x25519-key": f"x25519 private key: {b64encode(hashlib.sha256(b'q').digest()).decode()}",
    "private-key": "-----BEGIN RSA PRIVATE KEY-----\n" + digits("r", 600) + "\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_known_key_is_found_by_its_shape(kind: str) -> None:
    """Each kind is found in text and in JSON, named, and replaced; its surroundings stay."""
    text = f'{{"note":"use {KEYS[kind]} here"}}'.replace("\n", "\\n")
    assert [f.kind for f in key_shapes(text.encode())] == [f"key:{kind}"]
    cleaned = LeakGuard().clean_text(text, "the body")
    assert cleaned.startswith('{"note":"use ') and cleaned.endswith(' here"}')
    secret = digits("p", 16) if kind == "database-url" else KEYS[kind][-16:].replace("\n", "\\n")
    assert f"[key:{kind}]" in cleaned and secret not in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        hashlib.sha256(b"x").hexdigest(),
        hashlib.sha512(b"x").hexdigest().upper(),
        str(uuid.UUID(int=0x1234567890ABCDEF1234567890ABCDEF)),
        "sha512-" + b64encode(hashlib.sha512(b"x").digest()).decode(),
        "sha256:" + b64encode(hashlib.sha256(b"x").digest()).decode(),
        "data:image/png;base64," + b64encode(hashlib.sha512(b"x").digest() * 9).decode(),
        b64encode(hashlib.sha512(b"y").digest() * 20).decode(),
        "src/remit/adapters/sandboxes/Bubblewrap2Supervisor/WritableRoots3/TreeMasks.py",
        "https://docs.rs/tokio/1.38.0/tokio/net/TcpStream/struct.OwnedReadHalf.html#method.readable",
        "AbstractSingletonProxyFactoryBean2ImplTest3CaseForAll",
        "test_a_very_long_function_name_with_numbers_2024_and_more_words",
        "run_01K9ZQ8X7V6T5S4R3Q2P1N0M9L8K",
        "a" * 200,
        "0123456789" * 10,
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "AKIAIOSFODNN7EXAMPLE",
        "use {{secret:github}} as Bearer {{secret:github}}",
        "the bearer of this letter is authorised",
        "risk-free-and-long-hyphenated-words-that-go-on",
    ],
)
def test_what_is_no_secret_passes(text: str) -> None:
    """Digests, ids, paths, names, images, placeholders and handles go through as they are."""
    assert GUARD.find(text.encode()) == []
    assert GUARD.clean_text(text, "the body") is text


def test_random_words_are_found() -> None:
    """Of 300 random words of 32 to 88 characters nearly all are found; short ones are left to the other detectors."""
    words = [digits(f"w{i}", 32 + i % 57) for i in range(300)]
    assert sum(looks_random(w.encode(), LeakGuard()._bits) for w in words) >= 294
    assert not looks_random(digits("w", 31).encode(), LeakGuard()._bits)


def test_the_modes() -> None:
    """redact replaces, block refuses by kind, off lets keys through and still refuses a value of the vault."""
    text = f"a {KEYS['github']} b {VALUE} c"
    assert GUARD.clean_text(text, "the body") == "a [key:github] b [secret:token] c"
    for mode, kinds in (("block", "key:github, secret:token"), ("off", "secret:token")):
        guard = LeakGuard(lambda: Matcher([("token", VALUE.encode())]), mode=mode)
        with pytest.raises(Denied) as caught:
            guard.clean_text(text, "the body")
        assert (caught.value.code, kinds in caught.value.message, VALUE in str(caught.value)) == (
            "secret_leak",
            True,
            False,
        )
    assert LeakGuard(mode="off").clean_text(text, "the body") is text
    assert LeakGuard(random=False).find(digits("z", 60).encode()) == []


def test_values_inside_a_structure_are_cleaned() -> None:
    """Tool arguments are cleaned at every depth, keys too; what is no text stays."""
    given = {"to": "a@b.org", VALUE: [1, None, {"text": f"see {VALUE}"}], "n": 2.5}
    assert GUARD.clean_value(given, "the arguments") == {
        "to": "a@b.org",
        "[secret:token]": [1, None, {"text": "see [secret:token]"}],
        "n": 2.5,
    }


def test_what_comes_in_loses_the_values_of_the_vault_only() -> None:
    """A file or an answer is masked by value; a key of somebody else in it stays, for that is what was read."""
    assert GUARD.mask_text(f"{VALUE} {KEYS['github']}") == f"[secret:token] {KEYS['github']}"
    assert GUARD.mask_text("nothing") == "nothing"
    assert LeakGuard().mask_text(VALUE) == VALUE


def test_what_cannot_be_redacted_is_refused() -> None:
    """A URL or a header that holds a value of the vault is refused, in whatever form."""
    for form in (VALUE, b64encode(VALUE.encode()).decode(), VALUE[::-1], VALUE.encode().hex()):
        with pytest.raises(Denied) as caught:
            GUARD.refuse_values(f"https://x.org/?q={form}".encode(), "the URL")
        assert caught.value.code == "secret_leak"
    GUARD.refuse_values(b"https://x.org/?q=1", "the URL")
