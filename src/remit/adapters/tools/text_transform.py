"""text_transform: everyday changes of a text, without a pattern language."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Callable
from typing import Any, Final, Literal

from remit.adapters.tools._text import clip
from remit.core.tools import tool
from remit.errors import Invalid
from remit.ports.tool import Context

_MAX_TEXT_CHARS: Final = 500_000
_MAX_CHARS: Final = 60_000
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[^\W_]+")

Operation = Literal[
    "upper", "lower", "title", "capitalize", "swapcase", "snake_case", "kebab_case", "camel_case", "pascal_case",
    "slug", "trim", "trim_lines", "collapse_spaces", "remove_blank_lines", "sort_lines", "sort_lines_numeric",
    "reverse_lines", "unique_lines", "number_lines", "join_lines", "split_lines", "indent", "dedent", "wrap", "reverse",
    "remove_accents", "normalize", "head", "tail", "count",
]  # fmt: skip


@tool(effect="read", returns="tool", builtin=True)
def text_transform(
    ctx: Context[Any], operation: Operation, text: str, width: int = 0, separator: str = "", descending: bool = False
) -> str:
    """Change or count a text.

    Args:
        operation: what to do; count gives characters, words, lines and bytes
        text: at most 500,000 characters
        width: columns for wrap (72), spaces for indent (4), lines for head and tail (10)
        separator: text between lines for join_lines (a space), or where split_lines breaks (a comma)
        descending: sort from the end
    """
    if len(text) > _MAX_TEXT_CHARS:
        raise Invalid("value_invalid", f"the text is longer than {_MAX_TEXT_CHARS} characters")
    if not 0 <= width <= 1000:
        raise Invalid("value_invalid", "width is 0 to 1000")
    if operation in _PLAIN:
        result = _PLAIN[operation](text)
    elif operation in _LINES:
        result = _on_lines(text, _LINES[operation])
    elif operation in ("sort_lines", "sort_lines_numeric"):
        key = _numeric_key if operation == "sort_lines_numeric" else None
        result = _on_lines(text, lambda lines: sorted(lines, key=key, reverse=descending))
    else:
        result = _sized(operation, text, width, separator)
    return clip(result, _MAX_CHARS)


def _on_lines(text: str, change: Callable[[list[str]], list[str]]) -> str:
    """Lines changed, the last line end kept."""
    end = "\n" if text.endswith("\n") else ""
    return "\n".join(change(text.removesuffix("\n").split("\n"))) + end


def _sized(operation: str, text: str, width: int, separator: str) -> str:
    match operation:
        case "wrap":
            paragraphs = re.split(r"\n[ \t]*\n", text)
            fill = textwrap.TextWrapper(width or 72, break_long_words=False, break_on_hyphens=False).fill
            return "\n\n".join(map(fill, paragraphs))
        case "indent":
            return textwrap.indent(text, " " * (width or 4))
        case "head":
            return _on_lines(text, lambda lines: lines[: width or 10])
        case "tail":
            return _on_lines(text, lambda lines: lines[-(width or 10) :])
        case "join_lines":
            return (separator or " ").join(line.strip() for line in text.split("\n") if line.strip())
        case "split_lines":
            return "\n".join(piece.strip() for piece in text.split(separator or ","))
        case _:
            words = len(text.split())
            lines = text.count("\n") + (not text.endswith("\n") and text != "")
            size = len(text.encode(errors="surrogatepass"))
            return f"characters: {len(text)}\nwords: {words}\nlines: {lines}\nbytes: {size}"


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _unaccented(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", _unaccented(text).lower()).strip("-")


def _pascal(text: str) -> str:
    return "".join(word[:1].upper() + word[1:].lower() for word in _words(text))


def _camel(text: str) -> str:
    pascal = _pascal(text)
    return pascal[:1].lower() + pascal[1:]


def _numeric_key(line: str) -> tuple[bool, float, str]:
    found = re.search(r"-?\d{1,300}(?:\.\d{1,300})?", line)
    return (found is None, float(found[0]) if found else 0.0, line)


_PLAIN: Final[dict[str, Callable[[str], str]]] = {
    "upper": str.upper,
    "lower": str.lower,
    "title": lambda text: re.sub(r"[^\W\d_]+('[^\W\d_]+)?", lambda m: m[0][:1].upper() + m[0][1:].lower(), text),
    "capitalize": str.capitalize,
    "swapcase": str.swapcase,
    "snake_case": lambda text: "_".join(word.lower() for word in _words(text)),
    "kebab_case": lambda text: "-".join(word.lower() for word in _words(text)),
    "camel_case": _camel,
    "pascal_case": _pascal,
    "slug": _slug,
    "trim": str.strip,
    "collapse_spaces": lambda text: " ".join(text.split()),
    "dedent": textwrap.dedent,
    "reverse": lambda text: text[::-1],
    "remove_accents": _unaccented,
    "normalize": lambda text: unicodedata.normalize("NFC", text),
}
_LINES: Final[dict[str, Callable[[list[str]], list[str]]]] = {
    "trim_lines": lambda lines: [line.strip() for line in lines],
    "remove_blank_lines": lambda lines: [line for line in lines if line.strip()],
    "reverse_lines": lambda lines: lines[::-1],
    "unique_lines": lambda lines: list(dict.fromkeys(lines)),
    "number_lines": lambda lines: [f"{number}: {line}" for number, line in enumerate(lines, 1)],
}
