"""`idia-index backends`."""

from __future__ import annotations

import click

from idia_index.cli.console import pairs
from idia_index.cli.options import json_option, write_json
from idia_index.cli.terminal import say
from idia_index.registry import BACKENDS, INDEXES, available


def origins(group: str) -> dict[str, str]:
    """The plugins of a group, each with the package and version that brings it."""
    found = {}
    for name, point in available(group).items():
        package = point.dist
        found[name] = f"{package.name} {package.version}" if package else point.value
    return found


@click.command(epilog="\b\nExample:\n  idia-index backends")
@json_option
def command(as_json: bool) -> None:
    """List backends and index types that are registered, and the package that brings each.

    Nothing is imported, so this is quick, and does not say what works here: idia-index doctor
    tries each.
    """
    groups = {"backends": origins(BACKENDS), "indexes": origins(INDEXES)}
    if as_json:
        write_json(groups)
        return
    for title, found in groups.items():
        say(f"{title}:\n{pairs(found, indent=2)}")
    say("What of it works here: idia-index doctor")
