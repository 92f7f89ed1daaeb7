"""Writes docs/cli.md, the help of every command, to standard output."""

from __future__ import annotations

import click

from idia_index.cli.main import VERBS, cli

WIDTH = 96
HEAD = r"""# Commands

What each command does and which options it takes, as `--help` prints it. Made from the program by
`make docs`; a test compares.

Verbs and options complete on Tab after this line in your shell's start-up file:

| shell | file | line |
| --- | --- | --- |
| bash | `~/.bashrc` | `eval "$(_IDIA_INDEX_COMPLETE=bash_source idia-index)"` |
| zsh | `~/.zshrc` | `eval "$(_IDIA_INDEX_COMPLETE=zsh_source idia-index)"` |
| fish | `~/.config/fish/config.fish` | `_IDIA_INDEX_COMPLETE=fish_source idia-index \| source` |

Results go to standard output; notes, progress and errors to standard error. Exit codes: 0 done,
2 wrong use or bad input, 3 a rule that was given does not hold, 1 anything else.
"""


def page() -> str:
    """The page: one section a command, each its help as the terminal shows it."""
    context = click.Context(cli, info_name="idia-index", max_content_width=WIDTH)
    context.terminal_width = WIDTH
    parts = [
        HEAD,
        _section("idia-index", cli.get_help(context)),
    ]
    for verb in VERBS:
        command = cli.get_command(context, verb)
        assert command is not None
        inner = click.Context(command, info_name=verb, parent=context)
        inner.terminal_width = WIDTH
        parts.append(_section(f"idia-index {verb}", command.get_help(inner)))
        for name, part in getattr(command, "commands", {}).items():
            below = click.Context(part, info_name=name, parent=inner)
            below.terminal_width = WIDTH
            parts.append(_section(f"idia-index {verb} {name}", part.get_help(below)))
    return "\n".join(parts)


def _section(title: str, text: str) -> str:
    body = "\n".join(line.rstrip() for line in text.splitlines())
    return f"## {title}\n\n```\n{body}\n```\n"


if __name__ == "__main__":
    print(page(), end="")
