"""`idia-index parity`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from idia_index import Index, open_index, read_subjects, sample_names
from idia_index.cli.options import (
    DIRECTORY,
    json_option,
    progress_option,
    strict_option,
    tau_option,
    write_json,
)
from idia_index.cli.people import tell_notes, tell_people, tell_skipped
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.errors import InputError
from idia_index.pipelines.build import JAIR2024
from idia_index.pipelines.checks import check_people
from idia_index.pipelines.load import check_pytorch, is_index, load_model
from idia_index.pipelines.parity import compare
from idia_index.pipelines.parity_report import Count, ParityReport
from idia_index.support.columns import pairs
from idia_index.support.text import shown, shown_path

DECISION_FLIPPED = 3


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index parity people.idia exported/ subjects/\n"
    "  idia-index parity ViT-B-32/epoch_32.pt exported/ subjects.csv --sample-names 1000"
)
@click.argument("index_or_model")
@click.argument("onnx_dir", type=DIRECTORY)
@click.argument("subjects", type=DIRECTORY)
@click.option(
    "--model",
    metavar="SPEC",
    help="The model for open_clip, if INDEX was built from an export of it.",
)
@click.option(
    "--sample-names",
    type=int,
    metavar="N",
    default=1000,
    show_default=True,
    help="Number of candidates to draw if a model is given instead of an index.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed for drawing names.")
@click.option(
    "--allow-flips",
    type=int,
    metavar="N",
    default=0,
    show_default=True,
    help="Number of decisions that may differ before the exit status is 3.",
)
@strict_option
@tau_option
@json_option
@progress_option
@click.pass_context
def command(
    ctx: click.Context,
    index_or_model: str,
    onnx_dir: Path,
    subjects: Path,
    model: str | None,
    sample_names: int,
    seed: int,
    allow_flips: int,
    strict: bool,
    tau: int,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Run open_clip and an ONNX export on the same names and images, and compare.

    INDEX_OR_MODEL, an index or a model's SPEC, provides the names, templates and model. For an
    index built from an export, name the original model with --model. Exits with status 3 if more
    decisions differ than --allow-flips.
    """
    people = read_subjects(subjects)
    tell_notes(people.notes)
    check_people(people, strict=strict, drawn=False)
    # Exports have a manifest too, but they are models.
    index = open_index(index_or_model) if is_index(index_or_model) else None
    spec, options = _source(index, index_or_model, model)
    names = index.names if index is not None else _drawn(sample_names, seed)
    templates = index.templates if index is not None else JAIR2024
    with Stages(show_progress) as progress:
        progress("loading the models")
        second = load_model(str(onnx_dir), "onnx")  # first, since it fails sooner
        first = load_model(spec, "open_clip", **options)
        report = compare(first, second, names, templates, people, tau=tau, strict=strict,
                         progress=progress)  # fmt: skip
    tell_skipped(each.reason for each in report.skipped)
    tell_people([(each.name, each.reason) for each in (*people.skipped, *report.skipped_people)])
    if as_json:
        write_json(report)
    else:
        say(_text(report))
    ctx.exit(DECISION_FLIPPED if report.decisions.differ > allow_flips else 0)


def _drawn(count: int, seed: int) -> list[str]:
    return sample_names(count, seed).names()


def _source(index: Index | None, given: str, model: str | None) -> tuple[str, Mapping[str, object]]:
    """The SPEC for open_clip, and options; raises InputError if nothing names the model."""
    instead = "parity compares an export with the model that it was made from; name that model"
    if index is None:
        if model is not None:
            raise InputError(
                f"--model {shown(model)}: {shown(given)} is already a model; omit one of them"
            )
        check_pytorch(given, instead)
        return given, {}
    plan = index.manifest.plan
    if model is None and plan.backend != "open_clip":
        raise InputError(
            f"{shown_path(index.path)}: was built from {shown(plan.model, 300)} by the backend "
            f"{shown(plan.backend)}; name the model for open_clip with --model SPEC"
        )
    check_pytorch(model or plan.model, instead)
    options = plan.load_options if plan.backend == "open_clip" else {}
    return model or plan.model, options


def _text(report: ParityReport) -> str:
    texts, images = report.text_embeddings, report.image_embeddings
    rows = {
        "tokens that differ": _count(report.tokens) if report.tokens else "not shown",
        "text embeddings": f"largest difference {texts.largest_difference:.1e}, smallest cosine "
        f"{texts.smallest_cosine:.7f}",
        "image embeddings": f"largest difference {images.largest_difference:.1e}, smallest "
        f"cosine {images.smallest_cosine:.7f}",
        "predictions that differ": _count(report.predictions),
        "winners that differ": _count(report.winners),
        "decisions that differ": _count(report.decisions),
    }
    flips = [
        f"{flip.name}: {flip.correct_prompts[0]} against {flip.correct_prompts[1]} correct prompts"
        for flip in report.flips
    ]
    return "\n".join([pairs(rows), *flips])


def _count(count: Count) -> str:
    return f"{count.differ:,} of {count.compared:,}"
