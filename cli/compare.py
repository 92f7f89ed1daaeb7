"""`idia-index compare`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from idia_index.cli.options import (
    DEVICE,
    DIRECTORY,
    json_option,
    members_option,
    progress_option,
    show,
    strict_option,
    tau_option,
)
from idia_index.cli.people import tell_notes, tell_people
from idia_index.cli.policies import Policy, enforce, policy_options
from idia_index.cli.progress import Stages
from idia_index.pipelines.comparing import (
    Asked,
    Comparison,
    check_groups,
    compare,
    write_comparison,
)
from idia_index.pipelines.people import read_people


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index compare old.idia new.idia subjects.csv --forget forget.txt --out report/\n"
    "  idia-index compare ViT-B-32/old.pt ViT-B-32/new.pt subjects.csv --forget forget.txt \\\n"
    "      --reference ViT-B-32/retrained.pt\n"
    "  idia-index compare old.idia new.idia subjects.csv --forget forget.txt \\\n"
    "      --fail-on 'forget.still_associated>0' --fail-on 'retain.tpr_drop>0.02'"
)
@click.argument("before")
@click.argument("after")
@click.argument("subjects", type=DIRECTORY)
@click.option(
    "--forget", type=DIRECTORY, metavar="FILE", help="Names of the people to forget, one per line."
)
@click.option(
    "--retain",
    type=DIRECTORY,
    metavar="FILE",
    help="Names of the people to retain; by default all other subjects except known non-members.",
)
@click.option(
    "--reference",
    metavar="MODEL",
    help="A model that never saw the people to forget: is AFTER distinguishable from it?",
)
@click.option(
    "--names",
    type=DIRECTORY,
    metavar="FILE",
    help="Candidate names, if no index is given; by default the subjects' names plus drawn ones, "
    "at least 1,000 in total.",
)
@click.option(
    "--equivalence",
    default=0.05,
    show_default=True,
    help="Largest difference in rates that counts as equivalent, for two one-sided tests at 5%.",
)
@click.option("--seed", default=0, show_default=True, help="Seed for all random draws.")
@DEVICE
@click.option(
    "--out",
    type=DIRECTORY,
    metavar="DIR",
    help="Write report.json, people.csv and index.html to this folder.",
)
@policy_options(Comparison)
@strict_option
@members_option
@tau_option
@json_option
@progress_option
def command(
    before: str,
    after: str,
    subjects: Path,
    forget: Path | None,
    retain: Path | None,
    reference: str | None,
    names: Path | None,
    equivalence: float,
    seed: int,
    device: str | None,
    out: Path | None,
    policy: Policy,
    strict: bool,
    members: Path | None,
    tau: int,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Test the same people on two models: who is still associated, and more than by chance?

    BEFORE and AFTER are indexes with the same names and templates, or models from which indexes
    are built. SUBJECTS is as for `audit`.
    """
    asked = Asked(
        before=before, after=after, reference=reference, forget=forget, retain=retain,
        names=names, equivalence=equivalence, tau=tau, seed=seed, device=device, strict=strict,
    )  # fmt: skip
    people = read_people(subjects, members)
    check_groups(policy.rules, asked, people, subjects)
    tell_notes(people.notes)
    with Stages(show_progress) as progress:
        result = compare(asked, people, out, progress)
    result = replace(result, policy=policy.judged(result.to_dict()))
    tell_people([(each.name, each.reason) for each in result.skipped])
    if out is not None:
        write_comparison(result, out)
    show(result, as_json, out)
    enforce(policy, result, "idia-index compare", subjects)
