"""The documentation as data: its pages, their code blocks, links and commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
OUTPUT_OF = re.compile(
    r"<!-- output of: (?P<command>[^>]+?) -->\n```text\n(?P<text>.*?)```\n<!-- end of output -->", re.S
)
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S)


class Block(NamedTuple):
    """One fenced block of a page."""

    language: str
    text: str
    line: int


def pages() -> list[Path]:
    """Every page for people: the root's and everything beneath docs/."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order; recorded output of commands is left out."""
    text = page.read_text(encoding="utf-8")
    recorded = [match.span() for match in OUTPUT_OF.finditer(text)]
    return [
        Block(match["language"], match["text"], text.count("\n", 0, match.start()) + 1)
        for match in BLOCK.finditer(text)
        if not any(start <= match.start() < end for start, end in recorded)
    ]


def program(page: Path) -> tuple[str, str]:
    """The page's Python blocks as one program, and what its text blocks say that it prints."""
    code: list[str] = []
    printed: list[str] = []
    previous = ""
    for block in blocks(page):
        if block.language == "python":
            # Blank lines keep the page's line numbers in a traceback.
            code.append("\n" * max(0, block.line - sum(part.count("\n") for part in code)) + block.text)
        elif block.language == "text" and previous == "python":
            printed.append(block.text)
        previous = block.language
    return "".join(code), "".join(printed)


def command_lines(page: Path) -> list[str]:
    """The lines of the page's shell blocks."""
    return [
        line.strip()
        for block in blocks(page)
        if block.language == "sh"
        for line in block.text.split("\n")
        if line.strip() and not line.startswith("#")
    ]


def run(
    arguments: list[str], cwd: Path = ROOT, more: Mapping[str, str] | None = None, together: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command of this interpreter with the package importable and nothing of the working directory.

    together: stdout holds stderr too, in the order in which a person sees both.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100", "NO_COLOR": "1", **(more or {})}
    command = [sys.executable, "-P", *arguments]
    errors = subprocess.STDOUT if together else subprocess.PIPE
    return subprocess.run(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=120, check=False
    )


def remit(*arguments: str, cwd: Path = ROOT, together: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return run(["-c", "import sys; from remit.cli import main; sys.exit(main())", *arguments], cwd, together=together)


def normalise(text: str) -> list[str]:
    """Lines without what differs from run to run: numbers, ids, durations, paths and the width of padding."""
    text = text.replace(str(ROOT), "ROOT")
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"(?<![\w/])/(?:[\w.+-]+/)*[\w.+-]+", "PATH", text)
    text = re.sub(r"(?<![\w./-])(?:[\w-]+/)+[\w-]+\.py\b", "PATH", text)  # the sources that stand out today
    text = re.sub(r"\b[a-z]+_[0-9A-Za-z]{16,}\b|\b[0-9A-HJKMNP-TV-Z]{20,}\b|\b[0-9a-f]{12,64}\b", "ID", text)
    text = re.sub(r"( s +Act +)[^;\n]*;", r"\1CALLS;", text)  # what the survey asks for follows the tree's size
    text = re.sub(r"\d[\d,._]*", "N", text)
    text = re.sub(r"[ \t]+", " ", text)
    return [line.strip() for line in text.strip().split("\n") if line.strip()]
