"""Writes faces-procedural as a folder that lies on disk exactly as the licensed MUG folder does."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath

import torch
from tqdm import tqdm

from hamrepro.errors import DataError
from hamrepro.facs.expressions import EXPRESSIONS, perform
from hamrepro.facs.identities import SUBJECTS
from hamrepro.facs.renderer import jpeg, render_frames, renderer

TAKES = 3  # takes of each person and expression
SESSION_SUBJECTS = (2, 3, 49)  # people recorded in two sessions, as in the licensed folder
MARK = "STAND-IN.txt"
MARK_TEXT = (
    "faces-procedural: people and expressions drawn by hamrepro. These are not photographs and not the\n"
    "MUG Facial Expression Database; only the layout of the folders is the same.\n"
)


def take_path(subject: int, expression: str, take: int) -> PurePosixPath:
    """Folder of a take inside the tree, e.g. `subjects3/001/anger/take000`."""
    person = PurePosixPath("subjects3") / f"{subject:03d}"
    if subject in SESSION_SUBJECTS:
        person /= f"session{take // 2}"
    return person / expression / f"take{take:03d}"


def write_tree(
    root: Path,
    subjects: Iterable[int] | None = None,
    takes: int = TAKES,
    seed: int = 0,
    workers: int = 1,
    progress: bool = True,
) -> Path:
    """Write the tree under `root`; takes that are complete already are left alone, so a killed run resumes.

    Args:
        subjects: people to write, 1..52; all when None.
        workers: processes, each drawing whole people.

    Returns:
        `root`, what `HAMREPRO_MUG` may be set to.

    Raises:
        DataError: `root` is a file, holds photographs of another origin, or a subject does not exist.
    """
    root = Path(root)
    people = sorted(set(range(1, SUBJECTS + 1) if subjects is None else subjects))
    if not people or not set(people) <= set(range(1, SUBJECTS + 1)):
        raise DataError(f"subjects {people}", f"numbers in 1..{SUBJECTS}", "leave `subjects` out to draw everyone")
    if root.is_dir() and not (root / MARK).exists() and any(root.iterdir()):
        raise DataError(
            f"{root} holds a tree that hamrepro did not write",
            "a new or empty folder",
            "choose another folder; a licensed folder is never written to",
        )
    try:
        root.mkdir(parents=True, exist_ok=True)
        (root / MARK).write_text(MARK_TEXT)
    except OSError as error:
        raise DataError(f"cannot write to {root}: {error.strerror}", "a folder you may write to") from error
    write = partial(_write_person, root, takes=takes, seed=seed)
    bar = partial(tqdm, total=len(people), desc="faces-procedural", unit="person", disable=None if progress else True)
    if workers > 1:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(bar(pool.map(write, people)))
    else:
        for person in bar(people):
            write(person)
    return root


def _write_person(root: Path, subject: int, *, takes: int, seed: int) -> None:
    for expression in EXPRESSIONS:
        for take in range(takes):
            frames = render_frames(subject, expression, take, seed=seed)
            _write_take(root / take_path(subject, expression, take), map(jpeg, frames))
    if subject % 3 == 0:
        # MUG holds neutral takes of some people; readers must skip them.
        rest = perform(subject, "happiness", 0, seed)
        rest.units[:] = 0
        draw = renderer(subject, seed)
        with torch.no_grad():
            _write_take(root / take_path(subject, "neutral", 0), (jpeg(draw.frame(rest, t)) for t in range(20)))


def _write_take(folder: Path, files: Iterable[bytes]) -> None:
    """Write the frames of one take; the folder appears only when it is complete."""
    if folder.exists():
        return
    unfinished = folder.with_name(f".{folder.name}.part")  # hidden, so that no reader takes it for a take
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(files):
            (unfinished / f"img_{number:04d}.jpg").write_bytes(data)
        unfinished.rename(folder)
    except OSError as error:
        if not folder.exists():  # else another process was first, with the same bytes
            raise DataError(f"cannot write {folder}: {error.strerror}", "free space and permission") from error
