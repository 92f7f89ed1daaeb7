"""`idia-index evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index import Settings, open_index, read_subjects
from idia_index.cli.evaluation_text import evaluation_text
from idia_index.cli.options import (
    DIRECTORY,
    backend_of,
    json_option,
    members_option,
    override_options,
    progress_option,
    reference_option,
    strict_option,
    tau_option,
    write_json,
)
from idia_index.cli.outputs import claim
from idia_index.cli.people import tell_people, tell_read, tell_skipped
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.errors import InputError
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.recorded import read_results
from idia_index.evaluation.settings import PAPER_DRAWS, PAPER_IMAGES
from idia_index.pipelines.checks import check_draws, check_threshold
from idia_index.pipelines.evaluate import gather
from idia_index.report.data import evaluation_result
from idia_index.report.files import write_evaluation
from idia_index.subjects.from_captions import with_members
from idia_index.support.number_lists import numbers


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
    help="Evaluate a results.npz, or the report folder that holds it, again: no model, no images.",
)
@click.option(
    "--sample-sizes", default="1,3,..,30", show_default=True, help="Numbers of attack images."
)
@click.option("--draws", default=PAPER_DRAWS, show_default=True, help="Draws of each number.")
@click.option("--seed", default=0, show_default=True, help="Seed of everything that is drawn.")
@click.option(
    "--min-images",
    default=PAPER_IMAGES,
    show_default=True,
    help="Leave out people with fewer images.",
)
@click.option(
    "--max-training-count",
    type=int,
    help="Leave out people with more training images (the paper's LAION study: 299).",
)
@click.option(
    "--bins", metavar="0,25,..,75", help="Where bins of training counts start; the last is open."
)
@click.option(
    "--out",
    type=DIRECTORY,
    metavar="DIR",
    help="Write report.json, subjects.csv, curves.csv, index.html and results.npz there.",
)
@click.option("--include-images", is_flag=True, help="Show small copies of the faces in the page.")
@strict_option
@reference_option
@members_option
@tau_option
@override_options
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
    strict: bool,
    reference_faces: Path | None,
    members: Path | None,
    tau: int,
    backend: str | None,
    model: str | None,
    device: str | None,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Measure the attack on people whose membership is known, as the paper does, and check it.

    SUBJECTS is a folder with one folder of images per person (First_Last), or a CSV with the
    columns name,path,membership[,training_count]. Without known membership there are p-values
    and no rates.

    Embeddings of the images are kept in INDEX (images.cache) and spare the next run the work; set
    IDIA_INDEX_IMAGE_CACHE=off to keep none.
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
            raise InputError("--from takes neither INDEX nor SUBJECTS; leave out one or the other")
        if reference_faces is not None:
            raise InputError("--from measures nothing: leave out --reference-faces")
        evidence = read_results(results)
        claim(out, [result.subject for result in evidence.audit.subjects])
    elif index is None or subjects is None:
        raise InputError("give INDEX and SUBJECTS, or --from RESULTS")
    else:
        with Stages(show_progress) as progress:
            evidence = _measure(
                (index, subjects, members, reference_faces),
                out,
                settings,
                (backend, model, device),
                strict,
                progress,
            )
        tell_people(evidence.audit.skipped)
    if out is not None:
        result = write_evaluation(evidence, settings, out, include_images=include_images)
    else:
        result = evaluation_result(evidence, settings)
    if results is None:
        tell_skipped(result.left_out_files)
    if as_json:
        write_json(result)
        return
    say(evaluation_text(result))
    if out is not None:
        say(f"\nreport: {out / 'index.html'}")


def _measure(
    paths: tuple[Path, Path, Path | None, Path | None],
    out: Path | None,
    settings: Settings,
    chosen: tuple[str | None, str | None, str | None],
    strict: bool,
    progress: Stages,
) -> Evidence:
    opened = open_index(paths[0])
    check_threshold(opened, settings.tau)
    people = with_members(read_subjects(paths[1]), paths[2])
    tell_read(people, strict)
    claim(out, people, paths[1])
    check_draws(people)
    progress("loading the model")
    loaded = backend_of(opened, *chosen)
    return gather(
        opened,
        loaded,
        people,
        settings,
        strict=strict,
        reference_faces=paths[3],
        progress=progress,
    ).from_subjects(paths[1])
