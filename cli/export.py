"""`idia-index export`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from idia_index.cli.options import ALLOW_MISMATCH, DIRECTORY, mismatch_options
from idia_index.cli.terminal import say
from idia_index.plugins.specs import pytorch_spec
from idia_index.registry import load_backend


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
    help="How weights are stored; float16 halves the size and is computed in float32.",
)
@ALLOW_MISMATCH
def command(outdir: Path, model: str, dtype: str, allow_activation_mismatch: bool) -> None:
    """Write a model to OUTDIR as ONNX, to run without PyTorch.

    The export is compared with its source before OUTDIR appears, and refused if it differs.
    """
    pytorch_spec(model, "name the model that it was made from, or copy the folder")
    # Only here: it needs PyTorch, which no other verb does by itself.
    from idia_index.backends.onnx_export import export_model

    source = load_backend(
        "open_clip", model=model, device="cpu", **mismatch_options(allow_activation_mismatch)
    )
    with _cleaning_up():
        report = export_model(source.plugin, outdir, dtype)  # type: ignore[arg-type]
    size = sum(file.bytes for file in report.manifest.files) / 1e6
    probe = report.probe
    say(
        f"{report.folder}: {size:,.0f} MB, {dtype}\n"
        f"compared with its source on {probe.texts} texts and {probe.images} images: largest "
        f"difference {probe.text_difference:.1e} and {probe.image_difference:.1e}"
    )


@contextmanager
def _cleaning_up() -> Iterator[None]:
    """Ends by SIGTERM as by an interrupt: what is half written goes before the process does."""

    def end(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
