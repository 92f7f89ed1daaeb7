"""`idia-index canary`: people put into training data by coin toss, and what a model leaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from idia_index.cli.options import (
    DEVICE,
    DIRECTORY,
    json_option,
    progress_option,
    show,
    tau_option,
)
from idia_index.cli.policies import Policy, enforce, policy_options
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.errors import InputError
from idia_index.pipelines.canaries.audit import (
    AuditOptions,
    CanaryAudit,
    audit_canaries,
    write_canary_audit,
)
from idia_index.pipelines.canaries.make import PROBES, MakeOptions, make_canaries
from idia_index.pipelines.canaries.records import LAYOUTS, Layout
from idia_index.support.text import numbers

members_option = click.option(
    "--members",
    type=DIRECTORY,
    metavar="MEMBERS.CSV",
    help="Output of `idia-index members` for auditor/names.txt on the captions without canaries: a "
    "canary whose name appears in them is refused.",
)


@click.group(
    epilog="\b\nExamples:\n"
    "  idia-index canary make canaries/ --people 400 --images 10 --seed 1\n"
    "  idia-index canary audit ViT-B-32/epoch_32.pt canaries/"
)
def command() -> None:
    """Plant people in training data by fair coin tosses and prove what a model leaks about them."""


@command.command(
    "make",
    epilog="\b\nExamples:\n"
    "  idia-index canary make canaries/ --people 400 --images 10 --seed 1\n"
    "  idia-index canary make canaries/ --people 400 --images 1,5,25 --seed 1 \\\n"
    "      --layout webdataset --templates captions.txt",
)
@click.argument("out", type=DIRECTORY)
@click.option("--people", type=int, required=True, metavar="N", help="Number of canaries.")
@click.option(
    "--images",
    required=True,
    metavar="K",
    help="Training images per canary; a list (1,5,25) is cycled through.",
)
@click.option(
    "--seed", type=int, required=True, help="Seed for names, faces and captions; never the coins."
)
@click.option(
    "--layout",
    type=click.Choice(list(LAYOUTS)),
    default="folder",
    show_default=True,
    help="Layout of the training set; folder means images and a TSV.",
)
@click.option(
    "--probes",
    default=PROBES,
    show_default=True,
    help="Additional images of each rendered canary, used only by the audit.",
)
@click.option(
    "--names",
    type=DIRECTORY,
    metavar="FILE",
    help="Names for the canaries, one per line, that appear nowhere else; by default made up.",
)
@click.option(
    "--templates",
    type=DIRECTORY,
    metavar="FILE",
    help="Captions in the style of the training data, one per line, with {0} or {name}; by default "
    "those of the controlled study.",
)
@click.option(
    "--photos",
    type=DIRECTORY,
    metavar="DIR",
    help="Use real photos, one folder per person, instead of rendered ones; needs --consent and "
    "--templates.",
)
@click.option("--consent", metavar="TEXT", help="What the people in the photos agreed to.")
@members_option
@progress_option
def make(
    out: Path,
    people: int,
    images: str,
    seed: int,
    layout: Layout,
    probes: int,
    names: Path | None,
    templates: Path | None,
    photos: Path | None,
    consent: str | None,
    members: Path | None,
    show_progress: bool | None,
) -> None:
    """Make canaries: people who do not exist, each put in or left out by a fair coin toss.

    Give OUT/train to whoever trains the model; OUT/manifest.json can be public. OUT/auditor holds
    the photos of all canaries and the key to the seal: keep it private until the audit.
    """
    options = MakeOptions(
        people=people, images=numbers(images, "--images"), seed=seed, layout=layout, probes=probes,
        names=names, members=members, photos=photos, consent=consent, templates=templates,
    )  # fmt: skip
    with Stages(show_progress) as progress:
        manifest = make_canaries(out, options, progress)
    say(f"{out / 'train'}: {manifest.canaries.pairs:,} pairs to mix into the training data")
    say(f"{out / 'manifest.json'}: public; seal {manifest.seal}")
    say(f"{out / 'auditor'}: keep private; the key reveals who was left out")


@command.command(
    "audit",
    epilog="\b\nExamples:\n"
    "  idia-index canary audit ViT-B-32/epoch_32.pt canaries/\n"
    "  idia-index canary audit people.idia canaries/ --delta 1e-6 --out report/\n"
    "  idia-index canary audit people.idia canaries/ --fail-on 'epsilon_lower_bound>1'",
)
@click.argument("model")
@click.argument("canaries", type=DIRECTORY)
@click.option(
    "--key",
    type=DIRECTORY,
    metavar="FILE",
    help="Key to the seal; by default auditor/key.json in CANARIES.",
)
@click.option(
    "--weights", metavar="SHA256", help="Refuse a model whose weights have a different SHA-256."
)
@click.option(
    "--guesses",
    metavar="IN,OUT",
    help="Number of canaries to guess as in and as out, fixed before the audit; by default five "
    "plans that share the error level.",
)
@click.option("--delta", default=0.0, show_default=True, help="Delta of the bound.")
@click.option("--confidence", default=0.95, show_default=True, help="Confidence of the bound.")
@click.option("--seed", default=0, show_default=True, help="Seed for drawing the other names.")
@DEVICE
@click.option("--out", type=DIRECTORY, metavar="DIR", help="Write report.json to this folder.")
@members_option
@policy_options(CanaryAudit)
@tau_option
@json_option
@progress_option
def audit(
    model: str,
    canaries: Path,
    key: Path | None,
    weights: str | None,
    guesses: str | None,
    delta: float,
    confidence: float,
    seed: int,
    device: str | None,
    out: Path | None,
    members: Path | None,
    policy: Policy,
    tau: int,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Open the seal and test MODEL, an index or a SPEC, on the canaries.

    Checks the photos, scores every canary and guesses the ones it is surest of. The correct
    guesses give a lower bound on the differential privacy epsilon of this one training run.
    """
    options = AuditOptions(
        key=key, members=members, weights=weights, guesses=_guesses(guesses), delta=delta,
        confidence=confidence, tau=tau, seed=seed, device=device,
    )  # fmt: skip
    with Stages(show_progress) as progress:
        result = audit_canaries(model, canaries, options, progress, out)
    result = replace(result, policy=policy.judged(result.to_dict()))
    if out is not None:
        write_canary_audit(result, out)
    show(result, as_json)
    enforce(policy, result, "idia-index canary audit", canaries)


def _guesses(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    into, comma, out = text.partition(",")
    if not comma or not into.strip().isdecimal() or not out.strip().isdecimal():
        raise InputError(f"--guesses {text!r}: pass two integers, such as 100,0")
    return int(into), int(out)
