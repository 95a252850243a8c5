"""A command line as plain arguments: quotes are understood, everything a shell would do is refused.

The idea: what is checked is what runs. There is no shell behind this, so a character that would have
made one do something (expand, chain, redirect) is not passed on as a letter either: the model
meant something else than would happen, and is told so.

Source: POSIX Shell Command Language 2.2 (quoting), 2.3 (tokens), 2.6 (expansions).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn

from remit.errors import Denied

MAX_ARGUMENTS: Final = 128
MAX_ARGUMENT_CHARS: Final = 8192
MAX_COMMAND_CHARS: Final = 32 * 1024

_SPACE: Final = " \t"
# What is special anywhere outside quotes, and what to do instead.
_SPECIAL: Final = {
    "|": "run one program a call; filter its output yourself",
    "&": "run one program a call; nothing runs in the background",
    ";": "run one program a call",
    "<": "give input with stdin",
    ">": "read the output from the result, or write it with write_file",
    "(": "run one program a call",
    ")": "run one program a call",
    "`": "there is no command substitution",
    "$": "there are no variables and no substitution; write the value",
    "*": "there is no expansion of names; list files with glob_search",
    "?": "there is no expansion of names; list files with glob_search",
    "[": "there is no expansion of names; quote it",
    "]": "there is no expansion of names; quote it",
    "\n": "run one program a call",
    "\r": "run one program a call",
}


def split_command(command: str) -> tuple[str, ...]:
    """The arguments of a command line.

    Raises:
        Denied: argument_denied for every character that a shell would act on, naming it.
    """
    if len(command) > MAX_COMMAND_CHARS:
        _refuse(f"the command is longer than {MAX_COMMAND_CHARS} characters", "Write the data to a file first.")
    return checked_argv(_Lexer(command.strip(_SPACE + "\n")).arguments())


def checked_argv(argv: Sequence[str]) -> tuple[str, ...]:
    """`argv` within its bounds; raises argument_denied."""
    if not argv or not argv[0]:
        _refuse("no program is named", "Name a program first.")
    if len(argv) > MAX_ARGUMENTS:
        _refuse(f"{len(argv)} arguments; at most {MAX_ARGUMENTS}", "Split the work into several calls.")
    for argument in argv:
        if "\0" in argument or any("\ud800" <= char <= "\udfff" for char in argument):
            _refuse("an argument holds a null byte or half of a surrogate pair", "Give plain text.")
        if len(argument) > MAX_ARGUMENT_CHARS:
            _refuse(f"an argument is longer than {MAX_ARGUMENT_CHARS} characters", "Write the data to a file first.")
    if argv[0].startswith("-") or "=" in argv[0] or argv[0] != argv[0].strip() or not argv[0].isprintable():
        _refuse(f"{argv[0][:100]!r} is no program", "Name a program first; variables cannot be set.")
    return tuple(argv)


class _Lexer:
    """One pass over a command line."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.word: list[str] | None = None
        self.words: list[str] = []

    def arguments(self) -> list[str]:
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if char in _SPACE:
                self._end_word()
            elif char == "'":
                self._single()
            elif char == '"':
                self._double()
            elif char == "\\":
                self._escape()
            else:
                self._plain(char)
        self._end_word()
        return self.words

    def _end_word(self) -> None:
        if self.word is not None:
            self.words.append("".join(self.word))
            self.word = None

    def _add(self, text: str) -> None:
        if self.word is None:
            self.word = []
        self.word.append(text)

    def _plain(self, char: str) -> None:
        if char in _SPECIAL:
            self._refuse_char(char, _SPECIAL[char])
        if char in "~#" and self.word is None:
            self._refuse_char(char, "write the path" if char == "~" else "comments are not commands; quote it")
        # `{}` stands for itself (find -exec); any other brace may expand.
        if char == "{" and not self.text.startswith("}", self.at):
            self._refuse_char(char, "there is no brace expansion; write every name")
        if char == "!" and self.word is None and self.text[self.at : self.at + 1] in ("", " "):
            self._refuse_char(char, "there is no negation of a command; quote it")
        if ord(char) < 32 or char == "\x7f":
            _refuse("the command holds a control character", "Give plain text.")
        self._add(char)

    def _single(self) -> None:
        end = self.text.find("'", self.at)
        if end < 0:
            _refuse("a single quote is not closed", "Close it.")
        self._add(self.text[self.at : end])
        self.at = end + 1

    def _double(self) -> None:
        self._add("")
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if char == '"':
                return
            if char in "$`":
                self._refuse_char(char, "it is special inside double quotes; use single quotes")
            if char == "\\" and self.text[self.at : self.at + 1] in ('"', "\\", "$", "`"):
                char = self.text[self.at]
                self.at += 1
            self._add(char)
        _refuse("a double quote is not closed", "Close it.")

    def _escape(self) -> None:
        char = self.text[self.at : self.at + 1]
        if char in ("", "\n"):
            _refuse("the command ends or breaks after a backslash", "Write it on one line.")
        self._add(char)
        self.at += 1

    def _refuse_char(self, char: str, instead: str) -> NoReturn:
        _refuse(f"{char!r} at character {self.at} of the command is a shell's; there is no shell", f"{instead}.")


def _refuse(why: str, hint: str) -> NoReturn:
    raise Denied("argument_denied", why, hint=hint[0].upper() + hint[1:])
