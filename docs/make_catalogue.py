"""Collects the messages of reports and pages into catalogues, and compiles these (needs Babel).

What is new is left untranslated in the .po files, for people to write; a test finds it.
"""

from __future__ import annotations

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from idia_index.report.documented import FIXED

PACKAGE = Path(__file__).parents[1] / "idia_index"
REPORT, SERVE = PACKAGE / "report", PACKAGE / "serve"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2"), ("templates/**.html.j2", "jinja2")]


def collected() -> Catalog:
    """Every message that report/ and serve/ mark, and the fixed words of documents."""
    found = Catalog(project="idia-index", charset="utf-8")
    for folder in (REPORT, SERVE):
        for file, _line, message, comments, context in extract_from_dir(
            folder, METHODS, keywords={"_": None, "ngettext": (1, 2)}
        ):
            place = f"{folder.name}/{file}"
            found.add(message, None, [(place, None)], auto_comments=comments, context=context)
    for message in FIXED:
        found.add(message, None, [("report/documented.py", None)])
    return found


def catalogues() -> list[Path]:
    """The .po file of each language."""
    return sorted((REPORT / "catalogue").glob("*/LC_MESSAGES/report.po"))


if __name__ == "__main__":
    messages = collected()
    for path in catalogues():
        catalogue = read_po(path.open("rb"), locale=path.parts[-3])
        catalogue.update(messages, no_fuzzy_matching=True, update_creation_date=False)
        catalogue.obsolete.clear()
        with path.open("wb") as po:
            write_po(po, catalogue, width=100, omit_header=False, sort_output=True)
        with path.with_suffix(".mo").open("wb") as mo:
            write_mo(mo, catalogue)
