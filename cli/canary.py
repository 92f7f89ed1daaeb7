"""`idia-index canary`: people put into training data by a coin, and what a model shows of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from idia_index.cli.options import (
    DEVICE,
    DIRECTORY,
    json_option,
    progress_option,
    tau_option,
    write_json,
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
from idia_index.support.number_lists import numbers

members_option = click.option(
    "--members",
    type=DIRECTORY,
    metavar="MEMBERS.CSV",
    help="What `idia-index members` counted of auditor/names.txt in the captions without canaries: "
    "a name that stands there is refused.",
)


@click.group(
    epilog="\b\nExamples:\n"
    "  idia-index canary make canaries/ --people 400 --images 10 --seed 1\n"
    "  idia-index canary audit ViT-B-32/epoch_32.pt canaries/"
)
def command() -> None:
    """Plant people in training data by fair coins, and prove what a model leaks about them."""


@command.command(
    "make",
    epilog="\b\nExamples:\n"
    "  idia-index canary make canaries/ --people 400 --images 10 --seed 1\n"
    "  idia-index canary make canaries/ --people 400 --images 1,5,25 --seed 1 \\\n"
    "      --layout webdataset --templates captions.txt",
)
@click.argument("out", type=DIRECTORY)
@click.option("--people", type=int, required=True, metavar="N", help="How many canaries.")
@click.option(
    "--images",
    required=True,
    metavar="K",
    help="Training images of each; of several numbers (1,5,25) each is taken in turn.",
)
@click.option(
    "--seed", type=int, required=True, help="Seed of names, faces and captions; never of the coins."
)
@click.option(
    "--layout",
    type=click.Choice(list(LAYOUTS)),
    default="folder",
    show_default=True,
    help="Layout of the training set; folder is images and a TSV.",
)
@click.option(
    "--probes",
    default=PROBES,
    show_default=True,
    help="Further images of each rendered canary, for the audit alone.",
)
@click.option(
    "--names",
    type=DIRECTORY,
    metavar="FILE",
    help="Names to give them, one a line, which must stand nowhere else; by default made up.",
)
@click.option(
    "--templates",
    type=DIRECTORY,
    metavar="FILE",
    help="Captions in the model's style, one a line, with {0} or {name}; by default those of the "
    "controlled study.",
)
@click.option(
    "--photos",
    type=DIRECTORY,
    metavar="DIR",
    help="A folder of photos for each person in place of rendered ones; needs --consent and "
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
    """Make canaries: people who do not exist, each put in or left out by a fair coin.

    OUT/train goes to whoever trains, OUT/manifest.json to anybody. OUT/auditor holds the photos
    of all canaries and the key of the seal: keep it to yourself until the audit.
    """
    options = MakeOptions(
        people=people, images=numbers(images, "--images"), seed=seed, layout=layout, probes=probes,
        names=names, members=members, photos=photos, consent=consent, templates=templates,
    )  # fmt: skip
    with Stages(show_progress) as progress:
        manifest = make_canaries(out, options, progress)
    say(f"{out / 'train'}: {manifest.canaries.pairs:,} pairs to mix into the training data")
    say(f"{out / 'manifest.json'}: public; seal {manifest.seal}")
    say(f"{out / 'auditor'}: keep it to yourself; whoever has the key knows who was left out")


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
    help="Key of the seal; by default auditor/key.json in CANARIES.",
)
@click.option(
    "--weights", metavar="SHA256", help="Refuse a model whose weights have another SHA-256."
)
@click.option(
    "--guesses",
    metavar="IN,OUT",
    help="How many canaries to guess in and out, chosen before the audit; by default five plans, "
    "each at its share of the error.",
)
@click.option("--delta", default=0.0, show_default=True, help="Delta of the bound.")
@click.option("--confidence", default=0.95, show_default=True, help="Confidence of the bound.")
@click.option("--seed", default=0, show_default=True, help="Seed of the names drawn beside them.")
@DEVICE
@click.option("--out", type=DIRECTORY, metavar="DIR", help="Write report.json there.")
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
    """Open the seal and hold MODEL, an index or a SPEC, against the canaries.

    The photos are checked, every canary is scored, the surest are guessed, and what was right
    bounds the epsilon of differential privacy from below, of this one training run.
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
    if as_json:
        write_json(result)
    else:
        say(result.to_text())
    enforce(policy, result, "idia-index canary audit", canaries)


def _guesses(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    into, comma, out = text.partition(",")
    if not comma or not into.strip().isdecimal() or not out.strip().isdecimal():
        raise InputError(f"--guesses {text!r}: give two integers, such as 100,0")
    return int(into), int(out)
