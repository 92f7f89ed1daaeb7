"""Compares verdicts from cropped and whole photos, if an earlier run encoded the whole ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from idia_index.decide.decision import Decision, decide
from idia_index.decide.results import Prepared, SubjectVotes
from idia_index.decide.votes import count_votes
from idia_index.encode.image_cache import ImageCache
from idia_index.subjects.subject_images import Encoded
from idia_index.support.text import counted, listed, shown
from idia_index.types import Float32

BOTH = "Cropped and whole: "  # the beginning of the sentence
_NAMED = 3


def remembered_whole(cache: ImageCache, encoded: Encoded) -> list[Float32 | None]:
    """Whole-photo rows float32 [M, D] of each subject with images; None unless all are cached."""
    found: list[Float32 | None] = []
    for owner in np.unique(encoded.owners).tolist():
        places = np.flatnonzero(encoded.owners == owner)
        rows = [cache.get(cache.key(encoded.sha256[place])) for place in places]
        known = [row for row in rows if row is not None]
        found.append(np.stack(known) if len(known) == len(rows) else None)
    return found


def whole_verdicts(prepared: Prepared, votes: Sequence[SubjectVotes], tau: int) -> tuple[str, ...]:
    """Cropped and whole verdicts in a sentence; nothing if nobody has both."""
    both: list[tuple[str, Decision, Decision]] = []
    for rows, cropped in zip(prepared.whole, votes, strict=False):
        if rows is not None:
            winners, _, _ = count_votes(prepared.index.search(rows, k=1)[1][:, :, 0])
            whole = decide(winners, cropped.name_id, tau)
            both.append((cropped.subject.name, cropped.decision, whole))
    if not both:
        return ()
    both.sort(key=lambda each: each[1].inferred_member == each[2].inferred_member)
    as_cropped = sum(cropped.inferred_member for _, cropped, _ in both)
    as_whole = sum(whole.inferred_member for _, _, whole in both)
    named = [
        f"{shown(name)} {cropped.correct_prompts} and {whole.correct_prompts}"
        for name, cropped, whole in both
    ]
    return (
        f"{BOTH}an earlier run encoded the same photos of {counted(len(both), 'person', 'people')} "
        f"whole, as in the paper. Associated: {as_cropped:,} cropped, {as_whole:,} whole. Correct "
        f"prompts: {listed(named, _NAMED)}.",
    )
