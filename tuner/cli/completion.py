"""The command ``tuner completion``, and what the scripts that it prints ask for.

Click's own scripts do not quote what they complete. A study may be named ``my study`` or ``$(reboot)``, so in bash a
name is quoted as the word that it completes. Zsh and fish quote by themselves.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import ClassVar, NoReturn

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

from tuner.cli.output import err, out, print_next

VARIABLE = "_TUNER_COMPLETE"  # set by the scripts

_BASH = r"""%(complete_func)s() {
    local IFS=$'\n' line
    COMPREPLY=()
    while IFS= read -r line; do
        case "$line" in
            dir,*) compopt -o dirnames ;;
            file,*) compopt -o default ;;
            plain,*) COMPREPLY+=("${line#plain,}") ;;
        esac
    done < <(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null || complete -F %(complete_func)s %(prog_name)s
"""
_FISH = r"""function %(complete_func)s
    for line in (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp) COMP_CWORD=(commandline -t) \
            %(prog_name)s 2>/dev/null)
        set -l parts (string split -m 1 "," -- $line)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                printf "%%s\n" $parts[2]
        end
    end
end
complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""
_PLAIN = re.compile(r"[\w@%+,./-]")  # what bash reads as itself, and does not end a word at


class _Bash(BashComplete):
    """Quotes each name for bash as the word that is completed."""

    source_template: ClassVar[str] = _BASH

    @staticmethod
    def _check_version() -> None:
        """Let the script decide what this bash can do."""

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Return a line with the type and the value, quoted as the current word begins."""
        words = os.environ["COMP_WORDS"].split("\n")
        current = int(os.environ["COMP_CWORD"])
        typed = words[current] if current < len(words) else ""
        return f"{item.type},{_quoted(item.value, typed) if item.type == 'plain' else item.value}"


class _Fish(FishComplete):
    """Keeps commas in values."""

    source_template: ClassVar[str] = _FISH


_SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": ZshComplete, "fish": _Fish}
_FILES = {
    "bash": "~/.local/share/bash-completion/completions/tuner",
    "zsh": "~/.zfunc/_tuner",
    "fish": "~/.config/fish/completions/tuner.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)), help="The shell that reads the script.")
def completion(shell: str) -> None:
    """Print a script that completes commands, options, studies, searches and formats.

    \b
    source <(tuner completion bash)          in this shell only
    tuner completion fish > ~/.config/fish/completions/tuner.fish
    """
    root = click.get_current_context().find_root().command
    out(_SHELLS[shell](root, {}, "tuner", VARIABLE).source(), end="")
    if sys.stdout.isatty():
        err()
        print_next((f"tuner completion {shell} > {_FILES[shell]}", "keep it for every new shell"))


def answer(main: click.Command, instruction: str) -> NoReturn:
    """Print the completions that a script asks for, and end the process. There is no error.

    Args:
        main: The command ``tuner``.
        instruction: The value of ``VARIABLE``, such as ``bash_complete``.
    """
    shell = _SHELLS.get(instruction.removesuffix("_complete"))
    if shell is not None:
        with contextlib.suppress(Exception):  # a message would stand in the middle of what the user types
            out(shell(main, {}, "tuner", VARIABLE).complete())
    sys.exit(0)


def _quoted(value: str, typed: str) -> str:
    """Return a value so that bash reads it as one word, after the quotation mark that ``typed`` may begin with."""
    if typed.startswith("'"):
        return value.replace("'", r"'\''")
    if typed.startswith('"'):
        return re.sub(r'(["$`\\])', r"\\\1", value).replace("!", "\"'!'\"")
    return "".join(character if _PLAIN.fullmatch(character) else f"\\{character}" for character in value)
