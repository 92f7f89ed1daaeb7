"""`idia-index plan`."""

from __future__ import annotations

import click

from idia_index.cli.options import F, added, json_option, write_json
from idia_index.cli.terminal import say
from idia_index.pipelines.planning import (
    MOST_CONTROLS,
    MOST_IMAGES,
    LeakPower,
    Plan,
    Wanted,
    known_needed,
    plan,
)
from idia_index.pipelines.pricing import Asked, CallPlan, Price, price
from idia_index.support.columns import pairs
from idia_index.support.text import counted

_HELP = {
    "fpr": "Claim: the false positive rate is below this.",
    "errors": "Number of false positives the claim must tolerate.",
    "tpr": "Expected true positive rate.",
    "margin": "Half-width allowed for the true positive rate's interval.",
    "subjects": "Number of people tested by p-values.",
    "known": "Number of them expected to be detected.",
    "fdr": "False discovery rate among the people reported.",
    "hit_rate": "Share of a member's images that choose the true name in a prompt.",
    "rival_rate": "Share that choose the most frequent other name.",
    "rivals": "Number of names chosen as often as that one.",
    "true_fpr": "Actual false positive rate of the model, for the power of the claim.",
    "power": "Probability of few enough false positives, and of detecting a group.",
    "group": "Number of people from one source tested as a group (audit --group).",
    "personas": "Number of personas planted (persona make).",
    "persona_names": "Alternative names per persona.",
    "leak": "AUC of a leak between members and non-members that should raise the alarm.",
    "confidence": "Confidence level of every claim.",
    "epsilon": "Claim: canaries prove that epsilon is at least this.",
    "delta": "Delta of that bound.",
    "guess_accuracy": "Expected accuracy of guesses about canaries.",
    "guess_share": "Share of the canaries that are guessed.",
}


def wanted_options(function: F) -> F:
    """Adds an option for each field of `Wanted`, with its default."""
    default = Wanted()
    made = []
    for name, told in _HELP.items():
        if name == "epsilon":
            made.append(click.option("--canaries", name, type=float, metavar="EPSILON", help=told))
            continue
        option, value = f"--{name.replace('_', '-')}", getattr(default, name)
        made.append(click.option(option, default=value, show_default=True, help=told))
    return added(function, *made)


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index plan --fpr 0.001\n"
    "  idia-index plan --fpr 0.01 --errors 2 --subjects 500 --known 50"
)
@wanted_options
@click.option(
    "--calls", is_flag=True,
    help="Instead estimate the cost of auditing a hosted model: requests, texts, images, bytes, "
    "time.",
)  # fmt: skip
@click.option("--model", metavar="SPEC", default="infinity+https://localhost/#model",
              show_default=True, help="With --calls: the hosted model.")  # fmt: skip
@click.option("--candidates", default=1000, show_default=True,
              help="With --calls: number of candidate names.")  # fmt: skip
@click.option("--templates", default=21, show_default=True,
              help="With --calls: number of templates.")  # fmt: skip
@click.option("--images", default=30, show_default=True, help="With --calls: images per person.")
@click.option("--image-bytes", default=100_000, show_default=True,
              help="With --calls: size of an image as sent, in bytes.")  # fmt: skip
@click.option("--rate", default=1.0, show_default=True, help="With --calls: requests per second.")
@click.option("--most-labels", type=click.IntRange(min=2),
              help="With --calls: maximum number of labels per request, for a service that returns "
              "only labels.")  # fmt: skip
@json_option
def command(
    as_json: bool,
    calls: bool,
    model: str,
    candidates: int,
    templates: int,
    images: int,
    image_bytes: int,
    rate: float,
    most_labels: int | None,
    **options: float | int | None,
) -> None:
    """Compute how many non-members, members, control names and images a claim needs."""
    if calls:
        people = int(options["subjects"] or 0)
        _tell_price(
            price(Asked(model, candidates, templates, people, images, image_bytes, rate,
                        most_labels)),
            as_json,
        )  # fmt: skip
        return
    wanted = Wanted(**options)  # type: ignore[arg-type]
    needed = plan(wanted)
    if as_json:
        write_json(needed)
        return
    errors = (
        "without a false positive"
        if not wanted.errors
        else (f"with at most {wanted.errors} false positives")
    )
    enough = needed.images
    say(
        pairs(
            {
                "non-members": f"{needed.non_members:,}  to claim, {errors}, that the false "
                f"positive rate is below {wanted.fpr:.2%} (one-sided {wanted.confidence:.0%})",
                "": _power(wanted, needed.non_members_for_power),
                "members": f"{needed.members:,} or more  for a true positive rate of "
                f"{wanted.tpr:.0%} to within {wanted.margin:.1%} "
                f"(two-sided {wanted.confidence:.0%})",
                "control names": _controls(wanted, needed.control_names),
                "images": f"{f'more than {MOST_IMAGES:,}' if enough is None else enough}  for the "
                f"true name ({wanted.hit_rate:.0%} of images) to beat "
                f"{counted(wanted.rivals, 'rival')} ({wanted.rival_rate:.0%} each) in a prompt in "
                f"{wanted.confidence:.0%} of cases",
                "group": _groups(wanted, needed),
                "personas": _personas(wanted, needed),
                "leak": _leak(wanted, needed.leak),
                **_canaries(wanted, needed.canaries),
            }
        )
    )


def _canaries(wanted: Wanted, needed: int | None) -> dict[str, str]:
    if wanted.epsilon is None:
        return {}
    claim = (
        f"to prove epsilon >= {wanted.epsilon:g} at delta {wanted.delta:g} in 80% of audits, if "
        f"{wanted.guess_share:.0%} of them are guessed, {wanted.guess_accuracy:.1%} of these right"
    )
    if needed is None:
        return {"canaries": f"not attainable {claim}"}
    return {"canaries": f"{needed:,}  {claim}; each tested with the number of images given above"}


def _power(wanted: Wanted, people: int | None) -> str:
    if people is None:
        return f"no number is enough if the true rate is {wanted.true_fpr:.2%}"
    return (
        f"{people:,}  so that a model whose true rate is {wanted.true_fpr:.2%} passes with "
        f"{wanted.power:.0%} probability"
    )


def _groups(wanted: Wanted, needed: Plan) -> str:
    curve = "; ".join(
        f"{counted(each.training_images, 'training image')}: {each.power:.0%}"
        + (f", from {each.people_needed} people {wanted.power:.0%}" if each.people_needed else "")
        for each in needed.groups
    )
    people = counted(wanted.group, "person", "people")
    return f"{people} from one source: power at the 1% level in the study's model ({curve})"


def _personas(wanted: Wanted, needed: Plan) -> str:
    curve = "; ".join(
        f"{counted(each.training_images, 'photo')} each: {each.power:.0%}"
        for each in needed.personas
    )
    return (
        f"{counted(wanted.personas, 'persona')} with {wanted.persona_names + 1} names: power at "
        f"the 1% level in the study's model ({curve})"
    )


def _leak(wanted: Wanted, needed: LeakPower) -> str:
    if needed.people is None or needed.excluded is None:
        return f"no number is enough for a leak of AUC {wanted.leak:g}"
    return (
        f"{needed.people:,} members and as many non-members  for an alarm in {wanted.power:.0%} of "
        f"cases in which one score separates them with AUC {wanted.leak:g}; without an alarm, they "
        f"rule out no leak smaller than AUC {needed.excluded:.2f}"
    )


def _tell_price(plan: CallPlan, as_json: bool) -> None:
    if as_json:
        write_json(plan)
        return
    rows = {} if plan.embeddings is None else {"by embeddings": _price_text(plan.embeddings)}
    rows |= {
        "by labels alone": _price_text(plan.labels),
        "control names, by labels": f"{_price_text(plan.control_names)}, in addition",
    }
    say(f"upper bounds, at {plan.asked.rate:g} requests per second\n{pairs(rows)}")


def _price_text(price: Price) -> str:
    return (
        f"{price.calls:,} calls, {price.texts:,} texts, {price.images:,} images, "
        f"{price.bytes / 1e6:,.1f} MB, {price.seconds / 3600:,.1f} h"
    )


def _controls(wanted: Wanted, needed: int | None) -> str:
    claim = (
        f"for {wanted.known} of {wanted.subjects} people to stand out at a false discovery rate of "
        f"{wanted.fdr:.1%}"
    )
    if needed is not None:
        return f"{needed:,}  per person, {claim}"
    least = known_needed(wanted.subjects, wanted.fdr)
    enough = "no number of people is enough" if least is None else f"{least} or more people can"
    return f"not attainable: at most {MOST_CONTROLS} are used {claim}; {enough}"
