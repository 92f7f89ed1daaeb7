"""Writes docs/cli.md, the help of every command, to standard output."""

from __future__ import annotations

import click

from idia_index.cli.main import VERBS, cli

WIDTH = 96


def page() -> str:
    """The page: one section a command, each its help as the terminal shows it."""
    context = click.Context(cli, info_name="idia-index", max_content_width=WIDTH)
    context.terminal_width = WIDTH
    parts = [
        "# Commands\n\nMade from the program by `make docs`; a test compares.\n",
        _section("idia-index", cli.get_help(context)),
    ]
    for verb in VERBS:
        command = cli.get_command(context, verb)
        assert command is not None
        inner = click.Context(command, info_name=verb, parent=context)
        inner.terminal_width = WIDTH
        parts.append(_section(f"idia-index {verb}", command.get_help(inner)))
    return "\n".join(parts)


def _section(title: str, text: str) -> str:
    body = "\n".join(line.rstrip() for line in text.splitlines())
    return f"## {title}\n\n```\n{body}\n```\n"


if __name__ == "__main__":
    print(page(), end="")
