"""`idia-index info`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import click

from idia_index import open_index
from idia_index.cli.console import pairs
from idia_index.cli.options import DIRECTORY, json_option, write_json
from idia_index.cli.terminal import say
from idia_index.pipelines.changing import DEVICE
from idia_index.report.text import index_type, names_origin
from idia_index.store.summary import IndexSummary, summarize
from idia_index.support.text import counted


@dataclass(frozen=True)
class IndexInfo(IndexSummary):
    """What an index is, with its templates.

    Attributes:
        template_texts: the templates, each with its placeholder.
    """

    template_texts: tuple[str, ...]


@click.command(epilog="\b\nExample:\n  idia-index info people.idia")
@click.argument("index", type=DIRECTORY)
@json_option
def command(index: Path, as_json: bool) -> None:
    """Show what INDEX is and what it was built from."""
    opened = open_index(index)
    plan = opened.manifest.plan
    summary = summarize(index, opened.manifest)
    if as_json:
        parts = {each.name: getattr(summary, each.name) for each in fields(summary)}
        write_json(IndexInfo(**parts, template_texts=plan.templates))
        return
    print_ = plan.fingerprint
    versions = dict(opened.manifest.versions)
    device = versions.pop(DEVICE, "not recorded")
    rows = {
        "index": index_type(summary),
        "candidates": counted(len(opened), "name"),
        "templates": f"{len(opened.templates)} (first: {plan.templates[0]})",
        "on disk": f"{summary.bytes / 1e6:,.1f} MB in {counted(summary.shards, 'shard')}",
        "model": f"{plan.model} ({plan.backend})",
        "architecture": f"{print_.architecture}, {print_.activation}, {print_.dim} dimensions",
        "weights": f"SHA-256 {print_.weights_sha256}",
        "tokenizer": print_.tokenizer,
        "preprocessing": print_.preprocessing,
        "precision": print_.precision,
        "encoded on": device,
        "names from": names_origin(plan.pool),
        "built with": ", ".join(f"{k} {v}" for k, v in versions.items()),
    }
    if plan.model_notes:
        rows["model's files"] = "; ".join(plan.model_notes)
    say(pairs(rows))
