"""Options that fail a run on what its document says: `--fail-on`, `--junit`, `--sarif`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from idia_index.cli.options import DIRECTORY, F, added, packed
from idia_index.cli.terminal import say
from idia_index.pipelines.policies import Policy as Policy
from idia_index.pipelines.policies import rules_of
from idia_index.support.documents import to_object


def policy_options(kind: type) -> Callable[[F], F]:
    """Adds the options to a command that makes a document of a type; it gets them as `policy`.

    A rule about what the document cannot have is refused before the command begins.
    """

    def make(fail_on: tuple[str, ...], junit: Path | None, sarif: Path | None) -> Policy:
        policy = Policy(rules_of(fail_on, kind), junit, sarif)
        policy.check_files()
        return policy

    return lambda function: added(
        packed(function, "policy", make, "fail_on", "junit", "sarif"),
        click.option(
            "--fail-on",
            multiple=True,
            metavar="RULE",
            help="Exit with status 3 if this condition on the JSON document holds, such as "
            "'metrics.fpr>0.02'; repeatable.",
        ),
        click.option(
            "--junit",
            type=DIRECTORY,
            metavar="FILE",
            help="Write each rule as a test case to a JUnit XML file.",
        ),
        click.option(
            "--sarif",
            type=DIRECTORY,
            metavar="FILE",
            help="Write the failed rules to a SARIF 2.1.0 file.",
        ),
    )


def enforce(policy: Policy, document: object, suite: str, subject: Path | None) -> None:
    """Reports each rule, and ends the run with exit code 3 where one fails.

    Raises:
        InputError: a rule names something that is not in the document.
        PolicyError: a rule fails.
    """
    judged = policy.judged(to_object(document))
    for each in judged:
        if not each.failed:
            say(f"passed: --fail-on {each.told}", err=True)
    policy.enforce(judged, suite, subject or Path())
