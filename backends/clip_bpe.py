"""CLIP's byte-pair tokenizer without PyTorch: the tokens of open_clip's `SimpleTokenizer`.

A text is repaired (ftfy, HTML entities twice), cleaned and split into words; each word's UTF-8
bytes are merged pair by pair, in merge order, until no merge applies. A word's tokens depend on
the word alone, so they are cached: a large pool of names costs little more than lookups.
"""

from __future__ import annotations

import gzip
import html
import string
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from idia_index.errors import InputError, ModelError
from idia_index.support.text import shown

START_TEXT = "<start_of_text>"
END_TEXT = "<end_of_text>"
MERGES = 49152 - 256 - 2  # merges that CLIP uses; its file holds more
MAX_MERGES_BYTES = 16 << 20
CACHE_WORDS = 1 << 18

_WORDS = (
    rf"{START_TEXT}|{END_TEXT}|'s|'t|'re|'ve|'m|'ll|'d|[\p{{L}}]+|[\p{{N}}]|[^\s\p{{L}}\p{{N}}]+"
)
_NO_PUNCTUATION = str.maketrans("_", " ", string.punctuation.replace("_", ""))


@cache
def _word_pattern() -> Any:
    import regex  # imported late, as ftfy below

    return regex.compile(_WORDS, regex.IGNORECASE)


def _repair(text: str) -> str:
    """Repairs broken encodings and resolves HTML entities."""
    # Neither step changes printable ASCII without `&`, which most names are.
    if text.isascii() and text.isprintable() and "&" not in text:
        return text
    import ftfy  # imported late: a query with only known names needs no tokenizer

    return html.unescape(html.unescape(ftfy.fix_text(text)))


def _lower(text: str) -> str:
    return _repair(text).lower()


def _canonicalize(text: str) -> str:
    return _repair(text).translate(_NO_PUNCTUATION).lower()


# open_clip's name of a cleaning -> the function; white space is collapsed afterwards.
CLEANING: dict[str, Callable[[str], str]] = {
    "lower": _lower,
    "whitespace": _repair,
    "canonicalize": _canonicalize,
}


def _alphabet() -> dict[int, str]:
    """Byte -> the character that represents it in the merges, in token id order."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = sorted(set(range(256)) - set(shown))
    return {b: chr(b) for b in shown} | {b: chr(256 + i) for i, b in enumerate(hidden)}


class ClipTokenizer:
    """Encodes texts as token ids by CLIP's merges.

    Args:
        merges: pairs of symbols in merge order, at most `MERGES`; KeyError if a symbol is
            neither a byte's character nor the result of a merge.
        clean: a key of `CLEANING`.

    Attributes:
        clean: how texts are cleaned.
        vocabulary: symbol -> id.
    """

    def __init__(self, merges: Sequence[tuple[str, str]], clean: str = "lower") -> None:
        if clean not in CLEANING:
            raise InputError(
                f"tokenizer cleaning {clean!r} is not known; available: {', '.join(CLEANING)}"
            )
        alphabet = _alphabet()
        symbols = [*alphabet.values(), *(symbol + "</w>" for symbol in alphabet.values())]
        symbols += [left + right for left, right in merges]
        symbols += [START_TEXT, END_TEXT]
        self.clean = clean
        self.vocabulary = {symbol: i for i, symbol in enumerate(symbols)}
        ids = self.vocabulary
        self._clean = CLEANING[clean]
        self._words = _word_pattern()
        self._byte_ids = [ids[alphabet[b]] for b in range(256)]
        self._last_ids = [ids[alphabet[b] + "</w>"] for b in range(256)]
        self._ranks = {(ids[left], ids[right]): i for i, (left, right) in enumerate(merges)}
        self._joined = [ids[left + right] for left, right in merges]
        self._special = {text: ids[text] for text in (START_TEXT, END_TEXT)}
        self._cache: dict[str, tuple[int, ...]] = {}

    @classmethod
    def load(cls, path: Path, clean: str = "lower") -> ClipTokenizer:
        """Reads a merges file: UTF-8, a header line, then one pair per line; `.gz` if compressed.

        Raises:
            ModelError: the file is missing, damaged, or not a merges file.
        """
        merges = _parse_merges(_read_text(path), path)
        try:
            return cls(merges, clean)
        except KeyError as error:
            raise ModelError(
                f"{path}: merges the unknown symbol {shown(error)}; export the model again"
            ) from error

    @property
    def start(self) -> int:
        """Id of the start-of-text token."""
        return self._special[START_TEXT]

    @property
    def end(self) -> int:
        """Id of the end-of-text token."""
        return self._special[END_TEXT]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without start and end tokens, untruncated.

        A text that spells out a special token gets that token's id, as in open_clip.
        """
        clean, cache, chunk_ids = self._clean, self._cache, self._chunk_ids
        out = []
        for text in texts:
            ids: list[int] = []
            # Words never span white space, so the chunks between can be cached whole.
            for chunk in clean(text).split():
                ids += cache.get(chunk) or chunk_ids(chunk)
            out.append(ids)
        return out

    def _chunk_ids(self, chunk: str) -> tuple[int, ...]:
        ids: list[int] = []
        for word in self._words.findall(chunk):
            special = self._special.get(word)
            ids += self._merge(word.encode()) if special is None else (special,)
        if len(self._cache) >= CACHE_WORDS:
            self._cache.clear()
        kept = self._cache[chunk] = tuple(ids)
        return kept

    def _merge(self, word: bytes) -> list[int]:
        """Merges a word's bytes: repeatedly applies the lowest-ranked merge wherever it fits."""
        ids = [self._byte_ids[b] for b in word[:-1]] + [self._last_ids[word[-1]]]
        none, rank_of = len(self._joined), self._ranks.get
        ranks = [rank_of(pair, none) for pair in pairwise(ids)]
        while ranks and (rank := min(ranks)) < none:
            at = 0
            while rank in ranks[at:]:  # left to right; a new symbol waits for the next round
                at = ranks.index(rank, at)
                ids[at : at + 2] = [self._joined[rank]]
                del ranks[at]
                if at:
                    ranks[at - 1] = rank_of((ids[at - 1], ids[at]), none)
                if at < len(ranks):
                    ranks[at] = rank_of((ids[at], ids[at + 1]), none)
                at += 1
        return ids


def _read_text(path: Path) -> str:
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                data = file.read(MAX_MERGES_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(MAX_MERGES_BYTES + 1)
        if len(data) > MAX_MERGES_BYTES:
            raise ModelError(f"{path}: more than {MAX_MERGES_BYTES:,} bytes; not CLIP's merges")
        return data.decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot read merges ({error}); export the model again") from (
            error
        )


def _parse_merges(text: str, path: Path) -> list[tuple[str, str]]:
    merges = []
    for number, line in enumerate(text.split("\n")[1 : MERGES + 1], 2):
        if not line and number > 2:
            break
        parts = line.split()
        if len(parts) != 2:
            raise ModelError(
                f"{path}: line {number} is not a pair of symbols; export the model again"
            )
        merges.append((parts[0], parts[1]))
    if not merges:
        raise ModelError(f"{path}: no merges; export the model again")
    return merges


def merges_text(merges: Sequence[tuple[str, str]]) -> str:
    """The text of a merges file, as `ClipTokenizer.load` reads it."""
    return "\n".join(["#merges", *(f"{left} {right}" for left, right in merges), ""])
