"""`idia-index verify`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from idia_index.cli.options import (
    DIRECTORY,
    Override,
    json_option,
    override_options,
    progress_option,
    write_json,
)
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.errors import IdiaIndexError
from idia_index.pipelines.load import load_backend_at
from idia_index.pipelines.verify import Finding, advice, file_count, verify


@dataclass(frozen=True)
class VerifyResult:
    """What is wrong with an index.

    Attributes:
        path: its directory.
        findings: what is wrong; empty if nothing is.
    """

    path: str
    findings: tuple[Finding, ...]


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index verify people.idia\n"
    "  idia-index verify people.idia --no-model"
)
@click.argument("index", type=DIRECTORY)
@click.option("--no-model", is_flag=True, help="Do not load the model: skip the sample of prompts.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed for the sample.")
@override_options
@json_option
@progress_option
def command(
    index: Path,
    no_model: bool,
    seed: int,
    override: Override,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Check every byte and every row of INDEX, and a sample of prompts against the model.

    Names each damaged shard; `idia-index repair` re-encodes them. Exits with status 1 if any is.
    """
    files = file_count(index)
    loaded = None
    with Stages(show_progress) as stages:
        if not no_model:
            stages("loading the model")
            loaded = load_backend_at(index, **override)
        stages("checking files")
        findings = verify(index, loaded, seed=seed, progress=partial(stages, "checking files"))
    if as_json:
        write_json(VerifyResult(str(index.resolve()), tuple(findings)))
    elif not findings:
        say(f"{index}: no problems in {files} files")
    for finding in findings if not as_json else ():
        say(_line(finding))
    if findings:
        raise IdiaIndexError(advice(index, findings))


def _line(finding: Finding) -> str:
    where = "" if finding.shard is None else f" (shard {finding.shard})"
    return f"{finding.file}{where}: {finding.problem}"
