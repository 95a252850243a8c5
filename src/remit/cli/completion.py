"""Print a completion script for bash, zsh or fish.

For example: remit completion bash > ~/.local/share/bash-completion/completions/remit
"""

from __future__ import annotations

from typing import Any

BASH = """\
_remit() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" words
    if [ "$COMP_CWORD" -eq 1 ]; then words="{verbs}"; else
        case "${{COMP_WORDS[1]}}" in
{cases}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    [ "${{#COMPREPLY[@]}}" -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))
}}
complete -o filenames -F _remit remit
"""
ZSH = """\
#compdef remit
_remit() {{
    local -a words
    if (( CURRENT == 2 )); then words=({verbs}); else
        case "$words[2]" in esac
        case "${{(Q)${{(z)BUFFER}}[2]}}" in
{cases}
        esac
    fi
    compadd -- $words || _files
}}
compdef _remit remit
"""


def add(parser: Any) -> None:
    """The flags."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(args: Any) -> int:
    """Print the script."""
    from remit.cli import _output

    words = flags_by_verb()
    match args.shell:
        case "fish":
            lines = [f"complete -c remit -n __fish_use_subcommand -f -a {verb}" for verb in words]
            for verb, flags in words.items():
                seen = f"'__fish_seen_subcommand_from {verb}'"
                lines += [f"complete -c remit -n {seen} " + _fish(flag) for flag in flags]
            _output.data("\n".join(lines))
        case "zsh":
            cases = "\n".join(f"            {verb}) words=({' '.join(flags)}) ;;" for verb, flags in words.items())
            _output.data(ZSH.format(verbs=" ".join(words), cases=cases).rstrip())
        case _:
            cases = "\n".join(f'            {verb}) words="{" ".join(flags)}" ;;' for verb, flags in words.items())
            _output.data(BASH.format(verbs=" ".join(words), cases=cases).rstrip())
    return 0


def flags_by_verb() -> dict[str, list[str]]:
    """Every verb with its flags, subcommands and choices, read from its own parser."""
    import argparse
    from importlib import import_module

    from remit.cli import verbs

    found: dict[str, list[str]] = {}
    for verb in verbs():
        parser = argparse.ArgumentParser(add_help=False)
        import_module(f"remit.cli.{verb}").add(parser)
        found[verb] = sorted(set(_words(parser)))
    return found


def _words(parser: Any) -> list[str]:
    words: list[str] = []
    for action in parser._actions:
        words += [flag for flag in action.option_strings if flag.startswith("--")]
        choices = action.choices
        words += [str(choice) for choice in choices or () if not action.option_strings]
        if isinstance(choices, dict):  # subcommands
            for each in choices.values():
                words += _words(each)
    return words


def _fish(word: str) -> str:
    return f"-l {word[2:]}" if word.startswith("--") else f"-f -a {word}"
