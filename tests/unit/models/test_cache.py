"""models/cache.py and similar.py: what is given again, and what never is."""

from __future__ import annotations

from pathlib import Path

import pytest

from remit.core.labels import USER, Label
from remit.core.messages import Message, Text, ToolCall
from remit.core.model import ModelRequest, Reply, Settings, ToolSpec
from remit.core.usage import Usage
from remit.guard.keys import KeyRing
from remit.guard.keys_sources import LocalKey
from remit.guard.stores import EncryptedStore
from remit.models import similar
from remit.models.cache import CacheRules, ReplyCache, bound_to, cachable, split

LINES = Path(__file__).with_name("near_misses.txt").read_text(encoding="utf-8").splitlines()
PAIRS = [tuple(part.strip() for part in line.split(" | ")) for line in LINES if line and not line.startswith("#")]
REPLY = Reply("Paris", usage=Usage(100, output_tokens=20))


def test_the_labelled_near_misses_have_no_false_hit() -> None:
    """Of the labelled pairs none that means another thing is a hit; of those that mean the same most are."""
    rules = CacheRules()
    false, hits, same = [], 0, 0
    for kept, asked, label in PAIRS:
        cache = ReplyCache(rules)
        assert cache.put("b", kept, REPLY, model="m", nano=5, now_ms=0)
        hit = cache.find("b", asked, 1)
        same += label == "same"
        hits += label == "same" and hit is not None
        if label == "other" and hit is not None:
            false.append((kept, asked))
    print(f"near misses: {len(PAIRS) - same} pairs, {len(false)} false hits; hit rate {hits}/{same}")
    assert false == []
    assert hits >= 0.8 * same


def test_an_embedder_finds_other_words_and_the_guard_stays() -> None:
    """With vectors that say everything is alike, numbers, negations, names, units and opposites still must agree."""
    cache = ReplyCache(CacheRules(), embed=lambda _: (1.0, 0.0))
    cache.put("b", "How can I get a new password?", REPLY, model="m", nano=1, now_ms=0)
    assert cache.find("b", "How may I obtain a new password?", 1) is not None
    for kept, asked in (
        ("rooms with balcony", "rooms without balcony"), ("5 km to miles", "6 km to miles"),
        ("5 km to miles", "5 cm to miles"), ("is it in Paris", "is it in Prague"),
        ("events before May", "events after May"),
        ("why did it stop", "when did it stop"),
        ("run it", "do not run it"),
    ):  # fmt: skip
        other = ReplyCache(CacheRules(), embed=lambda _: (1.0, 0.0))
        other.put("b", kept, REPLY, model="m", nano=1, now_ms=0)
        assert other.find("b", asked, 1) is None, (kept, asked)
        assert other.statistics.refused_near == 1


def test_an_entry_is_bound_to_all_that_shapes_an_answer() -> None:
    """Another tenant, model, system prompt, tool, setting, label or grant is another entry."""
    system = Message("system", (Text("be brief"),))
    user = Message("user", (Text("hello"),))
    request = ModelRequest((system, user))
    base = bound_to(request, model="m", tenant="t", label=USER, grants={})
    others = [
        bound_to(request, model="n", tenant="t", label=USER, grants={}),
        bound_to(request, model="m", tenant="u", label=USER, grants={}),
        bound_to(request, model="m", tenant="t", label=Label("untrusted", None, ()), grants={}),
        bound_to(request, model="m", tenant="t", label=USER, grants={"a": 1}),
        bound_to(ModelRequest((user,)), model="m", tenant="t", label=USER, grants={}),
        bound_to(ModelRequest((system, user), (ToolSpec("t"),)), model="m", tenant="t", label=USER, grants={}),
        bound_to(ModelRequest((system, user), settings=Settings(seed=1)), model="m", tenant="t", label=USER, grants={}),
    ]
    assert len({base, *others}) == 8
    bare, text = split(request)
    assert (text, bare.messages[-1].parts) == ("hello", ())


def test_what_has_effects_or_did_not_end_is_not_kept() -> None:
    """Tool calls, cut and empty answers are not kept."""
    cache = ReplyCache(CacheRules())
    for reply in (Reply(ToolCall("1", "t")), Reply("half", "max_tokens"), Reply("")):
        assert not cache.put("b", "q", reply, model="m", nano=1, now_ms=0)
    assert len(cache) == 0


def test_tainted_and_personal_contexts_are_left_out_unless_allowed() -> None:
    """Untrusted context or a card number in the request: not cachable; allowed: cachable."""
    tainted = Label("untrusted", None, ("tool:x",))
    plain = ModelRequest((Message("user", (Text("hello"),)),))
    personal = ModelRequest((Message("user", (Text("my card is 4111 1111 1111 1111"),)),))
    strict, lax = CacheRules(), CacheRules(personal=True, tainted=True)
    assert [cachable(plain, USER, strict), cachable(plain, tainted, strict), cachable(personal, USER, strict)] == [
        True, False, False,
    ]  # fmt: skip
    assert cachable(personal, tainted, lax)


def test_time_size_and_invalidation() -> None:
    """Old entries go, the least recently used goes first, and a model's entries can be dropped."""
    cache = ReplyCache(CacheRules(entries=2, ttl_s=10))
    for number, text in enumerate(("one", "two", "three")):
        cache.put("b", text, REPLY, model=f"m{number}", nano=7, now_ms=0)
    assert [cache.find("b", t, 1) is None for t in ("one", "two", "three")] == [True, False, False]
    assert cache.invalidate(model="m1") == 1
    assert cache.find("b", "two", 1) is None
    assert cache.find("b", "three", 10_000) is None
    assert (cache.statistics.hits, cache.statistics.saved_tokens, cache.statistics.saved_nano) == (2, 240, 14)


def test_kept_replies_lie_encrypted_and_another_process_finds_them(tmp_path: Path) -> None:
    """The files hold neither question nor answer; a second cache reads them; an altered file is not used."""
    ring = KeyRing(str(tmp_path / "state"), str(tmp_path / "config" / "anchor"), lambda _: LocalKey(bytes(32)))
    store = EncryptedStore(ring, str(tmp_path), "replies")
    ReplyCache(CacheRules(store=True), store=store).put("b", "SECRETQ", REPLY, model="m", nano=1, now_ms=0)
    files = [p for p in (tmp_path / "replies").iterdir() if p.suffix == ".rec"]
    assert len(files) == 1 and b"SECRETQ" not in files[0].read_bytes() and b"Paris" not in files[0].read_bytes()
    other = ReplyCache(CacheRules(store=True), store=store)
    hit = other.find("b", "SECRETQ", 1)
    assert hit is not None and hit.reply.text == "Paris"
    raw = bytearray(files[0].read_bytes())
    raw[-1] ^= 1
    files[0].write_bytes(raw)
    assert ReplyCache(CacheRules(store=True), store=store).find("b", "SECRETQ", 1) is None


@pytest.mark.parametrize("text", ["", "?", "…", "\x00\ud800", "a" * 100_000])
def test_any_text_has_a_form(text: str) -> None:
    """Empty, odd and huge texts are compared without an error, each alike to itself."""
    form = similar.form(text)
    assert similar.agree(form, form, embedded=False)
    assert 0.0 <= similar.alike(form, form) <= 1.0 + 1e-9
