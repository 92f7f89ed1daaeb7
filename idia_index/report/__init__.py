"""Reports: an audit or an evaluation as JSON, CSV and one self-contained page."""

from idia_index.report.data import audit_to_json, evaluation_to_json, runners_up
from idia_index.report.files import subjects_csv, write_evaluation, write_files
from idia_index.report.folder import check_folder
from idia_index.report.page import report_html

__all__ = [
    "audit_to_json",
    "check_folder",
    "evaluation_to_json",
    "report_html",
    "runners_up",
    "subjects_csv",
    "write_evaluation",
    "write_files",
]
