"""Selects the photos in a person's folder.

Photos are recognized by their first bytes, not their names. Files that systems and programs leave
behind are ignored by name; every other file that is not a photo is listed with the reason.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from idia_index.encode.formats import HEAD, RAW, Kind, kind_of
from idia_index.errors import IdiaIndexError, InputError
from idia_index.subjects.records import Skipped
from idia_index.support.files import open_regular
from idia_index.support.remote import Entry, Place, RemotePath, walk
from idia_index.support.text import counted, shown_path

Listed: TypeAlias = os.DirEntry[str] | Entry

# Folders of systems, network storage and photo programs: copies, indexes, trash.
_SYSTEM_FOLDERS = frozenset(
    {
        "__macosx", "@eadir", "#recycle", "@recycle", "#snapshot", "@tmp", "@sharebin",
        "@recently-snapshot", "lost+found", "$recycle.bin", "recycler", "recycled",
        "system volume information", "network trash folder", "temporary items",
        "thevolumesettingsfolder", "$extend", "found.000", "@__thumb", "__pycache__", "trash",
        "papierkorb", "corbeille", "papelera", "cestino", "recently deleted", "failed videos",
        "~snapshot", "@thumb", "captureone",
    }
)  # fmt: skip
_THUMBNAIL_FOLDERS = frozenset(
    {
        "thumbs", "thumbnails", "thumbnail", "_thumbs", "thumb", "previews", "thmbnl",
    }
)  # fmt: skip
_FACES = ("face", "faces")
# Folders in which programs put other versions of the photos.
_VERSIONS = frozenset(
    {"original", "originals", "[originals]", "edited", "converted", "darktable_exported"}
)
_PACKAGES = (
    ".lrdata", ".lrcat-data", ".photoslibrary", ".photolibrary", ".migratedphotolibrary",
    ".aplibrary", ".cocatalog",
)  # fmt: skip
_PASSED = (*_PACKAGES, ".download")  # and unfinished downloads
_SYSTEM_FILES = frozenset(
    {
        "thumbs.db", "thumb.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r",
        "icon\uf00d", "picasa.ini", "zbthumbnail.info", "albumartsmall.jpg", "pspbrwse.jbf",
        "photothumb.db", "sync.ffs_db", "autorun.inf",
    }
)  # fmt: skip
_SYSTEM_STARTS = ("~$", "synoindex_", "synophoto_", "synofile_", "albumart_{")
_SYSTEM_ENDS = ("@synoeastream", "@synoresource")
# Files that describe or edit a photo beside them, and unfinished files.
_SIDECARS = frozenset(
    {
        ".json", ".xmp", ".aae", ".thm", ".dop", ".pp3", ".cos", ".cop", ".cof", ".on1",
        ".nksc", ".vrd", ".arp", ".xml", ".ini", ".db", ".db-shm", ".db-wal", ".lnk", ".url",
        ".webloc", ".tmp", ".part", ".crdownload", ".download", ".md5", ".sha256", ".nomedia",
        ".modd", ".moff", ".ithmb", ".bak", ".lock", ".photo-info", ".comments", ".filepart",
    }
)  # fmt: skip
_FILMS = frozenset(
    {
        ".mov", ".mp4", ".m4v", ".avi", ".3gp", ".3g2", ".mkv", ".webm", ".mpg", ".mpeg",
        ".mts", ".m2ts", ".wmv", ".lrv", ".mp", ".insv",
    }
)  # fmt: skip
_RAW = frozenset(
    {
        ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".dng", ".orf",
        ".rw2", ".raf", ".pef", ".srw", ".x3f", ".3fr", ".fff", ".iiq", ".kdc", ".dcr",
        ".mrw", ".erf", ".mef", ".mos", ".rwl", ".gpr", ".raw",
    }
)  # fmt: skip
_THUMBNAIL = re.compile(r"^(?:thumb|tn|small)[_-]|[_.-](?:thumb|thumbnail|small|tn)(?=\.|$)")
_SIZE = re.compile(r"-(\d{2,4})x(\d{2,4})(?=\.|$)")  # WordPress's resized copies
# Marks of another version of a photo by phones, programs and shares.
_EDITED = re.compile(
    r"-(?:edited|bearbeitet|modifi.{1,2}|edita[dt]o|editada|modificato|bewerkt|edytowane)"
    r"(?=\.|\(\d+\)|$)|_hdr(?=\.)|"
    r"(?<=^img_)e(?=\d)|_original$|_shotwell(?=\.)|-(?:effects|scaled|rotated|e\d{13})(?=\.)|"
    r"@[23]x(?=\.)|~\d?(?=\.|$)|\.sync-conflict-[\w-]+| \([^()]*conflicted copy[^()]*\)|"
    r"_(?:flip|flipped|aug\d*|rot\d+|gr[ae]y)(?=\.)|(?<=\.hei[cf])\.jpe?g$"
)
# Google Photos' composites of several photos.
_MADE = re.compile(r"-(?:animation|collage|cinematic|movie)(?:\(\d+\))?\.")
_PORTRAIT = ("-02.original.", "-01.cover.")  # a Pixel phone's two files of a portrait
_VERSION = "an edited or original version of the photo beside it, which would vote twice"
_CUT = "the photo that a face in the folder beside it was cut from"
_CAMERAS = re.compile(r"\d{4}")  # in unique names by cameras and programs

# Photo names without suffix -> formats, and the first photo of each.
_Shots = dict[str, tuple[str | None, Place]]


@dataclass
class Found:
    """The content of a person's folder.

    Attributes:
        photos: files to judge, by name.
        skipped: files left out, and why.
        passed: files and folders ignored by name, to explain why someone has no photo.
    """

    photos: list[Place] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    passed: list[Skipped] = field(default_factory=list)

    def skip(self, path: Place, reason: str) -> None:
        """Leaves a file out and lists it."""
        self.skipped.append(Skipped(path, f"{shown_path(path)}: {reason}"))

    def pass_over(self, path: Place, reason: str) -> None:
        """Ignores a file that is obviously not a photo."""
        self.passed.append(Skipped(path, f"{shown_path(path)}: {reason}"))


def is_system_folder(name: str) -> bool:
    """Whether a folder of this name belongs to a system or program, not to a person."""
    folded = name.casefold()
    return name.startswith(".") or folded in _SYSTEM_FOLDERS or folded.endswith(_PASSED)


def check_no_library(folder: Place) -> None:
    """Raises InputError for a photo library, which holds each photo several times."""
    if folder.name.casefold().endswith(_PACKAGES):
        raise InputError(
            f"{shown_path(folder)}: a photo library, with previews and edited copies of each "
            "photo; export the photos from the program"
        )


def photos_below(folder: Place) -> Found:
    """The photos of a folder and the folders below it.

    Links to folders are not followed, which avoids cycles.

    Raises:
        InputError: the folder is a photo library.
        OSError: a store cannot be listed.
    """
    check_no_library(folder)
    found = Found()
    waiting = [folder]
    inside = walk(folder) if isinstance(folder, RemotePath) else {}
    while waiting:  # not os.walk: deeply nested folders would overflow Python's stack
        here = waiting.pop()
        try:
            entries = inside[here] if isinstance(here, RemotePath) else _listed(here)
        except OSError as error:
            found.skip(here, f"the folder cannot be read ({error.strerror})")
            continue
        folders = [entry for entry in entries if _is_dir(entry)]
        files = [here / entry.name for entry in entries if not _is_dir(entry)]
        waiting += reversed(list(_folders_to_enter(here, folders, found)))
        faces = [here / each.name for each in folders if each.name.casefold() in _FACES]
        cut = [path for each in faces for path in _files_in(each, inside)]
        versions = here != folder and here.name.casefold() in _VERSIONS
        above = _files_in(here.parent, inside) if versions else ()
        beside = [path for path in above if path.suffix.lower() not in _RAW]
        _sort_out(files, found, _by_stem(cut, _CUT) | _by_stem(beside, _VERSION))
    return found


def _listed(folder: Path) -> Sequence[Listed]:
    with os.scandir(folder) as listed:
        return sorted(listed, key=lambda entry: entry.name)


def describe_nothing(found: Iterable[Skipped]) -> str:
    """For a person without a photo: the files left out, by reason."""
    left = list(found)
    if not left:
        return "has no image; add at least one"
    by_reason: dict[str, list[str]] = {}
    for each in left:
        file = f"{shown_path(each.path)}: "
        named = file if each.reason.startswith(file) else ""  # a table's line names it itself
        by_reason.setdefault(each.reason.removeprefix(file), []).append(named)
    told = [
        f"{first.removesuffix(': ')} and {len(more):,} more: {reason}" if more else first + reason
        for reason, (first, *more) in by_reason.items()
    ]
    return f"has no photo among {counted(len(left), 'file')} left out: {'; '.join(told)}"


def _folders_to_enter(here: Place, folders: Sequence[Listed], found: Found) -> Iterator[Place]:
    crops, whole = crops_and_photos([entry.name for entry in folders])
    for entry in folders:
        path = here / entry.name
        if is_system_folder(entry.name):
            found.pass_over(path, "a system folder")
        elif entry.is_symlink():
            found.skip(path, "a link to a folder, which is not followed")
        elif entry.name.casefold() in _THUMBNAIL_FOLDERS:
            found.skip(path, "a folder of thumbnails, which are not used")
        elif entry.name == whole:
            found.skip(path, f"holds the photos of the faces in {shown_path(here / crops)}, which "
                       "are used instead")  # fmt: skip
        else:
            yield path


def _files_in(folder: Place, inside: Mapping[RemotePath, Sequence[Entry]]) -> Iterable[Place]:
    if isinstance(folder, RemotePath):
        return [folder / entry.name for entry in inside[folder]]
    return folder.glob("*")


def crops_and_photos(names: list[str]) -> tuple[str, str]:
    """The folders of faces and of the photos that they were cut from, as in FaceScrub."""
    by_name = {name.casefold(): name for name in names}
    for crops in _FACES:
        for whole in ("images", "image"):
            if crops in by_name and whole in by_name:
                return by_name[crops], by_name[whole]
    return "", ""


def _by_stem(files: Iterable[Place], told: str) -> dict[str, str]:
    return {path.stem.casefold(): told for path in files}


def _sort_out(files: list[Place], found: Found, elsewhere: Mapping[str, str]) -> None:
    stems = {path.stem.casefold() for path in files if path.suffix.lower() not in _FILMS}
    names = {path.name.casefold() for path in files}
    smaller, shots = _smaller(names), _Shots()
    for path in files:
        name, suffix = path.name.casefold(), path.suffix.lower()
        if name.endswith(".icloud"):
            found.skip(path, "a photo that is still in iCloud; download it")
        elif (
            name.startswith((".", *_SYSTEM_STARTS))
            or name.endswith(_SYSTEM_ENDS)
            or name in _SYSTEM_FILES
        ):
            found.pass_over(path, "a system file")
        elif suffix in _SIDECARS:
            found.pass_over(path, "describes a photo, is not one")
        elif suffix in _FILMS and _is_live(path, stems):
            found.pass_over(path, "the film of a live photo")
        elif suffix in _FILMS:
            found.skip(path, "a film; save a picture of it as JPEG or PNG")
        elif suffix in _RAW:
            found.skip(path, RAW)
        elif _MADE.search(name):
            found.skip(path, "composed of other photos by Google Photos")
        elif name in smaller or _is_other(_THUMBNAIL, name, names):
            found.skip(path, "a thumbnail of a photo beside it")
        elif _is_other(_EDITED, name, names) or name.replace(*_PORTRAIT) in names - {name}:
            found.skip(path, _VERSION)
        elif (told := elsewhere.get(path.stem.casefold())) is not None:
            found.skip(path, told)
        else:
            _by_content(path, found, shots)


def _is_live(path: Place, stems: set[str]) -> bool:
    stem = path.stem.casefold()
    # Takeout writes IMG_1.HEIC.MP4 as well, and Pixel phones PXL_1.MP beside PXL_1.MP.jpg.
    return stem in stems or stem.rsplit(".", 1)[0] in stems or path.name.casefold() in stems


def _smaller(names: set[str]) -> set[str]:
    """The smaller copies of photos that exist in several sizes, such as `a-150x150.jpg`."""
    sizes: dict[str, list[tuple[float, str]]] = {}
    for name in names:
        if found := _SIZE.search(name):
            area = int(found[1]) * int(found[2])
            whole = _SIZE.sub("", name)
            sizes.setdefault(whole, [(math.inf, whole)] if whole in names else []).append(
                (area, name)
            )
    return {name for each in sizes.values() for _, name in sorted(each)[:-1]}


def _is_other(pattern: re.Pattern[str], name: str, names: set[str]) -> bool:
    """Whether a name without the matches of `pattern` is another file's name."""
    whole = pattern.sub("", name)
    return whole != name and whole in names


def _by_content(path: Place, found: Found, shots: _Shots) -> None:
    # A file of a store is checked when it is fetched for decoding.
    kind = None if isinstance(path, RemotePath) else _kind(path)
    if kind is None or kind.format is not None:
        stem, form = path.stem.casefold(), kind.format if kind else None
        if isinstance(path, RemotePath):
            form = path.suffix.casefold()
        other, first = shots.setdefault(stem, (form, path))
        if form and other and form != other and _CAMERAS.search(stem):
            found.skip(path, f"the same shot as {shown_path(first.name)} in another format")
            return
        found.photos.append(path)  # decoding reports files that cannot be opened
    elif kind.is_film:
        found.skip(path, "a film; save a picture of it as JPEG or PNG")
    else:
        found.skip(path, kind.told)


def _kind(path: Path) -> Kind | None:
    """The kind of a file, None if it cannot be opened."""
    try:
        with open_regular(path) as file:
            return kind_of(file.read(HEAD))
    except (OSError, ValueError, IdiaIndexError):
        return None


def _is_dir(entry: Listed) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a cyclic link; opening it reports that
        return False
