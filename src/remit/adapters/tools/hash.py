"""hash: digest of a text or of a file."""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal

from remit.adapters.tools._text import tidy
from remit.core.needs import fs_read
from remit.core.tools import tool
from remit.errors import Invalid
from remit.ports.tool import Context

_MAX_BYTES: Final = 256 * 1024 * 1024
_PIECE_BYTES: Final = 4 * 1024 * 1024
_WEAK: Final = frozenset({"md5", "sha1"})


@tool(
    effect="read",
    returns="tool",
    builtin=True,
    needs=lambda path="", **_: (fs_read(tidy(path)),) if path else (),
)
def hash(
    ctx: Context[Any],
    text: str | None = None,
    path: str = "",
    algorithm: Literal["sha256", "sha384", "sha512", "sha3_256", "blake2b", "blake2s", "sha1", "md5"] = "sha256",
) -> str:
    """Digest of a text (as UTF-8) or of a file, in hexadecimal.

    Args:
        text: what to hash
        path: a file instead, relative to the workspace, up to 256 MiB
        algorithm: md5 and sha1 are weak: they find accidents, not forgeries
    """
    if (text is None) == (not path):
        raise Invalid("value_invalid", "give either text or path")
    digest = hashlib.new(algorithm, usedforsecurity=algorithm not in _WEAK)
    if text is not None:
        digest.update(text.encode(errors="surrogatepass"))
    else:
        before = ctx.files.info(path)
        at = 0
        while piece := ctx.files.read(path, at, _PIECE_BYTES):
            digest.update(piece)
            at += len(piece)
            if at > _MAX_BYTES:
                raise Invalid("value_invalid", f"the file is larger than {_MAX_BYTES} bytes")
        if ctx.files.info(path) != before:
            raise Invalid("value_invalid", f"{path} changed while it was read; hash it again")
    weak = " (weak: do not rely on it against forgery)" if algorithm in _WEAK else ""
    return f"{algorithm}: {digest.hexdigest()}{weak}"
