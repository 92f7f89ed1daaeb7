"""A report.json of an earlier run, as a page."""

from __future__ import annotations

import json

from idia_index.encode.image_bytes import ImageBytes
from idia_index.errors import InputError
from idia_index.report.documents import EVALUATION_FORMAT, EvaluationResult
from idia_index.serve.desk import Answer
from idia_index.support.documents import from_json
from idia_index.support.text import shown


def opened_report(file: ImageBytes, language: str) -> str:
    """The page of a report in a language; raises InputError for what is none."""
    try:
        data = json.loads(file.data)
        if data["format"] != EVALUATION_FORMAT:
            raise InputError(
                f"{file.name}: format {shown(data['format'])}; reports of {EVALUATION_FORMAT!r} "
                "are opened: make the report again"
            )
        return Answer(from_json(EvaluationResult, data)).page(language)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{file.name}: is no report.json of idia-index ({type(error).__name__}: {shown(error)})"
        ) from error
