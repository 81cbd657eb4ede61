"""Where faces come from: takes drawn on demand, or read from a MUG-shaped folder; either way one cropper and cache."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from itertools import product
from pathlib import Path

from hamrepro.errors import ConfigError, DataError
from hamrepro.face_cache import Source, build, code_sha256
from hamrepro.face_crops import LARGEST, variant
from hamrepro.face_manifest import Manifest, read_manifest
from hamrepro.facs.expressions import EXPRESSIONS, take_frames
from hamrepro.facs.identities import SUBJECTS
from hamrepro.facs.tree import TAKES, take_path
from hamrepro.mug import check
from hamrepro.mug_report import Report, Take
from hamrepro.places import cache_folder, read

NAMES = ("faces-procedural", "mug")
DRAWING = tuple(
    f"hamrepro.facs.{m}"
    for m in ("canvas", "expressions", "features", "hair", "identities", "motion", "portrait", "renderer", "setting")
)
CROPPING = ("hamrepro.face_crops",)


def _drawn(subject: int, expression: str, take: int, seed: int, numbers: Sequence[int]) -> Iterator[bytes]:
    from hamrepro.facs.renderer import jpeg, render_frames

    return map(jpeg, render_frames(subject, expression, take, numbers, seed))


def _stored(files: tuple[Path, ...], numbers: Sequence[int]) -> Iterator[bytes]:
    return (read(files[number], LARGEST) for number in numbers)


def drawn_sources(subjects: Iterable[int], seed: int = 0) -> list[Source]:
    """The takes of faces-procedural, drawn when read: the bytes that `facs.tree.write_tree` would write."""
    people, sources = sorted(set(subjects)), []
    if not people or not set(people) <= set(range(1, SUBJECTS + 1)):
        raise DataError(f"subjects {people}", f"numbers in 1..{SUBJECTS}", "leave `subjects` out to draw everyone")
    for subject, expression, take in product(people, EXPRESSIONS, range(TAKES)):
        _, person, *session, _, name = take_path(subject, expression, take).parts
        sources.append(
            Source(
                "/".join((person, expression, *session, name)),
                person,
                expression,
                take_frames(subject, expression, take, seed),
                partial(_drawn, subject, expression, take, seed),
            )
        )
    return sorted(sources, key=lambda source: source.key)


def folder_sources(takes: Sequence[Take]) -> list[Source]:
    """The takes of a MUG-shaped folder."""
    return [
        Source(take.key, take.subject, take.expression, len(take.frames), partial(_stored, take.frames))
        for take in takes
    ]


def _listing_sha256(report: Report) -> str:
    """What the folder holds, by path, size and time: another folder gets another cache."""
    digest = sha256()
    for file in (file for take in report.takes for file in take.frames):
        try:
            status = file.stat()
        except OSError as error:
            raise DataError(
                f"{file} cannot be read: {error.strerror}", "files you may read", "python -m hamrepro data check mug"
            ) from error
        digest.update(f"{file.relative_to(report.root)}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _plan(
    name: str, way: str, seed: int, subjects: Iterable[int] | None, root: Path | None
) -> tuple[Path, Manifest, list[Source]]:
    """Where a cache lies, what it is made of, and the takes it is made from."""
    cut, left_out = variant(way), []
    if name == "faces-procedural":
        people = sorted(set(range(1, SUBJECTS + 1) if subjects is None else subjects))
        sources, origin = drawn_sources(people, seed), f"{seed} {people} {code_sha256(*DRAWING)}"
    elif name == "mug":
        report = check(root)
        sources, origin = folder_sources(report.takes), _listing_sha256(report)
        left_out = [{"key": skip.path, "reason": skip.reason} for skip in report.skipped]
    else:
        raise ConfigError(f"unknown set of faces {name!r}", f"one of {', '.join(NAMES)}")
    made_of = sha256(f"{origin} {left_out} {cut} {code_sha256(*CROPPING)}".encode()).hexdigest()
    identity: Manifest = {"dataset": name, "variant": way, "made_of": made_of, "left_out": left_out}
    folder = cache_folder() / "faces" / f"{name}-{way}-{made_of[:16]}"
    return folder, identity, sources


def drawn(seed: int = 0) -> bool:
    """Whether faces-procedural lies finished in the cache: to draw it takes minutes."""
    return read_manifest(_plan("faces-procedural", "paper", seed, None, None)[0]) is not None


def prepare(
    name: str,
    *,
    way: str = "paper",
    seed: int = 0,
    subjects: Iterable[int] | None = None,
    root: Path | None = None,
    workers: int = 1,
    progress: bool = True,
) -> tuple[Manifest, Path]:
    """Build the cache of a set of faces, or find it built; see `load_faces` for the arguments.

    Args:
        workers: processes that fill it.

    Returns:
        The manifest and the cache's folder.
    """
    folder, identity, sources = _plan(name, way, seed, subjects, root)
    finished = read_manifest(folder)
    if finished is not None:
        return finished, folder
    manifest = build(folder, identity, sources, variant(way), workers, progress)
    for skip in [*identity["left_out"], *manifest["skipped"]] if progress else []:
        print(f"{name}: left out {skip['key']}: {skip['reason']}", file=sys.stderr)
    return manifest, folder
