"""`idia-index repair`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from idia_index.cli.options import (
    DIRECTORY,
    Override,
    engine_options,
    json_option,
    override_options,
    progress_option,
    tell_backend,
    write_json,
)
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.pipelines.load import load_backend_at
from idia_index.pipelines.repair import repair
from idia_index.registry import Engine
from idia_index.support.text import counted


@click.command(epilog="\b\nExample:\n  idia-index repair people.idia")
@click.argument("index", type=DIRECTORY)
@override_options
@engine_options
@json_option
@progress_option
def command(
    index: Path,
    override: Override,
    engine: Engine,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Check INDEX and re-encode its damaged shards; the others are left unchanged."""
    with Stages(show_progress) as stages:
        stages("loading the model")
        loaded = load_backend_at(index, **override)
        loaded.engine = engine
        tell_backend(loaded)
        stages("checking files")
        done = repair(index, loaded, partial(stages, "encoding prompts"))
    if as_json:
        write_json(done)
        return
    for finding in done.findings:
        say(f"{finding.file}: {finding.problem}")
    if not done.findings:
        say(f"{index}: nothing is damaged")
        return
    lookups = ", name lookup files rewritten" if done.lookups else ""
    say(f"{index}: {counted(done.encoded, 'shard file')} re-encoded{lookups}")
