"""Names whose hits may be somebody else's or something else's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np

from idia_index.captions.columns import arrow
from idia_index.captions.matching import Matcher
from idia_index.captions.rules import Forms, is_unspaced

_BLOCK = 1 << 16


def ambiguous(names: Sequence[str], matcher: Matcher) -> list[str]:
    """Why each name is ambiguous, "" where it is not: one word, or part of another name."""
    within = np.full(len(names), -1, np.int64)
    given = iter(names)
    for start in range(0, len(names), _BLOCK):
        block = [name.encode("utf-8") for name in islice(given, _BLOCK)]
        captions, found, _ = matcher.match(arrow().array(block, arrow().binary()))
        outer = captions + start
        within[found[outer != found]] = outer[outer != found]
    reasons = []
    for name, other in zip(names, within.tolist(), strict=True):
        why = []
        form = Forms(name).form(3)
        if " " not in form and not is_unspaced(form):
            why.append("one word")
        if other >= 0:
            why.append(f"stands within {names[other]}")
        reasons.append("; ".join(why))
    return reasons
