"""Options that several verbs share, and how they become values."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Protocol, TypedDict, TypeVar, cast

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
    """A path; an empty one, such as an unset variable leaves, would mean the working folder."""

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


def packed(function: F, name: str, make: Callable[..., Any], *taken: str) -> F:
    """A command that is given what `make` makes of some options, as one argument."""

    @wraps(function)
    def command(**options: Any) -> Any:
        made = make(**{key: options.pop(key) for key in taken})
        return function(**options, **{name: made})

    return cast(F, command)


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print only one JSON document to standard output.",
)
progress_option = click.option(
    "--progress/--no-progress",
    "show_progress",
    default=None,
    help="Show progress on standard error; by default only on a terminal.",
)
verify_option = click.option(
    "--verify",
    "check_shards",
    is_flag=True,
    help="Check every shard against its checksum before use; the names are always checked.",
)
strict_option = click.option(
    "--strict", is_flag=True, help="Fail if an image or a person cannot be used."
)
names_strict_option = click.option("--strict", is_flag=True, help="Fail if a name cannot be used.")
crop_option = click.option(
    "--crop",
    default="none",
    show_default=True,
    metavar="none|face[:MARGIN]|centre|FILE",
    help="Crop every photo first: to the largest face plus a margin on each side, as a fraction of "
    "its size (extra `faces`); to the central square; or to the box given in a CSV "
    "(path,left,top,right,bottom). The paper does not crop.",
)
tau_option = click.option(
    "--tau",
    type=int,
    default=1,
    show_default=True,
    help="Number of correct prompts needed to infer that the person is a member.",
)


members_option = click.option(
    "--members",
    type=DIRECTORY,
    metavar="MEMBERS.CSV",
    help="Take membership and training counts from the output of `idia-index members`; a subject "
    "not listed there is of unknown membership, not a non-member.",
)

reference_option = click.option(
    "--reference-faces",
    type=DIRECTORY,
    metavar="FOLDER",
    help="Also test each name on these portraits: folders female and male with one image or one "
    "folder of images per person, or a table with the columns path,sex; at least 100 people of "
    "the subject's sex. A p-value needs either these or more than 20 subjects.",
)

ALLOW_MISMATCH = click.option(
    "--allow-activation-mismatch",
    is_flag=True,
    help="Load weights trained with QuickGELU into an architecture without it, or vice versa, as "
    "older studies did.",
)


DEVICE = click.option("--device", help="cpu, cuda, ...; by default the fastest that works.")
PREPROCESS = click.option(
    "--preprocess",
    metavar="NAME|FILE",
    help="Image preprocessing, if the weights do not specify it: openai, inception, imagenet, or a "
    "JSON file with mean, std, interpolation and resize_mode.",
)
ACTIVATION = click.option(
    "--activation",
    type=click.Choice(["gelu", "quick_gelu"]),
    help="Activation the weights were trained with, if nothing specifies it; quick_gelu for models "
    "fine-tuned from OpenAI's weights.",
)
WEIGHTS = click.option(
    "--weights",
    type=click.Choice(["raw", "ema"]),
    help="Which weights to load from a checkpoint that holds both; raw by default.",
)


class SourceOptions(TypedDict, total=False):
    """Keywords of `load_backend` for what a user states about a model; backends differ in them."""

    preprocess: str
    activation: str
    weights: str
    image_size: int
    allow_activation_mismatch: bool


def source_options(
    *, image_size: int | None = None, allow_mismatch: bool = False, **stated: str | None
) -> SourceOptions:
    """The ones that were given."""
    given = {
        "image_size": image_size, "allow_activation_mismatch": allow_mismatch or None, **stated,
    }  # fmt: skip
    return cast(SourceOptions, {name: value for name, value in given.items() if value is not None})


def session_options(function: F) -> F:
    """Adds what a run permits a backend that calls a service, as one argument, `session`."""

    taken = ("texts_to", "images_to", "key_from", "max_calls", "timeout", "concurrency",
             "send_original", "accept_truncation")  # fmt: skip
    return added(packed(function, "session", Session, *taken), *_SESSION)


_SESSION = (
    click.option("--send-texts-to", "texts_to", metavar="HOST", multiple=True,
                 help="Allow sending prompts to exactly this host (backend http)."),
    click.option("--send-images-to", "images_to", metavar="HOST", multiple=True,
                 help="Allow sending photos to exactly this host (backend http)."),
    click.option("--key-from", metavar="VARIABLE",
                 help="Environment variable that holds the service's API key."),
    click.option("--max-calls", type=click.IntRange(min=1), metavar="N",
                 help="Maximum number of requests to the service; work that needs more is refused "
                 "up front."),
    click.option("--timeout", type=float, default=120.0, show_default=True, metavar="SECONDS",
                 help="Time limit for one request."),
    click.option("--concurrency", type=click.IntRange(1, 64), default=4, show_default=True,
                 help="Number of requests in flight at a time."),
    click.option("--send-original", is_flag=True,
                 help="Send image files unchanged, including EXIF (location, time), instead of a "
                 "PNG of their pixels."),
    click.option("--accept-truncation", is_flag=True,
                 help="Accept embeddings of prompts that the service may have truncated."),
)  # fmt: skip


ENGINE = click.option(
    "--engine",
    metavar="local|ray[:ADDRESS]",
    default="local",
    show_default=True,
    help="Where the work runs: in this process, or on the workers of a Ray cluster (extra "
    "`cluster`): the one at ADDRESS, else at RAY_ADDRESS, else one started here.",
)
_WORKERS = click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of cluster workers; by default one per processor, or one per GPU.",
)
GPUS_PER_WORKER = click.option(
    "--gpus-per-worker",
    type=float,
    metavar="N",
    help="GPUs per cluster worker, possibly a fraction of one; by default none.",
)


def engine_options(function: F) -> F:
    """Adds the options for where long work runs, as one argument, `engine`."""

    def load(engine: str, **cluster: Any) -> Engine:
        return load_engine(engine, **cluster)

    taken = ("engine", "workers", "gpus_per_worker")
    return added(packed(function, "engine", load, *taken), ENGINE, _WORKERS, GPUS_PER_WORKER)


def labeler_options(function: F) -> F:
    """Adds the options for models that return only labels, for verbs that build."""
    return added(
        function,
        click.option(
            "--labeler", metavar="NAME",
            help="Treat the model as one that returns only labels: reference (any local model), "
            "zero-shot (Hugging Face's zero-shot image classification) or a plugin. A build "
            "makes no requests.",
        ),
        click.option(
            "--most-labels", type=click.IntRange(min=2), metavar="N",
            help="Maximum number of labels in one question to the labeler.",
        ),
    )  # fmt: skip


def labeler_of(name: str, model: str, most_labels: int | None, session: Session) -> LabelerPlugin:
    """Loads the labeler named by these options."""
    bound = {} if most_labels is None else {"most_labels": most_labels}
    return load_labeler(name, model=model, session=session, **bound)


def model_options(function: F) -> F:
    """Adds the options for how a model is loaded, for verbs that build."""
    dtype = click.option(
        "--dtype",
        type=click.Choice(BACKEND_DTYPES),
        default="float32",
        show_default=True,
        help="Precision the model computes in.",
    )
    return session_options(
        added(function, dtype, DEVICE, PREPROCESS, ACTIVATION, WEIGHTS, ALLOW_MISMATCH)
    )


class Override(TypedDict):
    """The options that override an index's model, as `load_backend_for` takes them."""

    backend: str | None
    model: str | None
    device: str | None
    session: Session


def override_options(function: F) -> F:
    """Adds these options, for verbs that search an index, as one argument, `override`."""
    backend = click.option(
        "--backend",
        help="Backend; by default the one the index was built with or, with --model, the one that "
        "fits that model.",
    )
    model = click.option(
        "--model",
        metavar="SPEC",
        help="Another copy of the same model, such as its ONNX export; by default the one the "
        "index was built with.",
    )

    taken = ("backend", "model", "device", "session")
    command = packed(function, "override", Override, *taken)
    return session_options(added(command, backend, model, DEVICE))


def backend_of(index: Index, override: Override) -> Backend:
    """Loads the model an index was built with, or the one given in its place."""
    loaded = load_backend_for(index, **override)
    tell_assumed(loaded)
    return loaded


def model_of(index: Index, override: Override, engine: Engine) -> Backend | LabelerPlugin:
    """As `backend_of`, with the engine set; for a label index, its labeler."""
    if not is_of_labels(index):
        loaded = backend_of(index, override)
        loaded.engine = engine
        return loaded
    apart = engine.name if engine.apart else None
    check_labels_alone(backend=override["backend"], device=override["device"], engine=apart)
    return load_labeler_for(index, model=override["model"], session=override["session"])


def tell_model(loaded: Backend) -> None:
    """Says on standard error what was read from a model's files, what is assumed about it, and what
    it runs on."""
    for told in loaded.notes:
        if not told.startswith(ASSUMED):
            note(told)
    tell_assumed(loaded)
    tell_backend(loaded)


def tell_assumed(loaded: Backend) -> None:
    """Says on standard error what is assumed about a model, even with `-q`."""
    for told in loaded.notes:
        if told.startswith(ASSUMED):
            say(told, err=True)


def tell_backend(loaded: Backend) -> None:
    """Says on standard error what a model runs on, unless with `-q`."""
    if not is_quiet():
        say(f"{loaded.name} on {loaded.device}", err=True)


def write_json(document: object) -> None:
    """Writes a document (a dataclass) to standard output as JSON."""
    text = json_text(to_json(document), indent=2)
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.flush()


class Told(Protocol):
    """A document that can be shown on a terminal."""

    def to_text(self) -> str:
        """The document as text for a terminal."""


def show(result: Told, as_json: bool, out: Path | None = None) -> None:
    """Writes a result to standard output, as text with the path of its report, if any."""
    if as_json:
        write_json(result)
        return
    say(result.to_text())
    if out is not None:
        say(f"\nreport: {out / 'index.html'}")
