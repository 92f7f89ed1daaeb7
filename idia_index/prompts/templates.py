"""Prompt templates: the 21 of the paper, and custom files. Only a name is filled in.

A template is split once at its placeholder and filled by joining strings. Neither a template nor
a name is ever passed to `str.format`, so that neither can reach an attribute or be evaluated.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import InitVar, dataclass, field
from importlib import resources

from idia_index.errors import InputError
from idia_index.support.tables import Table, sniff
from idia_index.support.text import check_text, shown, shown_path
from idia_index.support.text_lines import read_lines

_COLUMNS = {"template": ("templates", "prompt", "prompts", "prompt_template")}
_PLACEHOLDER = re.compile(r"\{(?:0|name)\}")
_FIX = "write {0} or {name} once, for the name, and no other brace"


@dataclass(frozen=True)
class Template:
    """A text with one place for a name.

    Attributes:
        text: the template as given, with `{0}` or `{name}` exactly once and no other brace.
        prefix: the text before the placeholder.
        suffix: the text after it.

    Args:
        place: where the template comes from, for the message of an error.

    Raises:
        InputError: no placeholder, two, another one (`{1}`, `{}`, `{0.x}`, `{{0}}`), or a
            character that `check_text` refuses.
    """

    text: str
    prefix: str = field(init=False, repr=False, compare=False)
    suffix: str = field(init=False, repr=False, compare=False)
    place: InitVar[str] = "template"

    def __post_init__(self, place: str) -> None:
        prefix, suffix = _split(self.text, place)
        object.__setattr__(self, "prefix", prefix)
        object.__setattr__(self, "suffix", suffix)

    def fill(self, name: str) -> str:
        """The prompt for a name, which is inserted verbatim: braces in it have no meaning."""
        return self.prefix + name + self.suffix

    @property
    def between_spaces(self) -> bool:
        """Whether the placeholder stands between spaces; the ends of the template count as such.

        `a photo of {0}` does, `{0}'s photo` and `"{0}"` do not: CLIP's tokenizer splits words at
        white space and at the borders of letters, digits and punctuation, and `'s` is one token
        only where it follows directly.
        """
        return self.prefix[-1:] in ("", " ") and self.suffix[:1] in ("", " ")

    def tokens_join(self, name: str) -> bool:
        """Whether CLIP's tokens of the prompt are those of prefix, name and suffix in a row.

        CLIP cleans the whole prompt (ftfy, then HTML entities twice), lower-cases it, collapses
        white space and then runs its BPE over one word at a time. The last step works on each
        word alone, so a placeholder between spaces is enough for it. The first does not: ftfy
        judges a whole text before it repairs an encoding, and takes `<` anywhere as a sign to
        leave entities alone. Both leave ASCII without `&` exactly as it is. So this is true for
        a placeholder between spaces where template and name are ASCII without `&`; for anything
        else, names with accents too, tokenise the whole prompt. It says nothing about tokenizers
        other than CLIP's BPE (SentencePiece, for example, does not split at spaces).
        """
        return self.between_spaces and _is_plain(self.text) and _is_plain(name)


def read_templates(path: str | os.PathLike[str]) -> tuple[Template, ...]:
    """Templates from a text file, one per line, in file order; blank lines are skipped.

    From a table, the column `template` is read.

    Raises:
        InputError: the file is refused by `iter_blocks` or holds no template, a line is not a
            template, or two templates yield the same prompts.
    """
    name = shown_path(path)
    lines = read_lines(path, tabs=True)
    dialect = sniff(lines.texts[:2], _COLUMNS, name)
    if dialect.columns:
        rows = [row for row in Table(name, dialect, lines).rows() if row.get("template")]
        if problem := next((row.problem for row in rows if row.problem), ""):
            raise InputError(problem)
        return make_templates([row.get("template") for row in rows], [row.place for row in rows])
    if not lines.texts:
        raise InputError(f"{name} holds no template: write one per line, like 'a photo of {{0}}'")
    places = [f"{name}, line {number}" for number in lines.numbers]
    return make_templates(lines.texts, places)


def make_templates(
    texts: Iterable[str], places: Iterable[str] | None = None
) -> tuple[Template, ...]:
    """Templates of texts in order; `places` names where each comes from.

    Raises `InputError` for a text that is not a template, or for two that differ in nothing but
    case, white space or the way the placeholder is written: each would count twice in
    `correct_prompts`.
    """
    texts = list(texts)
    places = list(places or (f"template {number}" for number in range(1, len(texts) + 1)))
    first: dict[str, str] = {}
    templates = []
    for text, place in zip(texts, places, strict=True):
        template = Template(text, place=place)
        key = template_key(template)
        if key in first:
            raise InputError(
                f"{place}: template {shown(text)} repeats that of {first[key]}: remove one"
            )
        first[key] = place
        templates.append(template)
    return tuple(templates)


def as_templates(templates: Iterable[Template | str]) -> tuple[Template, ...]:
    """Templates of a list that holds them, or their texts; raises as `make_templates`."""
    if isinstance(templates, str):
        raise InputError(f"template {shown(templates)} is a single string; pass a list of them")
    listed = list(templates)
    if all(isinstance(each, Template) for each in listed):
        return tuple(each for each in listed if isinstance(each, Template))
    return make_templates(each if isinstance(each, str) else each.text for each in listed)


def template_key(template: Template) -> str:
    """What templates that give the same prompts have in common, as `name_key` of names."""
    return " ".join(template.fill("{0}").split()).casefold()


def _split(text: str, place: str) -> tuple[str, str]:
    check_text(text, place)
    what = f"{place}: template {shown(text)}"
    parts = _PLACEHOLDER.split(text)
    # Any brace left over is another placeholder, an escape or a slip; none is guessed at.
    if odd := re.search(r"\{[^{}]*\}?|\}", "".join(parts)):
        raise InputError(f"{what} contains {shown(odd.group())}: {_FIX}")
    if len(parts) != 2:
        count = "no placeholder" if len(parts) == 1 else f"{len(parts) - 1} placeholders"
        raise InputError(f"{what} has {count}: {_FIX}")
    return parts[0], parts[1]


def _is_plain(text: str) -> bool:
    return text.isascii() and "&" not in text


def _built_in(name: str) -> tuple[Template, ...]:
    with resources.as_file(resources.files("idia_index") / "data" / "templates" / name) as path:
        return read_templates(path)


JAIR2024: tuple[Template, ...] = _built_in("jair2024.txt")
"""The 21 templates of Hintersdorf et al., "Does CLIP Know My Face?", JAIR 80 (2024), in order."""
