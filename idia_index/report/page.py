"""A report as one page: verdict and uncertainty first, then the evidence, then what it is not."""

from __future__ import annotations

from typing import Any

from idia_index.errors import MissingExtraError
from idia_index.report.figures import check_matplotlib
from idia_index.report.markup import bullets, page, paragraph
from idia_index.report.sensitivity_html import sensitivity_html
from idia_index.report.subjects_html import left_out_html, subjects_html
from idia_index.report.summary_html import manifest_html, verdict_html
from idia_index.report.truth_html import (
    baselines_html,
    curves_html,
    p_values_html,
    rates_html,
    roc_html,
)

TITLE = "Identity inference audit"

LIMITS = (
    "An association says that the model connects this face with this name. The likely reason is "
    "training images of the person with the name; a look-alike with the same name, or a name that "
    "the model prefers for such faces, can do the same.",
    "Finding no association does not show that the person was left out of the training data: few "
    "images, poor photographs or a model too small to remember hide members from this test.",
    "Where membership was read from captions, a member is somebody whose name stands in a caption; "
    "whether the face is in the image was not checked.",
    "Rates hold for people, names and images like those tested here, and for this model. "
    "Intervals cover the choice of people; they do not cover a bad choice of non-members.",
    "Several settings were tried on the same people in the sensitivity tables. Choosing tau, the "
    "number of images or the pool by what looks best there makes the rates too good.",
)


def report_html(data: dict[str, Any], *, include_images: bool = False) -> str:
    """The page of a report's data, as `audit_to_json` or `evaluation_to_json` gives it.

    Every text in it is escaped, and nothing in it is fetched from anywhere.

    Args:
        data: the report.
        include_images: embeds small copies of the subjects' images.
    """
    note, figures = "", True
    try:
        check_matplotlib()
    except MissingExtraError as error:
        figures = False
        note = paragraph(f"Tables only: {error}.", "small screen")
    evaluation = data.get("evaluation")
    parts = [verdict_html(data), rates_html(data)]
    if evaluation:
        parts += [
            note,
            curves_html(evaluation, figures=figures),
            roc_html(evaluation, figures=figures),
            baselines_html(evaluation["baselines"]),
            p_values_html(data, figures=figures),
            sensitivity_html(evaluation["sensitivity"], figures=figures),
        ]
    parts += [
        subjects_html(data, include_images=include_images),
        left_out_html(data),
        "<h2>What this does not show</h2>",
        bullets(LIMITS),
        manifest_html(data),
    ]
    return page(TITLE, parts)
