"""What an auditor states of an audit: it stands on the report, and changes no figure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class About:
    """What an auditor states of an audit.

    Attributes:
        title: of the report.
        date: of the audit, as it was written.
        organisation: who has the audit done.
        purpose: what for.
        lawful_basis: on what ground the people are tested.
        auditor: who did it.
    """

    title: str | None = None
    date: str | None = None
    organisation: str | None = None
    purpose: str | None = None
    lawful_basis: str | None = None
    auditor: str | None = None
