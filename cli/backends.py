"""`idia-index backends`."""

from __future__ import annotations

import click

from idia_index.cli.console import pairs
from idia_index.cli.options import json_option, write_json
from idia_index.cli.terminal import say
from idia_index.errors import IdiaIndexError
from idia_index.registry import BACKENDS, INDEXES, available, load_plugin


def plugin_states(group: str) -> dict[str, str]:
    """Each plugin of a group: "ready", or why it does not load."""
    states = {}
    for name in available(group):
        try:
            load_plugin(group, name)
            states[name] = "ready"
        except IdiaIndexError as error:
            states[name] = str(error)
    return states


@click.command(epilog="\b\nExample:\n  idia-index backends")
@json_option
def command(as_json: bool) -> None:
    """List backends and index kinds, and whether each can be used here."""
    groups = {"backends": plugin_states(BACKENDS), "indexes": plugin_states(INDEXES)}
    if as_json:
        write_json(groups)
        return
    for title, states in groups.items():
        say(f"{title}:\n{pairs(states, indent=2)}")
