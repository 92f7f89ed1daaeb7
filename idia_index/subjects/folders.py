"""Finds people in a folder with one subfolder per person, also below folders that sort them."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from idia_index.errors import InputError
from idia_index.prompts.names import as_utf8, clean_name, folder_to_name
from idia_index.subjects.one_person import GENERIC, check_one_person, sorts_photos
from idia_index.subjects.person import Person
from idia_index.subjects.photo_files import (
    check_no_library,
    crops_and_photos,
    is_system_folder,
)
from idia_index.subjects.records import SkippedSubject, Subject, SubjectList
from idia_index.support.remote import Place, RemotePath, walk
from idia_index.support.text import counted, listed, shown, shown_path

_MOST_LEVELS = 8  # levels of folders that sort people
_UNNAMED = re.compile(
    r"(?:unknown|unnamed|untitled|unsorted|new folder|neuer ordner|unbekannt|unbenannt|"
    r"nouveau dossier|inconnu|nueva carpeta|desconocido)(?: ?\(?\d+\)?)?",
    re.I,
)
_TRUTHS = frozenset({"member", "members", "non_member", "non_members", "nonmembers", "non-members"})
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".7z", ".rar", ".photoslibrary")
_PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".avif")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019.-][^\W\d_]*)*")


@dataclass
class _Seen:
    subjects: list[Subject] = field(default_factory=list)
    skipped: list[SkippedSubject] = field(default_factory=list)
    sorting: list[str] = field(default_factory=list)
    turned: list[str] = field(default_factory=list)
    deep: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)


def people_of_folder(folder: Path) -> SubjectList:
    """The people of a folder with one folder of images each; lists those who cannot be used.

    Folders that sort people (`actors/First_Last`) are searched.

    Raises:
        InputError: it holds no people.
    """
    check_no_library(folder)
    seen = _Seen()
    _look(folder, folder, seen, 0)
    if not seen.subjects and not seen.skipped:
        packed = [name for name in sorted(os.listdir(folder)) if name.lower().endswith(_ARCHIVES)]  # noqa: PTH208
        archives = f" but archives ({shown(packed[0])}): unpack them" if packed else ""
        raise InputError(
            f"{shown_path(folder)}: holds no folders{archives}; "
            "make one folder of images per person, First_Last; to test one person, use query"
        )
    return SubjectList(tuple(seen.subjects), tuple(seen.skipped), _notes(folder, seen))


def people_of_url(folder: RemotePath) -> SubjectList:
    """As `people_of_folder`, for a folder of an object store; each subfolder is a person.

    Raises:
        OSError: the store cannot be listed.
        InputError: it holds no people.
    """
    seen = _Seen()
    for entry in walk(folder).get(folder, ()):
        if entry.folder and not is_system_folder(entry.name):
            _add(folder / entry.name, seen)
    if not seen.subjects and not seen.skipped:
        raise InputError(
            f"{folder}: holds no folders; pass a table, or make one folder of images per person, "
            "First_Last"
        )
    return SubjectList(tuple(seen.subjects), tuple(seen.skipped))


def _notes(folder: Path, seen: _Seen) -> tuple[str, ...]:
    notes = list(seen.aside)
    if seen.sorting:
        named = listed(seen.sorting, 3)
        notes.append(f"{shown_path(folder)}: people found below {named}")
    if seen.turned:
        notes.append(
            f"{shown_path(folder)}: {counted(len(seen.turned), 'folder')} named Last, First read "
            f"as First Last ({seen.turned[0]})"
        )
    if seen.deep:
        notes.append(
            f"{shown_path(folder)}: named after the outermost folder, but the photos are in "
            f"folders below: {listed(seen.deep, 3)}; if another folder names the person, pass its "
            "parent"
        )
    if nobody := [s.name for s in seen.subjects if sorts_photos(s.name) or _unnamed(s.name)]:
        notes.append(
            f"{shown_path(folder)}: tested, although not named after a person: "
            f"{listed(nobody, 3)}; name folders First_Last, or pass a table name,path"
        )
    if {os.path.basename(each).casefold() for each in seen.sorting} & _TRUTHS:  # noqa: PTH119
        notes.append(
            f"{shown_path(folder)}: membership is not read from folders; pass a table "
            "name,path,membership"
        )
    with os.scandir(folder) as beside:
        names = sorted(each.name for each in beside)
    if alone := [name for name in names if name.lower().endswith(_PHOTOS)]:
        notes.append(
            f"{shown_path(folder)}: {counted(len(alone), 'photo')} in no person's folder "
            f"({shown(alone[0])}), not used; if all show one person, move them into a folder "
            "First_Last"
        )
    if packed := [name for name in names if name.lower().endswith(_ARCHIVES)]:
        notes.append(
            f"{shown_path(folder)}: not opened: {listed([*map(shown, packed)], 3)}; unpack "
            "it, or export its photos"
        )
    return tuple(notes)


def _unnamed(name: str) -> bool:
    return _UNNAMED.fullmatch(name.strip()) is not None


def _look(root: Path, folder: Path, seen: _Seen, level: int) -> None:
    folders = _folders(folder)
    crops, whole = crops_and_photos([entry.name for entry in folders])
    for entry in folders:
        if whole and entry.name == whole and _sorts_people(entry):
            told = f"holds the photos of the faces in {shown(crops)}, which are used instead"
            seen.aside.append(f"{shown_path(entry)}: {told}")
        elif _leads_back(entry, root) or _leads_back(entry, folder):
            reason = f"{shown_path(entry)}: a link to a folder above it; remove it"
            seen.skipped.append(SkippedSubject(as_utf8(entry.name), reason))
        elif level < _MOST_LEVELS and _sorts_people(entry):
            seen.sorting.append(shown_path(entry))
            _look(root, entry, seen, level + 1)
        else:
            _add(entry, seen)


def _add(entry: Place, seen: _Seen) -> None:
    where = shown_path(entry)
    try:
        name = folder_to_name(entry.name)
        plain = clean_name(as_utf8(entry.name).replace("_", " "))
        if name != plain:
            seen.turned.append(f"{plain!r} is {name!r}")
        person = Person(name)
        photos = person.add(entry, where)
        check_one_person(entry, photos, known=name)
        subject = person.subject(where)
        if isinstance(entry, Path):
            _see_depth(entry, photos, seen)
        seen.subjects.append(subject)
    except InputError as error:
        seen.skipped.append(SkippedSubject(as_utf8(entry.name), str(error)))


def _see_depth(folder: Path, photos: list[Place], seen: _Seen) -> None:
    """Notes a person whose photos are all in folders below the one with the name.

    Raises:
        InputError: a data set's folder (`train`) with numbered folders.
    """
    folder = folder.absolute()  # as a person's photos are
    between = sorted({photo.relative_to(folder).parts[:-1] for photo in photos})
    beside = sorted({parts[0] for parts in between if parts})
    if _is_generic(folder.name) and len(beside) > 1:
        raise InputError(
            f"{shown_path(folder)}: not named after a person, and neither are the {len(beside):,} "
            f"folders of its photos ({listed([*map(shown, beside)], 3)}); make one folder per "
            "person, First_Last, or pass a table name,path"
        )
    nearest = min(between, key=len)
    doubtful = len(nearest) > 1 or any(map(_is_person, nearest))
    if doubtful and not _is_person(folder.name) and not all(map(sorts_photos, nearest)):
        seen.deep.append(f"{shown(folder.name)} ({shown_path(folder.joinpath(*nearest))})")


def _folders(folder: Path) -> list[Path]:
    return sorted(
        entry for entry in folder.iterdir() if entry.is_dir() and not is_system_folder(entry.name)
    )


def _sorts_people(folder: Path, levels: int = _MOST_LEVELS) -> bool:
    """Whether a folder holds no photos but folders named after people.

    A person's own subfolders are named after places, years or events instead.
    """
    try:
        with os.scandir(folder) as listed:
            entries = [each for each in listed if not is_system_folder(each.name)]
        below = [each.name for each in entries if each.is_dir()]
    except OSError:
        return False
    photos = [e for e in entries if not e.is_dir() and not _is_paper(e.name)]
    if photos or not below:
        return False
    if not _is_person(folder.name):
        return any(map(_is_person, below)) or _sorts_deeper(folder, below, levels)
    return False


def _sorts_deeper(folder: Path, below: list[str], levels: int) -> bool:
    """Whether a folder with a generic name or a single subfolder leads to one that sorts."""
    if not levels or not (_is_generic(folder.name) or len(below) == 1):
        return False
    deeper = (folder / name for name in below)
    return any(_sorts_people(each, levels - 1) for each in deeper if not _leads_back(each, folder))


def _leads_back(entry: Path, folder: Path) -> bool:
    """Whether an entry is a link to a folder or to one above it."""
    return entry.is_symlink() and folder.resolve().is_relative_to(entry.resolve())


def _is_generic(name: str) -> bool:
    return _words(name) <= GENERIC


def _is_paper(name: str) -> bool:
    """Whether a file beside the folders of people is not a photo."""
    return name.lower().endswith((".txt", ".csv", ".json", ".md", ".html", ".xml", ".db", ".ini"))


def _words(name: str) -> set[str]:
    return set(re.split(r"[\s_]+", name.casefold().strip("_ ")))


def _is_person(name: str) -> bool:
    """Whether a folder's name looks like a person's: two or more words of letters."""
    text = unicodedata.normalize("NFC", as_utf8(name)).replace("_", " ").replace(",", " ")
    words = text.split()
    return (
        len(words) >= 2
        and all(_WORD.fullmatch(word) for word in words)
        and not _words(text) & GENERIC
    )
