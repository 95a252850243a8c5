"""json_query: parts of a JSON text or file, by path and filter (the language is in `_jsonpath.py`)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from remit.adapters.tools._jsonpath import run_query
from remit.adapters.tools._text import clip, tidy
from remit.core.needs import fs_read
from remit.core.tools import tool
from remit.errors import Invalid
from remit.ports.tool import Context

_MAX_BYTES: Final = 8 * 1024 * 1024
_MAX_CHARS: Final = 48 * 1024


# Untrusted, because it may be a file's content that comes back.
@tool(
    effect="read",
    returns="untrusted",
    builtin=True,
    needs=lambda path="", **_: (fs_read(tidy(path)),) if path else (),
)
def json_query(ctx: Context[Any], query: str, data: str = "", path: str = "") -> str:
    """Select values of a JSON document by JSONPath; the result is JSON (a list, unless a pipe makes one value).

    $.a.b  $['a']  [0]  [-1]  [1:3]  [*]  ..name  [?@.price < 10 && @.kind == 'x'], then optionally
    | count, keys, values, first, last, sum, min, max, mean, sort, unique, flatten.

    Args:
        query: for example $.items[?@.stock > 0].name | count
        data: the JSON text
        path: a JSON file instead of data, relative to the workspace, up to 8 MiB
    """
    if bool(data) == bool(path):
        raise Invalid("value_invalid", "give either data or path")
    raw = ctx.files.read(path, 0, _MAX_BYTES + 1) if path else data.encode(errors="replace")
    if len(raw) > _MAX_BYTES:
        raise Invalid("value_invalid", f"the document is larger than {_MAX_BYTES} bytes")
    try:
        document = msgspec.json.decode(raw.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise Invalid("value_invalid", f"the document is no JSON: {str(e)[:200]}") from None
    except RecursionError:
        raise Invalid("value_invalid", "the document is nested too deeply") from None
    result = run_query(query, document)
    try:
        text = msgspec.json.format(msgspec.json.encode(result), indent=2).decode()
    except RecursionError:
        raise Invalid("value_invalid", "the result is nested too deeply") from None
    return clip(text, _MAX_CHARS, "select less")
