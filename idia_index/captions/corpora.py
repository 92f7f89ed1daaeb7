"""Recognizes corpora whose captions cannot contain names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from idia_index.captions.records import Found

_LOOKED_AT = 500  # captions sampled per batch
_PERSON = b"<PERSON>"
# CC3M's replacements of names, as whole words.
_HYPERNYM = re.compile(rb"\b(?:person|actor|actress|politician|artist|player|celebrity)\b")
_CAPITAL = re.compile(rb"[A-Z]")
_LOWER_SHARE = 0.995
_HYPERNYM_SHARE = 0.02
_MASKED_SHARE = 0.002


class Look:
    """Counts the signs of such corpora in the first captions of every batch.

    Attributes:
        bytes: total of all captions.
        masked, lower, hypernyms: as in `Found`, scaled from the sample to all captions.
    """

    def __init__(self) -> None:
        self.bytes = self.masked = self.lower = self.hypernyms = 0

    def add(self, texts: Any) -> None:
        """Adds a binary array of captions."""
        ends = np.frombuffer(texts.buffers()[1], np.int32)
        self.bytes += int(ends[texts.offset + len(texts)]) - int(ends[texts.offset])
        first = [text for text in texts[:_LOOKED_AT].to_pylist() if text]
        if not first:
            return
        scale = len(texts) / len(first)
        self.masked += round(scale * sum(_PERSON in text for text in first))
        self.lower += round(scale * sum(not _CAPITAL.search(text) for text in first))
        self.hypernyms += round(scale * sum(bool(_HYPERNYM.search(text)) for text in first))


def nameless(found: Sequence[Found]) -> list[str]:
    """Why zero hits mean nothing, one sentence per reason; empty if captions may contain names.

    Each layout is judged separately, since corpora may be mixed.
    """
    reasons = []
    by_layout: dict[str, list[Found]] = {}
    for each in found:
        by_layout.setdefault(each.layout.name, []).append(each)
    for layout, parts in by_layout.items():
        records = max(sum(part.records for part in parts), 1)
        masked = sum(part.masked for part in parts) / records
        lower = sum(part.lower for part in parts) / records
        hypernyms = sum(part.hypernyms for part in parts) / records
        if masked > _MASKED_SHARE:
            reasons.append(
                f"{layout}: about {masked:.1%} of the captions have <PERSON> instead of a name, "
                "like CC12M: a name without a hit may still have been trained on"
            )
        elif lower > _LOWER_SHARE and hypernyms > _HYPERNYM_SHARE:
            reasons.append(
                f"{layout}: the captions have no capital letters, and about {hypernyms:.1%} say "
                "person, actor or the like, as in CC3M, where such words replace the names: a "
                "name without a hit may still have been trained on"
            )
    return reasons
