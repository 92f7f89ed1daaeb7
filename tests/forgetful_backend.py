"""The toy backend as two models: the second has forgotten some names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from toy_backend import ToyBackend, word_vector

from idia_index.types import Float32

vector = cache(word_vector)  # a thousand names are the same few words


class ForgetfulBackend(ToyBackend):
    """`model` is a label, a slash, and the last names that it has other vectors for."""

    name = "forgetful"

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        label, _, forgotten = self.model.partition("/")
        gone = set(forgotten.split("+"))
        small = 0.05 * vector(label)  # two trainings differ a little for everybody
        return np.stack(
            [
                np.sum([vector(f"{w} gone" if w in gone else w) for w in text.split()], axis=0)
                + small
                for text in texts
            ]
        )
