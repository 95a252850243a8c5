"""Make src/remit/guard/confusables.json: letters that look like an ASCII letter or digit.

    python tests/security/canonical/make_confusables.py PATH

PATH is `confusables.json` of the package `confusable_homoglyphs` 3.3.1 (MIT), which is Unicode's
`confusables.txt` of UTS 39 (Unicode License V3) as JSON: character -> [{"c": look-alike, "n": name}].

Added: Latin letters that Unicode's names call a form of one letter (small capitals, letters with a stroke or hook).
Kept: single characters beyond ASCII that Unicode's own compatibility folding (NFKD) does not map to ASCII
already. Combining marks, spaces and punctuation are left out. The result is one string a letter.
"""

from __future__ import annotations

import json
import re
import string
import sys
import unicodedata
from pathlib import Path

TARGET = Path(__file__).parents[3] / "src/remit/guard/confusables.json"
# Which of several look-alikes stands for a glyph: `l` for a bar, `o` for a ring, lower case before upper case.
ORDER = "o" + "l" + string.ascii_lowercase.replace("o", "").replace("l", "") + string.ascii_uppercase + string.digits


NAMED = re.compile(r"LATIN (?:SMALL|CAPITAL) LETTER ([A-Z])(?: WITH .*)?|LATIN LETTER SMALL CAPITAL ([A-Z])")


def table(source: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    """ASCII character -> its look-alikes, in code point order."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    named: dict[str, list[dict[str, str]]] = {}
    for c in map(chr, range(0x80, 0x1E00)):
        match = NAMED.fullmatch(unicodedata.name(c, ""))
        if match:
            named.setdefault((match[1] or match[2]).lower(), []).append({"c": c})
    for letter in ORDER:
        alike: set[str] = set()
        for entry in (*source.get(letter, ()), *named.get(letter, ())):
            c = entry["c"]
            if len(c) != 1 or c.isascii() or c in taken or unicodedata.category(c)[0] not in "LNS":
                continue
            folded = "".join(x for x in unicodedata.normalize("NFKD", c) if not unicodedata.combining(x))
            if not folded.isascii():
                alike.add(c)
        taken |= alike
        if alike:
            found[letter.lower()] = "".join(sorted(alike | set(found.get(letter.lower(), ""))))
    return dict(sorted(found.items()))


if __name__ == "__main__":
    made = table(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    lines = [f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=True)}" for k, v in made.items()]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")
    sys.stdout.write(f"{sum(map(len, made.values()))} look-alikes of {len(made)} characters\n")
