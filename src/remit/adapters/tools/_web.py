"""What the two web tools share: reading an answer as bounded text."""

from __future__ import annotations

import re
from typing import Final

from remit.errors import Invalid
from remit.ports.http import HttpReply

_CHARSET: Final = re.compile(r"charset\s{0,4}=\s{0,4}[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_TEXT_TYPE: Final = re.compile(r"text/|application/(?:[a-z0-9.+-]*\+)?(?:json|xml|javascript|yaml|toml|x-ndjson)")
# Decoders of text only: Python's own registry also holds zip, rot13 and other transforms.
_ENCODING_NAMES: Final = (
    "utf-8 utf8 us-ascii ascii iso-8859-1 latin1 iso-8859-2 iso-8859-15 windows-1250 windows-1251 windows-1252 "
    "cp1252 koi8-r utf-16 utf-16le utf-16be shift_jis euc-jp iso-2022-jp gb2312 gbk gb18030 big5 euc-kr"
)
_ENCODINGS: Final = frozenset(_ENCODING_NAMES.split())


def content_type(reply: HttpReply) -> str:
    """Media type of the answer in lower case, without parameters; `` when it names none."""
    return reply.headers.get("content-type", "").partition(";")[0].strip().lower()


def body_text(reply: HttpReply) -> str:
    """The body as text; raises value_invalid where it is none."""
    kind = content_type(reply)
    if (kind and not _TEXT_TYPE.match(kind) and kind != "application/x-www-form-urlencoded") or (
        b"\0" in reply.body[:8192] and "utf-16" not in reply.headers.get("content-type", "").lower()
    ):
        raise Invalid("value_invalid", f"the answer is not text: {kind or 'unknown type'}, {len(reply.body)} bytes")
    found = _CHARSET.search(reply.headers.get("content-type", ""))
    if found is None and "html" in kind:
        found = _CHARSET.search(reply.body[:1024].decode("latin1"))
    encoding = found[1].lower() if found else "utf-8"
    return reply.body.decode(encoding if encoding in _ENCODINGS else "utf-8", errors="replace")


def redirect_of(reply: HttpReply) -> str:
    """Where a redirect leads; `` when it is none."""
    return reply.headers.get("location", "")[:2000] if reply.status in (301, 302, 303, 307, 308) else ""
