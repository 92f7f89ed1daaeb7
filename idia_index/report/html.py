"""Renders templates to HTML: escapes all text and formats numbers as everywhere else."""

from __future__ import annotations

import base64
import io
import re
from functools import cache
from html import escape
from typing import TYPE_CHECKING

from idia_index.evaluation.records.rates import Membership
from idia_index.evaluation.records.sensitivity import Firmness
from idia_index.report import format as form
from idia_index.report.language import _, figure, ngettext, number
from idia_index.report.strength import grade_name
from idia_index.report.subject_result import SubjectResult
from idia_index.report.text import another
from idia_index.support.text import counted, printable

if TYPE_CHECKING:
    from jinja2 import Environment
    from PIL import Image

LISTED = 50  # maximum people, files or images in a list
ROLES = {"member": "member", "non_member": "non-member", None: "not known"}


def render(template: str, **values: object) -> str:
    """A page from a template, without anything active for a browser."""
    text = environment().get_template(template).render(listed=LISTED, **values)
    return printable(text.strip() + "\n")


def jpeg_uri(image: Image.Image, **options: int) -> str:
    """A data URI of an image as JPEG, with Pillow's options of the format."""
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


@cache
def environment(*packages: str) -> Environment:
    """The templates of reports, with their filters; those of `packages` take precedence."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=ChoiceLoader([PackageLoader(each) for each in (*packages, "idia_index.report")]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters |= {
        "percent": form.percent,
        "interval": form.interval,
        "confidence": form.confidence,
        "p_value": form.p_value,
        "counted": counted,
        "marked": lambda text: re.sub("`([^`]+)`", r"<code>\1</code>", escape(text)),
        "columns": lambda places: [(number(place), "n") for place in places],
    }
    made.globals |= {
        "_": _,
        "ngettext": ngettext,
        "CI": form.CI,
        "auc": form.auc,
        "figure": figure,
        "number": number,
        "mean_over_draws": form.mean_over_draws,
        "needed": form.needed,
        "share_text": form.share_text,
        "roles": ROLES,
        "role": _role,
        "firm": _firm,
        "associated": _associated,
        "another": another,
        "bin_label": form.bin_label,
        "hits_of": form.hits_of,
    }
    return made


def _firm(firmness: Firmness) -> str:
    """The number of images from which the verdict is the same."""
    images = firmness.firm_from_images
    text = "-" if images is None else str(images)
    return (
        text if firmness.holds_in_every_pool else _("{text}; not in every pool").format(text=text)
    )


def _associated(person: SubjectResult) -> str:
    """The decision, with the grade of the evidence if there is one."""
    decision = _("yes") if person.inferred_member else _("no")
    return decision if person.strength is None else f"{decision}, {grade_name(person.strength)}"


def _role(membership: Membership | None) -> str:
    """A person's known membership, for a table."""
    return {"member": _("member"), "non_member": _("non-member"), None: _("not known")}[membership]
