"""How well the oracle reads test runs: counts, failing ids, kinds and places against a labelled corpus.

    python bench/oracle.py [FOLDER] [--structured] [--show]

FOLDER holds one folder a case: stdout.txt, stderr.txt, exit_code, label.json, and report.xml or report.json where
there is one. Without --structured only the text is read.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from remit.code.oracle.read import read
from remit.code.oracle.values import Report

SHARED = Path(os.environ.get("REMIT_SHARED", Path(__file__).resolve().parents[2] / "shared" / "data"))


def report_in(case: Path) -> str:
    """The structured report of a case, or nothing."""
    for name in ("report.xml", "report.json"):
        if (case / name).exists():
            return (case / name).read_text(encoding="utf-8", errors="surrogateescape")
    return ""


def read_case(case: Path, label: dict[str, object], structured: bool) -> Report:
    """The oracle's answer for one case."""
    texts = [
        (case / f"{name}.txt").read_text(encoding="utf-8", errors="surrogateescape") for name in ("stdout", "stderr")
    ]
    exit_code = int((case / "exit_code").read_text())
    return read(str(label["runner"]), *texts, exit_code, report_in(case) if structured else "")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path, nargs="?", default=SHARED / "oracle")
    parser.add_argument("--structured", action="store_true")
    parser.add_argument("--show", action="store_true", help="print every difference")
    arguments = parser.parse_args()
    n: Counter[str] = Counter()
    for file in sorted(arguments.folder.glob("*/label.json")):
        label = json.loads(file.read_text(encoding="utf-8"))
        if arguments.structured and not report_in(file.parent):
            continue
        got = read_case(file.parent, label, arguments.structured)
        want = {key: label["counts"].get(key) for key in ("passed", "failed", "skipped", "errors")}
        counts = {key: getattr(got.counts, key) for key in want}
        n["cases"] += 1
        n["counts"] += counts == want
        n["suite kinds"] += got.suite_kind == label["suite_class"]
        wanted = {f["test"]: f for f in label["failures"]}
        given = {f.test: f for f in got.failures}
        both = wanted.keys() & given.keys()
        n["wanted"] += len(wanted)
        n["given"] += len(given)
        n["both"] += len(both)
        for test in both:
            w, g = wanted[test], given[test]
            n["kinds"] += g.kind == w["class"]
            lines = {w["line"], *(label.get("extra") or {}).get("line_accept", [])}
            n["places"] += g.file == w["file"] and g.line in lines
            if arguments.show and (g.kind != w["class"] or (g.file, g.line) != (w["file"], w["line"])):
                print(label["id"], test, "want", w["class"], w["file"], w["line"], "got", g.kind, g.file, g.line)
        if arguments.show:
            if counts != want:
                print(label["id"], "counts want", want, "got", counts)
            if wanted.keys() != given.keys():
                print(label["id"], "tests want", sorted(wanted), "got", sorted(given))
            if got.suite_kind != label["suite_class"]:
                print(label["id"], "suite want", label["suite_class"], "got", got.suite_kind)
    f1 = 2 * n["both"] / max(1, n["wanted"] + n["given"])
    print(f"{n['cases']} cases: counts {n['counts'] / n['cases']:.3f}, failing ids F1 {f1:.3f}, ", end="")
    print(
        f"kinds {n['kinds'] / max(1, n['wanted']):.3f}, file and line {n['places'] / max(1, n['wanted']):.3f}, ", end=""
    )
    print(f"kind of the run {n['suite kinds'] / n['cases']:.3f}")


if __name__ == "__main__":
    main()
