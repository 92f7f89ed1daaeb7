"""`idia-index export`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from idia_index import InputError, load_backend
from idia_index.cli.options import (
    ACTIVATION,
    ALLOW_MISMATCH,
    DIRECTORY,
    PREPROCESS,
    WEIGHTS,
    json_option,
    progress_option,
    source_options,
    tell_model,
    write_json,
)
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.pipelines.load import check_pytorch


@dataclass(frozen=True)
class ExportResult:
    """A model that was exported to ONNX.

    Attributes:
        path: the new directory.
        bytes: size of its files.
        dtype: how weights are stored.
        texts: number of texts on which it was compared with its source.
        images: number of images on which it was compared with its source.
        text_difference: largest difference in any component of a text embedding.
        image_difference: the same for the image embeddings.
    """

    path: str
    bytes: int
    dtype: str
    texts: int
    images: int
    text_difference: float
    image_difference: float


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index export --model ViT-B-32-quickgelu/laion400m_e32 exported/\n"
    "  idia-index build people.idia --model exported/ --names names.txt"
)
@click.argument("outdir", type=DIRECTORY)
@click.option("--model", required=True, metavar="SPEC", help="The model, as for build.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="How weights are stored; float16 halves the size, but computation stays in float32.",
)
@PREPROCESS
@ACTIVATION
@WEIGHTS
@ALLOW_MISMATCH
@json_option
@progress_option
def command(
    outdir: Path,
    model: str,
    dtype: str,
    allow_activation_mismatch: bool,
    as_json: bool,
    show_progress: bool | None,
    **statements: Any,
) -> None:
    """Export a model to OUTDIR as ONNX, to run it without PyTorch.

    The export is compared with its source before OUTDIR is created; if they differ, it is refused.
    """
    check_pytorch(model, "name the model that it was made from, or copy the folder")
    if outdir.exists():
        raise InputError(f"{outdir} already exists; name a new directory")
    with Stages(show_progress) as stages, _cleaning_up():
        stages("loading the model")
        # Imported only here: it needs PyTorch, which no other verb does by itself.
        from idia_index.backends.onnx_export import export_model

        source = load_backend(
            "open_clip",
            model=model,
            device="cpu",
            **source_options(allow_mismatch=allow_activation_mismatch, **statements),
        )
        tell_model(source)
        stages("exporting, and comparing the export with its source")
        report = export_model(source.plugin, outdir, dtype)  # type: ignore[arg-type]
    size, probe = sum(file.bytes for file in report.manifest.files), report.probe
    if as_json:
        write_json(ExportResult(str(report.folder), size, dtype, probe.texts, probe.images,
                                probe.text_difference, probe.image_difference))  # fmt: skip
        return
    say(
        f"{report.folder}: {size / 1e6:,.0f} MB, {dtype}\n"
        f"compared with its source on {probe.texts} texts and {probe.images} images: largest "
        f"difference {probe.text_difference:.1e} and {probe.image_difference:.1e}"
    )


@contextmanager
def _cleaning_up() -> Iterator[None]:
    """Treats SIGTERM as an interrupt, so that half-written files are removed before exit."""

    def end(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
