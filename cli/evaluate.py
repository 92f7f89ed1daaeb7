"""`idia-index evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index import EvaluationResult, Settings, open_index
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
)
from idia_index.cli.people import claim, people_to_test, tell_people, tell_skipped
from idia_index.cli.policies import Policy, enforce, policy_options
from idia_index.cli.progress import Stages
from idia_index.cli.report_options import report_options
from idia_index.errors import InputError
from idia_index.pipelines.about import About
from idia_index.pipelines.evaluate import gather
from idia_index.pipelines.recorded_results import read_results
from idia_index.pipelines.report_files import evaluate_evidence
from idia_index.registry import Engine
from idia_index.support.text import numbers

DEFAULTS = Settings()


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index evaluate people.idia subjects.csv --out report/\n"
    "  idia-index evaluate --from report/ --tau 3 --out report-tau3/\n"
    "  idia-index evaluate people.idia subjects.csv --min-images 10 --sample-sizes 1,3,..,9"
)
@click.argument("index", type=DIRECTORY, required=False)
@click.argument("subjects", type=DIRECTORY, required=False)
@click.option(
    "--from",
    "results",
    type=DIRECTORY,
    metavar="RESULTS",
    help="Re-evaluate a results.npz, or the report folder that contains it: no model, no images.",
)
@click.option(
    "--sample-sizes",
    default="1,3,..,30",
    show_default=True,
    help="Numbers of attack images to use.",
)
@click.option("--draws", default=DEFAULTS.draws, show_default=True, help="Draws per sample size.")
@click.option("--seed", default=0, show_default=True, help="Seed for all random draws.")
@click.option(
    "--min-images",
    default=DEFAULTS.min_images,
    show_default=True,
    help="Exclude people with fewer images.",
)
@click.option(
    "--max-training-count",
    type=int,
    help="Exclude people with more training images (the paper's LAION study: 299).",
)
@click.option(
    "--bins", metavar="0,25,..,75", help="Lower bounds of training-count bins; the last is open."
)
@report_options
@strict_option
@reference_option
@members_option
@crop_option
@tau_option
@override_options
@engine_options
@policy_options(EvaluationResult)
@json_option
@progress_option
def command(
    index: Path | None,
    subjects: Path | None,
    results: Path | None,
    sample_sizes: str,
    draws: int,
    seed: int,
    min_images: int,
    max_training_count: int | None,
    bins: str | None,
    out: Path | None,
    include_images: bool,
    language: str,
    about: About | None,
    strict: bool,
    reference_faces: Path | None,
    members: Path | None,
    crop: str,
    tau: int,
    override: Override,
    engine: Engine,
    policy: Policy,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Measure the attack on people whose membership is known, as in the paper, and check it.

    SUBJECTS is a folder with one folder of images per person (First_Last), a CSV with the columns
    name,path,membership[,training_count], or the s3:// or gs:// address of either. Without known
    membership, p-values are reported but no rates.

    Image embeddings are cached in INDEX (images.cache) for later runs; set
    IDIA_INDEX_IMAGE_CACHE=off to disable the cache.
    """
    settings = Settings(
        tau=tau,
        sizes=numbers(sample_sizes, "--sample-sizes"),
        draws=draws,
        seed=seed,
        min_images=min_images,
        max_training_count=max_training_count,
        bins=None if bins is None else numbers(bins, "--bins"),
    )
    if results is not None:
        if index is not None:
            raise InputError("--from excludes INDEX and SUBJECTS; omit it or them")
        if reference_faces is not None:
            raise InputError("--from encodes no images: omit --reference-faces")
        evidence = read_results(results)
        claim(out, [result.subject for result in evidence.audit.subjects])
    elif index is None or subjects is None:
        raise InputError("pass INDEX and SUBJECTS, or --from RESULTS")
    else:
        opened = open_index(index)
        people = people_to_test(
            opened, (subjects, members, crop), out, tau=tau, strict=strict, drawn=True
        )
        with Stages(show_progress) as progress:
            progress("loading the model")
            loaded = model_of(opened, override, engine)
            evidence = gather(
                opened, loaded, people, settings, strict=strict,
                reference_faces=reference_faces, out=out, progress=progress,
            ).from_subjects(subjects)  # fmt: skip
        tell_people([(each.name, each.reason) for each in evidence.audit.skipped])
    result = evaluate_evidence(
        evidence.with_about(about), settings, out, include_images=include_images, language=language
    )
    if results is None:
        tell_skipped(result.left_out_files)
    show(result, as_json, out)
    enforce(policy, result, "idia-index evaluate", results or subjects)
