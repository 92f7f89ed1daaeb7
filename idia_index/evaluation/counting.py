"""Correct prompts of many draws at once: protocol `jair2024`, points 2 to 5, vectorised.

A template is correct for a draw iff the true name is predicted for more of the drawn images than
any other name. So a vote needs no sorting: with the draws as rows of zeros and ones, the counts of
all names are one matrix product, exact in float32 below 2**24 images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from idia_index.types import Float32, Int64

Bool = NDArray[np.bool_]

# Up to so many images, those of one draw are counted faster by comparing each with each.
FEW = 48


def correct_templates(predictions: Int64, name_id: int, drawn: Bool) -> Bool:
    """Whether each template's winner is the true name, for many draws of one person's images.

    Args:
        predictions: name ids int [T, n] of the person's n images.
        name_id: the id of the true name.
        drawn: bool [d, n], which images are in each draw; at least one each.

    Returns:
        bool [d, T]. A tie at the top is no winner, so not correct.
    """
    if len(drawn) == 1 and predictions.shape[1] <= FEW:
        return _in_one_draw(predictions[:, drawn[0]], name_id)
    correct = np.zeros((len(drawn), len(predictions)), np.bool_)
    is_true = predictions == name_id
    # Where nobody predicts the true name it cannot win, whatever is drawn.
    alive = np.flatnonzero(is_true.any(axis=1))
    if not len(alive):
        return correct
    columns, starts, lone = _columns(predictions[alive], name_id, is_true[alive])
    counts = drawn.astype(np.float32) @ columns
    # All names that stand for a single image share a column, and have one vote at most.
    counts[:, lone] = np.minimum(counts[:, lone], 1)
    true = counts[:, : len(alive)]
    others = np.maximum.reduceat(counts[:, len(alive) :], starts, axis=1)
    correct[:, alive] = true > others
    return correct


def _in_one_draw(predictions: Int64, name_id: int) -> Bool:
    """The same [1, T] of one draw, whose images are those of predictions int [T, n]."""
    is_true = predictions == name_id
    counts = (predictions[:, :, None] == predictions[:, None, :]).sum(axis=2)
    correct: Bool = is_true.sum(axis=1) > np.where(is_true, 0, counts).max(axis=1)
    return correct[None]


def _columns(predictions: Int64, name_id: int, is_true: Bool) -> tuple[Float32, Int64, Int64]:
    """The names of each template as columns of zeros and ones over the images.

    Returns:
        columns float32 [n, A + O]: first that of the true name for each of A templates, then
            of the others, template by template, each with at least one column;
        starts int64 [A], where in O each template's columns start;
        lone int64 [A], the column, of all, of each template's names of a single image.
    """
    templates, images = predictions.shape
    order = np.argsort(predictions, axis=1, kind="stable")
    ranked = np.take_along_axis(predictions, order, axis=1)
    fresh = np.ones_like(is_true)
    fresh[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    group = fresh.cumsum(axis=1) - 1
    flat = (group + images * np.arange(templates)[:, None]).ravel()
    sizes = np.bincount(flat, minlength=templates * images).reshape(templates, images)
    size = np.take_along_axis(sizes, group, axis=1)
    several = (size > 1) & (ranked != name_id)
    # Column 0 of a template takes its lone names, the others follow in order.
    place = (fresh & several).cumsum(axis=1)
    widths = place[:, -1] + 1
    starts = np.concatenate(([0], np.cumsum(widths)[:-1])).astype(np.int64)
    columns = np.zeros((images, templates + int(widths.sum())), np.float32)
    columns[:, :templates] = is_true.T
    rows, at = np.nonzero(ranked != name_id)
    where = templates + starts[rows] + np.where(several, place, 0)[rows, at]
    columns[order[rows, at], where] = 1
    return columns, starts, templates + starts
