"""What a text file is written in: UTF-8 by default, UTF-16 as spreadsheets save it, Windows-1252.

Windows-1252 takes nearly any byte, so it is believed only where it gives letters as Latin words
have them; anything else that is no UTF-8 is refused by the caller.
"""

from __future__ import annotations

import codecs
import re

from idia_index.errors import InputError

_LFS = b"version https://git-lfs"
_BOM = b"\xef\xbb\xbf"
_LETTERS = "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u0152\u0153\u0160\u0161\u0178\u017d\u017e"
_PUNCTUATION = "\u00a0\u00ad\u00b4\u00b7\u2013\u2014\u2018\u2019\u201c\u201d\u2026"
_PLAUSIBLE = re.compile(f"[\\x00-\\x7f{_LETTERS}{_PUNCTUATION}]*")
# Three in a row are letters of another script, a capital after a small letter one of another page.
_IMPLAUSIBLE = re.compile(f"[{_LETTERS}]{{3}}|[a-z][\u00c0-\u00de\u0152\u0160\u0178\u017d]")

# What a workbook or another program's file begins with.
_NO_TEXT = (
    (b"PK\x03\x04", "a workbook or another ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "a workbook of old Excel"),
    (_LFS, "a pointer of Git LFS in place of the file"),
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "an RTF document"),
    (b"SQLite format 3", "a database"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "a Feather file"),
    (b"<stata_dta>", "a file of Stata"),
    (b"$FL", "a file of SPSS"),
    (b"\x80\x04", "a pickle of Python"),
    (b"\x80\x05", "a pickle of Python"),
    (b"\x1f\x8b", "a compressed file"),
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    *((start, "an image") for start in (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF")),
)


class Encoding:
    """The encoding of one file, found out while it is read.

    Attributes:
        name: "UTF-8", "UTF-16" or "Windows-1252".
        codec: Python's name of it.
        example: the first line that is not plain ASCII, where the encoding is a guess.
        skipped: bytes of the mark at the file's beginning.
    """

    def __init__(self) -> None:
        self.name = "UTF-8"
        self.codec = "utf-8"
        self.example = ""
        self.skipped = 0
        self._plain = True  # ASCII alone until now
        self._decoder: codecs.IncrementalDecoder | None = None

    def utf8(self, chunk: bytes, name: str, *, first: bool) -> bytes:
        """A chunk of the file without byte order mark, of UTF-16 as UTF-8."""
        if first and not self._decoder:
            chunk = self._begin(chunk, name)
        if self._decoder is None:
            return chunk
        try:
            return self._decoder.decode(chunk, not chunk).encode("utf-8")
        except UnicodeError as error:
            raise InputError(f"{name}: broken UTF-16 ({error}); save it as UTF-8") from error

    def text(self, data: bytes, number: int) -> str:
        """The text of whole lines, the first of them line `number`.

        Raises:
            UnicodeDecodeError: it is neither UTF-8 nor clearly Windows-1252.
        """
        if self.name == "Windows-1252":
            return self._windows(data)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            if not self._plain:
                raise
            text = self._windows(data)
            self.name, self.codec = "Windows-1252", "cp1252"
            lines = enumerate(text.split("\n"), number)
            self.example = next(
                f"line {n}: {line.strip()}" for n, line in lines if not line.isascii()
            )
        self._plain = self._plain and text.isascii()
        return text

    def _begin(self, chunk: bytes, name: str) -> bytes:
        for start, what in _NO_TEXT:
            if chunk.startswith(start):
                raise InputError(f"{name}: {what}, not a text in UTF-8; {_fix(name, chunk)}")
        if chunk.startswith(_BOM):
            self.skipped = len(_BOM)
            return chunk[len(_BOM) :]
        order = self._order(chunk)
        if not order and chunk[:64].count(0) > 8:
            raise InputError(f"{name}: a binary file, not a text in UTF-8; {_fix(name, chunk)}")
        if order:
            self.name, self.codec = "UTF-16", order
            self._decoder = codecs.getincrementaldecoder(order)("strict")
        return chunk

    @staticmethod
    def _order(chunk: bytes) -> str:
        if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        # Without a mark: every other byte of what begins with Latin letters is zero.
        for start, order in ((0, "utf-16-be"), (1, "utf-16-le")):
            high, low = chunk[start:16:2], chunk[1 - start : 16 : 2]
            if len(chunk) >= 8 and not any(high) and all(low):
                return order
        return ""

    def _windows(self, data: bytes) -> str:
        """Raises the error of UTF-8 where this is not clearly Windows-1252."""
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError:
            text = "\ufffd"
        if not _PLAUSIBLE.fullmatch(text) or _IMPLAUSIBLE.search(text):
            data.decode("utf-8")
            raise UnicodeDecodeError("utf-8", data, 0, 1, "not UTF-8")
        return text


def _fix(name: str, begin: bytes) -> str:
    lower = name.lower()
    if begin.startswith(_LFS):
        return "fetch it: git lfs pull"
    if lower.endswith(".numbers"):
        return "open it in Numbers and export it as CSV (File > Export To > CSV)"
    if lower.endswith(".gsheet"):
        return "open it in Google Sheets and download it as CSV"
    if lower.endswith((".pages", ".docx", ".odt", ".rtf", ".doc", ".pdf")):
        return "save it as plain text, one entry per line"
    if lower.endswith((".jpg", ".jpeg", ".png", ".gif", ".webp")):
        return "give a folder with a folder of photos for each person, or a table of them"
    if lower.endswith((".zip", ".gz")):
        return "unpack it, and name the folder or the table in it"
    if lower.endswith((".pkl", ".rds", ".feather", ".parquet", ".dta", ".sav", ".sas7bdat")):
        return "write it as CSV with the program that made it"
    if lower.endswith(".txt"):
        return "save it as UTF-8 in an editor"
    return "open it in a spreadsheet and save the sheet as CSV UTF-8"
