"""Replies that are given again: the same request (exact), or one that means the same (semantic).

An entry is bound to everything that shapes an answer or says who may see it: tenant, model, system prompt, earlier
messages, tools, asked form, settings, label and grants. Only the last user text may differ, and only as far
as similar.py lets it. Kept are replies without effects (no tool calls) that ended by themselves; never of a context
that holds untrusted data, and never where personal data is found in the request, unless the policy allows it.

In memory: least recently used first out, a time to live. With a store (guard/stores.py) entries also lie encrypted in
files, and another process finds them; a record that was altered is not used.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from remit.core.messages import Message, Text
from remit.core.model import ModelRequest, Reply
from remit.errors import RemitError
from remit.models import similar

if TYPE_CHECKING:
    from remit.core.labels import Label
    from remit.guard.stores import EncryptedStore

Embed = Callable[[str], Sequence[float]]
MAX_REPLY_CHARS: Final = 200_000
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class CacheRules(Struct, frozen=True, kw_only=True):
    """How replies are cached. Source of the numbers: spec/models.md 11."""

    semantic: bool = True
    """whether a question that means the same counts"""
    similarity: float = 0.92
    entries: int = 1000
    ttl_s: float = 3600.0
    store: bool = False
    """whether entries are kept in encrypted files as well"""
    personal: bool = False
    """whether requests with personal data may be cached"""
    tainted: bool = False
    """whether replies in the presence of untrusted data may be cached"""


class Entry(Struct):
    """One kept reply."""

    bound: str
    text: str
    reply: Reply
    model: str
    nano: int | None
    made_ms: int
    vector: tuple[float, ...] | None = None


class Hit(Struct, frozen=True):
    """A reply found again."""

    reply: Reply
    model: str
    nano: int | None
    """what it cost when it was made"""
    similarity: float
    """1 = the same request"""


class Statistics(Struct):
    """Since the cache was made."""

    hits: int = 0
    semantic_hits: int = 0
    misses: int = 0
    refused_near: int = 0
    """alike enough, and refused because something that matters differs"""
    saved_tokens: int = 0
    saved_nano: int = 0


class ReplyCache:
    """See the module's text."""

    def __init__(self, rules: CacheRules, embed: Embed | None = None, store: EncryptedStore | None = None) -> None:
        self.rules = rules
        self.statistics = Statistics()
        self._embed = embed
        self._store = store
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._groups: dict[str, dict[str, similar.Form]] = {}

    def knows(self, bound: str, text: str, now_ms: int) -> bool:
        """Whether this very request has a kept reply."""
        return self._fresh(_id(bound, text), now_ms) is not None

    def find(self, bound: str, text: str, now_ms: int, vector: Sequence[float] | None = None) -> Hit | None:
        """The kept reply of this request, or of one that means the same.

        Args:
            bound: `bound_to` of the request: what must be equal.
            text: the last user text.
            now_ms: wall clock.
            vector: of the text, where the caller has made one.
        """
        entry = self._fresh(_id(bound, text), now_ms)
        if entry is not None:
            return self._hit(entry, 1.0)
        found = self._similar(bound, text, now_ms, vector) if self.rules.semantic and text else None
        if found is None:
            self.statistics.misses += 1
        return found

    def put(  # noqa: PLR0913  # what an entry is made of
        self, bound: str, text: str, reply: Reply, *, model: str, nano: int | None, now_ms: int,
        vector: Sequence[float] | None = None,
    ) -> bool:  # fmt: skip
        """Keep a reply; False when it is not one to be kept."""
        if reply.tool_calls or reply.stop_reason != "end" or not 0 < len(reply.text) <= MAX_REPLY_CHARS:
            return False
        kept = reply
        if vector is None and self._embed is not None and self.rules.semantic:
            vector = self._embed(text)
        entry = Entry(bound, text, kept, model, nano, now_ms, None if vector is None else tuple(map(float, vector)))
        self._add(_id(bound, text), entry)
        if self._store is not None:
            self._store.put(_id(bound, text), entry)
        return True

    def invalidate(self, *, model: str = "", before_ms: int | None = None) -> int:
        """Drop entries of a model, or made before a time; without either, all. Returns how many."""
        gone = [
            key
            for key, entry in self._entries.items()
            if (not model or entry.model == model) and (before_ms is None or entry.made_ms < before_ms)
        ]
        for key in gone:
            self._drop(key)
        return len(gone)

    def __len__(self) -> int:
        return len(self._entries)

    # --- inside ----------------------------------------------------------------------------------

    def _similar(self, bound: str, text: str, now_ms: int, vector: Sequence[float] | None) -> Hit | None:
        group = self._groups.get(bound)
        if not group:
            return None
        asked = similar.form(text)
        if vector is None and self._embed is not None:
            vector = self._embed(text)
        best, most = "", 0.0
        for key, known in list(group.items()):
            entry = self._entries[key]
            likeness = similar.alike(asked, known)
            if vector is not None and entry.vector is not None:
                likeness = similar.cosine(vector, entry.vector)
            if likeness < self.rules.similarity or likeness <= most:
                continue
            if not similar.agree(asked, known, embedded=vector is not None and entry.vector is not None):
                self.statistics.refused_near += 1
            elif self._fresh(key, now_ms) is not None:
                best, most = key, likeness
        return self._hit(self._entries[best], min(most, 0.9999)) if best else None

    def _hit(self, entry: Entry, likeness: float) -> Hit:
        seen = self.statistics
        seen.hits += 1
        seen.semantic_hits += likeness < 1.0
        seen.saved_tokens += entry.reply.usage.input_tokens + entry.reply.usage.output_tokens
        seen.saved_nano += entry.nano or 0
        return Hit(entry.reply, entry.model, entry.nano, likeness)

    def _fresh(self, key: str, now_ms: int) -> Entry | None:
        entry = self._entries.get(key)
        if entry is None and self._store is not None:
            entry = self._stored(key)
        if entry is None:
            return None
        if not 0 <= now_ms - entry.made_ms < self.rules.ttl_s * 1000:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def _stored(self, key: str) -> Entry | None:
        assert self._store is not None
        try:
            record = self._store.get(key, Entry)
        except RemitError:
            return None  # altered, or sealed under a key that is gone: the model is asked
        if record is None:
            return None
        self._add(key, record.value)
        entry: Entry = record.value
        return entry

    def _add(self, key: str, entry: Entry) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if self.rules.semantic and entry.text:
            self._groups.setdefault(entry.bound, {})[key] = similar.form(entry.text)
        while len(self._entries) > self.rules.entries:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        group = self._groups.get(entry.bound, {})
        group.pop(key, None)
        if not group:
            self._groups.pop(entry.bound, None)
        if self._store is not None:
            self._store.delete(key)


def split(request: ModelRequest) -> tuple[ModelRequest, str]:
    """The request without its last user text, and that text; "" where the last message is not plain text."""
    last = request.messages[-1] if request.messages else None
    if last is None or last.role != "user" or any(type(p) is not Text for p in last.parts):
        return request, ""
    bare = Message("user", ())
    return msgspec.structs.replace(request, messages=(*request.messages[:-1], bare)), last.text


def bound_to(request: ModelRequest, *, model: str, tenant: str, label: Label, grants: Any) -> str:
    """SHA-256 (hex) of all that must be equal between two requests for one answer to serve both."""
    digest = sha256()
    for part in (tenant, model, label, grants, request):
        raw = _encode(part)
        digest.update(b"%d:" % len(raw) + raw)
    return digest.hexdigest()


def cachable(request: ModelRequest, label: Label, rules: CacheRules) -> bool:
    """Whether an answer to this request may be kept or given again at all."""
    if label.untrusted and not rules.tainted:
        return False
    if rules.personal:
        return True
    from remit.guard import pii

    return not any(pii.find(p.text) for m in request.messages for p in m.parts if type(p) is Text)


def _id(bound: str, text: str) -> str:
    return sha256(f"{bound}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()
