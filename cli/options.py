"""Options that several verbs share, and how they become values."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypedDict, TypeVar, cast

import click

from idia_index import Backend, Index, Session, load_backend_for
from idia_index.cli.terminal import is_quiet, note, say
from idia_index.pipelines.labels import check_labels_alone, is_of_labels, load_labeler_for
from idia_index.registry import BACKEND_DTYPES, Engine, LabelerPlugin, load_engine, load_labeler
from idia_index.support.documents import to_json
from idia_index.support.text import json_text

F = TypeVar("F", bound=Callable[..., Any])
ASSUMED = "assumed: "


class _Place(click.Path):
    """A path; an empty one, as of a variable that is not set, would be the working folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the path is empty; name a file or folder", param, ctx)
        return super().convert(value, param, ctx)


DIRECTORY = _Place(path_type=Path)


def added(function: F, *options: Callable[[F], F]) -> F:
    """A command with options, in the order in which its help lists them."""
    for option in reversed(options):
        function = option(function)
    return function


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
crop_option = click.option(
    "--crop",
    default="none",
    show_default=True,
    metavar="none|face[:MARGIN]|centre|FILE",
    help="Cut this out of every photo first: the largest face with a margin on each side, as a "
    "share of its size (extra `faces`); the central square; or the box that a CSV gives "
    "(path,left,top,right,bottom). The paper crops nothing.",
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


DEVICE = click.option("--device", help="cpu, cuda, ...; by default the best that works.")
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


class SourceOptions(TypedDict, total=False):
    """Keywords of `load_backend` for what a user states of a model; each is of some backends."""

    preprocess: str
    activation: str
    weights: str
    image_size: int
    allow_activation_mismatch: bool


def source_options(
    *, image_size: int | None = None, allow_mismatch: bool = False, **stated: str | None
) -> SourceOptions:
    """Those that are given."""
    given = {
        "image_size": image_size, "allow_activation_mismatch": allow_mismatch or None, **stated,
    }  # fmt: skip
    return cast(SourceOptions, {name: value for name, value in given.items() if value is not None})


def session_options(function: F) -> F:
    """Adds what one run allows a backend that asks a service, as the one argument `session`."""

    @wraps(function)
    def packed(
        *, send_texts_to: tuple[str, ...], send_images_to: tuple[str, ...], key_from: str | None,
        max_calls: int | None, timeout: float, concurrency: int, send_original: bool,
        accept_truncation: bool, **options: Any,
    ) -> Any:  # fmt: skip
        session = Session(
            send_texts_to, send_images_to, key_from, max_calls, timeout, concurrency,
            send_original, accept_truncation,
        )  # fmt: skip
        return function(**options, session=session)

    return added(cast(F, packed), *_SESSION)


_SESSION = (
    click.option("--send-texts-to", metavar="HOST", multiple=True,
                 help="Prompts may be sent to this very host (backend http)."),
    click.option("--send-images-to", metavar="HOST", multiple=True,
                 help="Photos may be sent to this very host (backend http)."),
    click.option("--key-from", metavar="VARIABLE",
                 help="Environment variable that holds the service's key."),
    click.option("--max-calls", type=click.IntRange(min=1), metavar="N",
                 help="Requests of the service at the most; what takes more is refused first."),
    click.option("--timeout", type=float, default=120.0, show_default=True, metavar="SECONDS",
                 help="How long one request may take."),
    click.option("--concurrency", type=click.IntRange(1, 64), default=4, show_default=True,
                 help="Requests at a time."),
    click.option("--send-original", is_flag=True,
                 help="Send image files as they are, with their EXIF (place, time), not the PNG "
                 "of their pixels."),
    click.option("--accept-truncation", is_flag=True,
                 help="Take embeddings of prompts that the service may have cut."),
)  # fmt: skip


ENGINE = click.option(
    "--engine",
    metavar="local|ray[:ADDRESS]",
    default="local",
    show_default=True,
    help="What runs the work: this process, or workers of a Ray cluster (extra `cluster`), by "
    "default that of RAY_ADDRESS, else one that is started here.",
)
_WORKERS = click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Workers of a cluster; by default one for each processor, or for each GPU.",
)
GPUS_PER_WORKER = click.option(
    "--gpus-per-worker",
    type=float,
    metavar="N",
    help="GPUs of each worker of a cluster, or a share of one; by default none.",
)


def engine_options(function: F) -> F:
    """Adds what says where long work runs, as the one argument `engine`."""

    @wraps(function)
    def packed(
        *, engine: str, workers: int | None, gpus_per_worker: float | None, **options: Any
    ) -> Any:
        loaded = load_engine(engine, workers=workers, gpus_per_worker=gpus_per_worker)
        return function(**options, engine=loaded)

    return added(cast(F, packed), ENGINE, _WORKERS, GPUS_PER_WORKER)


def labeler_options(function: F) -> F:
    """Adds what says that a model gives labels alone, for verbs that build."""
    return added(
        function,
        click.option(
            "--labeler", metavar="NAME",
            help="The model gives labels alone: reference (any model here), zero-shot (Hugging "
            "Face's zero-shot image classification) or a plugin. A build asks it nothing.",
        ),
        click.option(
            "--most-labels", type=click.IntRange(min=2), metavar="N",
            help="Labels that one question to the labeler may hold.",
        ),
    )  # fmt: skip


def labeler_of(name: str, model: str, most_labels: int | None, session: Session) -> LabelerPlugin:
    """Loads the labeler that those options name."""
    bound = {} if most_labels is None else {"most_labels": most_labels}
    return load_labeler(name, model=model, session=session, **bound)


def model_options(function: F) -> F:
    """Adds what says how a model is loaded, for verbs that build."""
    dtype = click.option(
        "--dtype",
        type=click.Choice(BACKEND_DTYPES),
        default="float32",
        show_default=True,
        help="What the model computes in.",
    )
    return session_options(
        added(function, dtype, DEVICE, PREPROCESS, ACTIVATION, WEIGHTS, ALLOW_MISMATCH)
    )


def override_options(function: F) -> F:
    """Adds what replaces the model that an index names, for verbs that search it."""
    backend = click.option(
        "--backend",
        help="Backend; by default the one the index was built with, or, with --model, the one "
        "that it is for.",
    )
    model = click.option(
        "--model",
        metavar="SPEC",
        help="Another place of the same model, such as its ONNX export; by default the one "
        "that the index was built with.",
    )
    return session_options(added(function, backend, model, DEVICE))


def backend_of(
    index: Index, backend: str | None, model: str | None, device: str | None, session: Session
) -> Backend:
    """Loads the model that an index was built with, or the one given instead of it."""
    loaded = load_backend_for(index, model=model, backend=backend, device=device, session=session)
    tell_assumed(loaded)
    return loaded


def model_of(
    index: Index, backend: str | None, model: str | None, device: str | None, session: Session,
    engine: Engine,
) -> Backend | LabelerPlugin:  # fmt: skip
    """As `backend_of`, with what runs its work; of an index of labels its labeler."""
    if not is_of_labels(index):
        loaded = backend_of(index, backend, model, device, session)
        loaded.engine = engine
        return loaded
    apart = engine.name if engine.apart else None
    check_labels_alone(backend=backend, device=device, engine=apart)
    return load_labeler_for(index, model=model, session=session)


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
