"""`idia-index audit`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index import AuditResult, open_index
from idia_index.cli.options import (
    DIRECTORY,
    Override,
    crop_option,
    engine_options,
    json_option,
    members_option,
    model_of,
    override_options,
    progress_option,
    reference_option,
    show,
    strict_option,
    tau_option,
    verify_option,
)
from idia_index.cli.people import people_to_test, tell_people, tell_skipped
from idia_index.cli.policies import Policy, enforce, policy_options
from idia_index.cli.progress import Stages
from idia_index.cli.report_options import report_options
from idia_index.cli.terminal import say
from idia_index.errors import InputError
from idia_index.pipelines.about import About
from idia_index.pipelines.audit import audit_into, read_groups
from idia_index.registry import Engine


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index audit people.idia subjects/\n"
    "  idia-index audit people.idia subjects.csv --tau 2 --out report/\n"
    "  idia-index audit people.idia subjects.csv --json > audit.json"
)
@click.argument("index", type=DIRECTORY)
@click.argument("subjects", type=DIRECTORY)
@report_options
@click.option(
    "--group",
    metavar="COLUMN",
    help="Also test as a group the people who share a value in this column of SUBJECTS, a table: "
    "people from one source, which is in the training data as a whole or not at all.",
)
@click.option(
    "--study",
    type=DIRECTORY,
    metavar="REPORT",
    help="Report of an evaluation on this index of people whose membership is known; adds a "
    "likelihood ratio for each person, calibrated on that evaluation.",
)
@click.option(
    "--control-names",
    is_flag=True,
    help="For a label index: where the true name was chosen, ask again without it, to estimate how "
    "often the rule would associate control names (see the cost with idia-index plan --calls).",
)
@strict_option
@reference_option
@members_option
@crop_option
@tau_option
@verify_option
@override_options
@engine_options
@policy_options(AuditResult)
@json_option
@progress_option
def command(
    index: Path,
    subjects: Path,
    out: Path | None,
    include_images: bool,
    language: str,
    about: About | None,
    group: str | None,
    study: Path | None,
    control_names: bool,
    strict: bool,
    reference_faces: Path | None,
    members: Path | None,
    crop: str,
    tau: int,
    check_shards: bool,
    override: Override,
    engine: Engine,
    policy: Policy,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Test every person in SUBJECTS and report the results.

    SUBJECTS is a folder with one folder of images per person (First_Last), a CSV with the
    columns name,path[,membership][,training_count][,person_id], or the s3:// or gs:// address
    of either; see docs/inputs.md.

    Image embeddings are cached in INDEX (images.cache) for later runs; set
    IDIA_INDEX_IMAGE_CACHE=off to disable the cache.
    """
    if about is not None and out is None:
        raise InputError("--about describes a report: pass --out DIR to write one")
    opened = open_index(index, verify=check_shards)
    people = people_to_test(
        opened, (subjects, members, crop), out, tau=tau, strict=strict, drawn=out is not None
    )
    groups = None if group is None else read_groups(subjects, group)
    with Stages(show_progress) as progress:
        progress("loading the model")
        loaded = model_of(opened, override, engine)
        result, report = audit_into(
            out, opened, loaded, people, subjects, tau=tau, strict=strict,
            include_images=include_images, reference_faces=reference_faces, groups=groups,
            control_names=control_names, study=study, language=language, about=about,
            progress=progress,
        )  # fmt: skip
    tell_skipped(result.left_out_files)
    tell_people([(each.name, each.reason) for each in result.skipped])
    for warning in report.warnings if report and not as_json else ():
        say(f"WARNING: {warning}\n")
    show(result, as_json, out)
    enforce(policy, result, "idia-index audit", subjects)
