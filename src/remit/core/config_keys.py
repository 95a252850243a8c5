"""Keys of a configuration file: where one stands, and which there are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from remit.errors import Invalid


def refuse_unknown(data: Mapping[str, Any], kind: type[Struct], text: str, place: str, prefix: str = "") -> None:
    """Raise config_invalid for a key that the section does not have, with its line and the nearest that there is."""
    known = kind.__struct_fields__
    for key, value in data.items():
        if key not in known:
            import difflib

            near = difflib.get_close_matches(key, known, 1, 0.5)
            near_text = f"; did you mean {prefix}{near[0]}?" if near else f"; known are {', '.join(known)}"
            raise Invalid(
                "config_invalid", f"{place}{line_of(text, prefix + key)}: unknown key {prefix}{key}{near_text}"
            )
        default = kind.__struct_defaults__[known.index(key)] if not prefix else None
        if isinstance(default, Struct) and isinstance(value, dict):
            refuse_unknown(value, type(default), text, place, f"{key}.")


def line_of(text: str, dotted: str) -> str:
    """`:LINE` of a key as far as a simple reading of the file finds it."""
    section, _, key = dotted.partition(".")
    key, inside = re.split(r"[.\[]", key)[0] or section, ""
    for number, line in enumerate(text.split("\n"), 1):
        header = re.match(r"\s*\[+\s*\"?([\w.-]+)", line)
        inside = header[1] if header else inside
        at_home = "." not in dotted or inside.partition(".")[0] == section
        sets = not header and at_home and re.match(rf"\s*\"?{re.escape(key)}\"?\s*=", line)
        if sets or (header and header[1] == dotted):
            return f":{number}"
    return ""
