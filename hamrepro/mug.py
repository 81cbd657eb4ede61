"""The MUG folder on a licensee's disk: where its takes lie, what is left out and why. Nothing is written there."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from hamrepro.errors import DataError, MissingDataError
from hamrepro.facs.expressions import EXPRESSIONS
from hamrepro.mug_report import Report, Skip, Take
from hamrepro.places import folder_of

VARIABLE = "HAMREPRO_MUG"
JPEG = (".jpg", ".jpeg")
SHORTEST = 2  # frames: fewer is no sequence
_SUBJECT = re.compile(r"[0-9]{1,4}")
_SESSION = re.compile(r"session[ _-]?\d*", re.IGNORECASE)
_TAKE = re.compile(r"take[ _-]?\d*", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)\D*$")
_LAYOUT = "subjects3/<NNN>/[session<k>/]<expression>/take<NNN>/*.jpg"
_LICENCE = f"set {VARIABLE} to the folder received with the MUG licence (mug.ee.auth.gr), the one that holds subjects3"


@dataclass
class _Walk:
    root: Path
    takes: list[Take] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    linked: set[Path] = field(default_factory=set)

    def skip(self, path: Path, reason: str, expected: bool = False) -> None:
        place = path.relative_to(self.root).as_posix()
        if place not in {skip.path for skip in self.skipped}:  # the first reason is the cause of the others
            self.skipped.append(Skip(place, reason, expected))

    def listing(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Sorted subfolders and files; what cannot be listed, and links that lead back up, are noted."""
        folders, files = [], []
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            self.skip(folder, f"cannot be listed: {error.strerror}")
            return [], []
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "Thumbs.db":
                continue
            if not entry.name.isprintable():  # bytes that are no text, line breaks
                self.skip(folder / ascii(entry.name), "a name that is no plain text")
                continue
            path = folder / entry.name
            if entry.is_symlink():
                try:
                    target = path.resolve(strict=True)
                except (OSError, RuntimeError) as error:
                    self.skip(path, f"broken link or link loop: {error}")
                    continue
                if target.is_dir() and folder.resolve().is_relative_to(target):
                    self.skip(path, "link to a folder above it (loop)")
                    continue
                if target.is_dir() and target.is_relative_to(self.root.resolve()):
                    self.skip(path, "link to another folder of the tree: the same takes twice")
                    continue
                if target in self.linked:
                    self.skip(path, "link to what another link leads to: the same takes twice")
                    continue
                self.linked |= {target} if target.is_dir() else set()
            if not (entry.is_dir() or entry.is_file()):
                self.skip(path, "neither a file nor a folder")
                continue
            (folders if entry.is_dir() else files).append(path)
        return folders, files

    def subject(self, folder: Path) -> None:
        for sub in self.folders(folder):
            if _SESSION.fullmatch(sub.name):
                for inner in self.folders(sub):
                    self.expression(folder.name, sub.name, inner)
            else:
                self.expression(folder.name, "", sub)

    def folders(self, folder: Path) -> list[Path]:
        """Subfolders where there should be nothing else: frames, or nothing at all, are skipped, other files noted."""
        folders, files = self.listing(folder)
        if lost := [file for file in files if file.suffix.lower() in JPEG]:
            self.skip(folder, f"{len(lost)} frames outside a take")
        elif files:
            self.notes.append(f"{folder.relative_to(self.root).as_posix()}: {len(files)} files ignored")
        elif not folders:
            self.skip(folder, "empty folder")
        return folders

    def expression(self, subject: str, session: str, folder: Path) -> None:
        label = folder.name.strip().lower()
        if label == "neutral" or "end" in label:
            return self.skip(folder, "no expression (neutral takes and folders named *end*)", expected=True)
        if label not in EXPRESSIONS:
            return self.skip(folder, f"unknown folder, expected one of {', '.join(EXPRESSIONS)}")
        folders, files = self.listing(folder)
        if files:
            # Some people have a single take whose frames lie in the expression's folder itself.
            self.take(subject, session, label, "", folder, files)
        for sub in folders:
            if "end" in sub.name.lower():
                self.skip(sub, "folder named *end*", expected=True)
            elif _TAKE.fullmatch(sub.name):
                inner, frames = self.listing(sub)
                for other in inner:
                    self.skip(other, "unknown folder inside a take")
                self.take(subject, session, label, sub.name, sub, frames)
            else:
                self.skip(sub, "unknown folder, expected take<NNN>")
        if not files and not folders:
            self.skip(folder, "empty folder")

    def take(self, subject: str, session: str, label: str, name: str, folder: Path, files: list[Path]) -> None:
        frames = [f for f in files if f.suffix.lower() in JPEG]
        if len(frames) < len(files):
            self.notes.append(
                f"{folder.relative_to(self.root).as_posix()}: {len(files) - len(frames)} files that are no JPEG ignored"
            )
        numbers = [int(m.group(1)) if (m := _NUMBER.search(f.stem)) else -1 for f in frames]
        if len(frames) < SHORTEST:
            return self.skip(folder, f"{len(frames)} JPEG frames, a take needs {SHORTEST} or more")
        if min(numbers) < 0:
            return self.skip(folder, f"{frames[numbers.index(-1)].name} has no frame number")
        if len(set(numbers)) < len(numbers):
            return self.skip(folder, "two files with the same frame number")
        take = Take(subject, session, label, name, tuple(f for _, f in sorted(zip(numbers, frames, strict=True))))
        if take.key in {known.key for known in self.takes}:
            return self.skip(folder, f"a second folder for {take.key}, names differ in case only")
        gaps = max(numbers) - min(numbers) + 1 - len(numbers)
        if gaps:
            self.notes.append(f"{folder.relative_to(self.root).as_posix()}: {gaps} frame numbers missing")
        self.takes.append(take)


def licensed_folder() -> Path:
    """The folder named by `HAMREPRO_MUG`.

    Raises:
        MissingDataError: the variable is not set.
    """
    folder = folder_of(VARIABLE)
    if folder is None:
        raise MissingDataError(f"{VARIABLE} is not set", "the folder of the MUG database", _LICENCE)
    return folder


def check(root: Path | None = None) -> Report:
    """Read the layout of a MUG-shaped folder: every take, and everything left out with its reason.

    Args:
        root: folder that holds `subjects3`, or `subjects3` itself; `HAMREPRO_MUG` when None.

    Raises:
        DataError: not set, no folder, or no MUG folder (no take of any of the six expressions).
    """
    root = licensed_folder() if root is None else Path(root)
    try:
        folder, there = root.is_dir(), root.exists()
    except OSError as error:
        raise DataError(f"{root} cannot be read: {error.strerror}", "a folder you may read", _LICENCE) from error
    if not folder:
        given = f"{root} is a file" if there else f"{root} does not exist"
        raise DataError(given, "the unpacked folder of the MUG database", _LICENCE)
    base = root / "subjects3" if os.path.isdir(root / "subjects3") else root
    walk, people = _Walk(base), {}
    for folder in walk.folders(base):
        if _SUBJECT.fullmatch(folder.name):
            first = people.setdefault(int(folder.name), folder)
            walk.subject(folder) if first is folder else walk.skip(folder, f"a second folder of person {first.name}")
        else:
            walk.skip(folder, "unknown folder, expected a subject's number")
    if not walk.takes:
        reasons = "; ".join(f"{s.path}: {s.reason}" for s in walk.skipped[:3])
        raise DataError(f"{root} holds no take{f' ({reasons})' if reasons else ''}", _LAYOUT, _LICENCE)
    return Report(base, tuple(sorted(walk.takes, key=lambda take: take.key)), tuple(walk.skipped), tuple(walk.notes))
