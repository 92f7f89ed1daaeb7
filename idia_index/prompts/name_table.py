"""Lists of names that are tables, and what only looks like a list of names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from itertools import islice

from idia_index.errors import InputError
from idia_index.support.tables import MOST_BEFORE, Dialect, Table, read_table, sniff
from idia_index.support.text import shown_path
from idia_index.support.text_lines import Refuse, iter_blocks, read_lines

_LOOKED_AT = 200  # lines, of which all must look alike

FIRST_NAMES = (
    "firstname", "given_name", "givenname", "given_names", "forename", "vorname", "prénom",
    "prenom", "voornaam", "imię", "imie", "förnamn", "fornavn", "etunimi",
)  # fmt: skip
LAST_NAMES = (
    "lastname", "surname", "family_name", "familyname", "nachname", "familienname", "nom",
    "nom_de_famille", "cognome", "apellido", "apellidos", "achternaam", "nazwisko", "efternamn",
    "etternavn", "sukunimi",
)  # fmt: skip
NAMES = (
    "names", "full_name", "fullname", "person_name", "subject_name", "display_name",
    "complete_name", "candidate", "candidates", "candidate_name", "celebrity",
    "celebrity_name", "itemlabel", "personlabel", "primaryname",
    "vollständiger_name", "nom_complet", "nombre", "nombre_completo", "nome", "nome_completo",
    "naam", "imię_i_nazwisko", "namn", "nimi", "имя", "имя_фамилия", "фио", "姓名", "名前", "이름",
)  # fmt: skip
PERSONS = (
    "person_id", "personid", "subject_id", "subjectid", "identity", "identity_id", "imdb_id",
    "wikidata_id", "wikidata", "orcid",
)  # fmt: skip
"""Columns that tell people of one name apart."""
NAME_COLUMNS = {"name": NAMES, "first_name": FIRST_NAMES, "last_name": LAST_NAMES}

_TITLE = re.compile(r"#.*|(?:table|tabelle|tableau|tabla|tabella|sheet|blatt|feuille)\s*\d*", re.I)
_QUOTED = re.compile(r'"(?:[^"]|"")+"')
_JSON = re.compile(r"""[\[{]\s*(?:["'\[{]|$)""")
_YAML = re.compile(r"[^:]+:")
_SEVERAL = re.compile(r"[^,;]+ [^,;]+(?:[,;] *[^,; ]+ [^,;]+)+[,;]?")
_NUMBERED = re.compile(r"\d+\s*[.):]\s+\S.*")
_LOOKS: Sequence[tuple[str, re.Pattern[str]]] = (
    ("semicolons in every line", re.compile(r"[^;]+;.*")),
    ("tabs in every line", re.compile(r"[^\t]+\t.*")),
    ("bars in every line", re.compile(r"[^|]*\|.*")),
    ("numbers before the names", _NUMBERED),
    ("numbers before the names", re.compile(r"\d+\s+\S+ .*")),
    ("numbers after the names", re.compile(r"\S+ .*\s\d+")),
    ("a number in every line", re.compile(r"(?:.*,)?\s*\d+\s*(?:,.*)?")),
    ("a comma at the end of every line", re.compile(r"[^,]+,\s*")),
    ("several commas in every line", re.compile(r"[^,]*,[^,]*,.*")),
    ("commas in every line", re.compile(r"[^,]+ [^,]+,\S.*")),
    ("commas without a space in every line", re.compile(r"[^,\s]+,[^,\s]+")),
    ("dashes before the names", re.compile(r"[-*\u2022] .*")),
)
_NO_NAMES: Sequence[tuple[str, re.Pattern[str]]] = (
    ("e-mail addresses", re.compile(r".*\S@\S.*")),
    ("addresses of pages", re.compile(r"(?:https?://|www\.).*")),
    ("markup", re.compile(r"<.*>.*")),
    ("entities of HTML", re.compile(r".*&#?\w+;.*")),
    (
        "names of files",
        re.compile(r".*\.(?:jpe?g|png|gif|webp|heic|avif|bmp|tiff?|txt|csv)\b.*", re.I),
    ),
    ("paths", re.compile(r"\S*[/\\]\S.*")),
    ("settings", re.compile(r"\w+\s*=.*")),
    (
        "quotes around the names",
        re.compile(r"(['`\u2018\u201c\u201e\xab]).*['`\u2019\u201c\u201d\xbb]"),
    ),
    ("numbers in place of names", re.compile(r"[A-Za-z]{0,3}\d{2,}")),
)


def full_name(cells: Mapping[str, str], columns: frozenset[str]) -> str:
    """The name of a row, of one column or of two.

    Beside a column of first names, `name` is that of last names, as in German spreadsheets.
    """
    first = cells.get("first_name", "")
    last = cells.get("last_name", "")
    if "first_name" not in columns:
        return cells.get("name", "")
    if "last_name" not in columns:
        return f"{first} {cells.get('name', '')}".strip()
    return f"{first} {last}".strip() or cells.get("name", "")


def has_names(columns: frozenset[str]) -> bool:
    """Whether columns tell people's whole names."""
    return "name" in columns or {"first_name", "last_name"} <= columns


def name_table(path: str | os.PathLike[str], refuse: Refuse) -> tuple[Table, str] | None:
    """The table that a list of names is, and how it was read; None for a plain list.

    Raises:
        InputError: it looks like something else than names, one a line.
    """
    source = shown_path(path)
    head = _head(path)
    if not head:
        return None
    if (dialect := _column_of(head[:MOST_BEFORE], source)) is not None:
        table = read_table(path, NAME_COLUMNS, refuse)
        columns = sorted(dialect.columns & set(NAME_COLUMNS))
        return table, f"{table.note()}; names from {' and '.join(columns)}"
    if all(_QUOTED.fullmatch(line) for line in head):
        dialect = Dialect(",", ("name",), 0)
        table = Table(source, dialect, read_lines(path, tabs=True, refuse=refuse))
        return table, f"{source}: read as names in quotes"
    for told, pattern in _NO_NAMES:
        if len(head) > 1 and all(map(pattern.fullmatch, head)):
            raise InputError(f"{source}: has {told}; write one name per line, and nothing else")
    plain = [line for line in head if not line.startswith("#")]  # without headings
    for told, pattern in _LOOKS:
        if len(plain) > 1 and all(map(pattern.fullmatch, plain)):
            raise InputError(
                f"{source}: looks like a table ({told}), not like names; write one name per line, "
                "or name the columns in the first line, among them name, or first_name,last_name"
            )
    if head[0].upper().startswith("BEGIN:VCARD"):
        raise InputError(f"{source}: holds contact cards (vCard); write one name per line")
    if _JSON.match(head[0]):
        raise InputError(f"{source}: looks like JSON; write one name per line, without quotes")
    listed = len(head) > 1 and all(line.startswith("-") for line in head[1:])
    if listed and _YAML.fullmatch(head[0]):
        raise InputError(f"{source}: looks like YAML; write one name per line, and nothing else")
    if len(head) == 1 and _SEVERAL.fullmatch(head[0]):
        raise InputError(f"{source}: holds several names in one line; write one name per line")
    return None


def _column_of(head: Sequence[str], source: str) -> Dialect | None:
    dialect = sniff(head, NAME_COLUMNS, source)
    if not has_names(dialect.columns):
        return None
    # Names that stand above somebody called Name are no titles of a table.
    first = dialect.before - 1 - dialect.above
    above = [line.strip(f"{dialect.separator} ") for line in head[first : dialect.before - 1]]
    titles = [line for line in above if dialect.separator not in line]
    if len(dialect.header) == 1:
        titles = [line for line in titles if _TITLE.fullmatch(line)]
    return dialect if len(titles) == len(above) else None


def _head(path: str | os.PathLike[str]) -> list[str]:
    blocks = iter_blocks(path, tabs=True, refuse=lambda number, told: None)
    lines = (line.strip(" ") for block in islice(blocks, 1) for line in block)
    return list(islice((line for line in lines if line.strip()), _LOOKED_AT))
