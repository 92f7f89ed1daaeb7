"""Options that several verbs share, and how they become values."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import click

from idia_index import Backend, Index, load_backend_for
from idia_index.cli.terminal import is_quiet, note, say
from idia_index.registry import BACKEND_DTYPES
from idia_index.support.documents import to_json
from idia_index.support.text import json_text

F = TypeVar("F", bound=Callable[..., Any])
ASSUMED = "assumed: "

DIRECTORY = click.Path(path_type=Path)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on standard output, nothing else."
)
progress_option = click.option(
    "--progress/--no-progress",
    "show_progress",
    default=None,
    help="Progress on standard error; by default on a terminal only.",
)
verify_option = click.option(
    "--verify",
    "check_shards",
    is_flag=True,
    help="Compare each shard with its checksum before it is used; names always are.",
)
strict_option = click.option(
    "--strict", is_flag=True, help="An image or a person that cannot be used is an error."
)
names_strict_option = click.option(
    "--strict", is_flag=True, help="A name that cannot be used is an error."
)
tau_option = click.option(
    "--tau",
    type=int,
    default=1,
    show_default=True,
    help="Prompts that must choose the true name for the person to be inferred a member.",
)


members_option = click.option(
    "--members",
    type=DIRECTORY,
    metavar="MEMBERS.CSV",
    help="Take membership and training counts from what `idia-index members` wrote; a subject "
    "without a line there is unknown, not a non-member.",
)

reference_option = click.option(
    "--reference-faces",
    type=DIRECTORY,
    metavar="FOLDER",
    help="Try each name on these portraits too: folders female and male with an image or a folder "
    "of images per person, or a table with the columns path,sex; at least 100 people of the sex. "
    "A p-value of one person takes them, or more than 20 subjects.",
)

ALLOW_MISMATCH = click.option(
    "--allow-activation-mismatch",
    is_flag=True,
    help="Load weights trained with QuickGELU into an architecture without it, or the other way "
    "round, as older studies did.",
)


PREPROCESS = click.option(
    "--preprocess",
    metavar="NAME|FILE",
    help="How images are prepared, where the weights do not say it: openai, inception, imagenet, "
    "or a JSON file with mean, std, interpolation and resize_mode.",
)
ACTIVATION = click.option(
    "--activation",
    type=click.Choice(["gelu", "quick_gelu"]),
    help="What the weights were trained with, where nothing says it; quick_gelu for what was "
    "trained on from OpenAI's weights.",
)
WEIGHTS = click.option(
    "--weights",
    type=click.Choice(["raw", "ema"]),
    help="Which weights to take from a checkpoint that holds both; raw by default.",
)


def source_options(
    preprocess: str | None, activation: str | None, weights: str | None
) -> dict[str, str]:
    """The keywords of `load_backend` for what a user states of a checkpoint; those given alone,
    since only backends that load checkpoints take them."""
    stated = {
        "preprocess": _whole_path(preprocess) if preprocess else None,
        "activation": activation,
        "weights": weights,
    }
    return {name: value for name, value in stated.items() if value is not None}


def _whole_path(preprocess: str) -> str:
    """A name as it is; a file's path absolute, as the index keeps it."""
    return str(Path(preprocess).absolute()) if preprocess.endswith(".json") else preprocess


class MismatchOptions(TypedDict, total=False):
    """Keywords of `load_backend` for weights of another activation."""

    allow_activation_mismatch: bool


def mismatch_options(allowed: bool) -> MismatchOptions:
    """The keyword of `load_backend` for that; none where it is not asked for, since only
    backends that load checkpoints take it."""
    return {"allow_activation_mismatch": True} if allowed else {}


def model_options(function: F) -> F:
    """Adds what says how a model is loaded, for verbs that build."""
    for option in (
        ALLOW_MISMATCH,
        WEIGHTS,
        ACTIVATION,
        PREPROCESS,
        click.option("--device", help="cpu, cuda, ...; by default the best that works."),
        click.option(
            "--dtype",
            type=click.Choice(BACKEND_DTYPES),
            default="float32",
            show_default=True,
            help="What the model computes in.",
        ),
    ):
        function = option(function)
    return function


def override_options(function: F) -> F:
    """Adds what replaces the model that an index names, for verbs that search it."""
    for option in (
        click.option("--device", help="cpu, cuda, ...; by default the best that works."),
        click.option(
            "--model",
            metavar="SPEC",
            help="Another place of the same model, such as its ONNX export; by default the one "
            "that the index was built with.",
        ),
        click.option(
            "--backend",
            help="Backend; by default the one the index was built with, or, with --model, the one "
            "that it is for.",
        ),
    ):
        function = option(function)
    return function


def backend_of(index: Index, backend: str | None, model: str | None, device: str | None) -> Backend:
    """Loads the model that an index was built with, or the one given instead of it."""
    loaded = load_backend_for(index, model=model, backend=backend, device=device)
    tell_assumed(loaded)
    return loaded


def tell_model(loaded: Backend) -> None:
    """Says on standard error what was taken from a model's files, what is assumed of it, and what
    it runs on."""
    for told in loaded.notes:
        if not told.startswith(ASSUMED):
            note(told)
    tell_assumed(loaded)
    tell_backend(loaded)


def tell_assumed(loaded: Backend) -> None:
    """Says on standard error what is assumed of a model, with `-q` too."""
    for told in loaded.notes:
        if told.startswith(ASSUMED):
            say(told, err=True)


def tell_backend(loaded: Backend) -> None:
    """Says on standard error what a model runs on, unless with `-q`."""
    if not is_quiet():
        say(f"{loaded.name} on {loaded.device}", err=True)


def write_json(document: object) -> None:
    """Writes a document, a dataclass, to standard output as JSON."""
    text = json_text(to_json(document), indent=2)
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.flush()
