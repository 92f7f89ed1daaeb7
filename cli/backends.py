"""`idia-index backends`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import click

from idia_index.cli.options import json_option, write_json
from idia_index.cli.terminal import say
from idia_index.registry import BACKENDS, INDEXES, available
from idia_index.support.columns import pairs


@dataclass(frozen=True)
class Plugins:
    """The registered plugins, each with the package and version that provides it."""

    backends: Mapping[str, str]
    indexes: Mapping[str, str]


def origins(group: str) -> dict[str, str]:
    """The plugins of a group, each with the package and version that provides it."""
    found = {}
    for name, point in available(group).items():
        package = point.dist
        found[name] = f"{package.name} {package.version}" if package else point.value
    return found


@click.command(epilog="\b\nExample:\n  idia-index backends")
@json_option
def command(as_json: bool) -> None:
    """List the registered backends and index types and the package that provides each.

    Nothing is imported, so this is fast but does not show what works here; idia-index doctor
    tests each.
    """
    found = Plugins(origins(BACKENDS), origins(INDEXES))
    if as_json:
        write_json(found)
        return
    for title, group in (("backends", found.backends), ("indexes", found.indexes)):
        say(f"{title}:\n{pairs(group, indent=2)}")
    say("To see which of them work here: idia-index doctor")
