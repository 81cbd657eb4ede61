"""Clips of faces: MUG and its stand-in, one reader, one cropper, one cache, one set of splits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hamrepro.errors import ConfigError, DataError, ShapeError
from hamrepro.face_cache import Manifest, Source, build, cache_folder, code_sha256, open_frames
from hamrepro.face_crops import EVALUATION, VARIANTS, variant
from hamrepro.face_splits import PARTITIONS, SPLITS, assign
from hamrepro.facs.expressions import EXPRESSIONS, take_frames
from hamrepro.facs.identities import SUBJECTS
from hamrepro.facs.tree import TAKES, take_path
from hamrepro.mug import Report, Take, check

NAMES = ("faces-procedural", "mug")
FRAMES = 8  # Paper: Section 4, training windows
DRAWING = tuple(
    f"hamrepro.facs.{m}"
    for m in ("canvas", "expressions", "features", "hair", "identities", "motion", "portrait", "renderer", "setting")
)
CROPPING = ("hamrepro.face_crops",)
WINDOWS = ("first", "centre")


class Faces:
    """Takes of a split; a clip is one take, cropped to 64x64, every second frame. Obeys `datasets.ClipSet`.

    Clips differ in length (`lengths`, at least 16). Frame 0 of a clip is the take's first kept frame (`window` =
    "first": the onset lies inside the first 16), or the first of the 16 in its middle ("centre").

    Args:
        manifest, frames: of a finished cache (`face_cache.build`).
        split: "train", "fit", "validation" or "test"; fit and validation together are train.
        partition: "take" (75/25, default) or "subject" (36/16); see `face_splits.assign`.

    Attributes:
        targets: action (six expressions), identity. groups: subject numbers (positions in `classes["identity"]`).
        skipped: (take, reason) of everything left out of the cache.

    Raises:
        ConfigError: unknown split, partition or window.
        DataError: no take falls into the split.
    """

    frames = FRAMES
    cyclic = False

    def __init__(
        self, manifest: Manifest, frames: np.ndarray, split: str, partition: str = "take", window: str = "first"
    ) -> None:
        if split not in SPLITS:
            raise ConfigError(f"unknown split {split!r}", f"one of {', '.join(SPLITS)}")
        if window not in WINDOWS:
            raise ConfigError(f"unknown window {window!r}", f"one of {', '.join(WINDOWS)}")
        takes = manifest["takes"]
        parts = assign([(t["subject"], t["expression"], t["key"]) for t in takes], partition)
        wanted = ("fit", "validation") if split == "train" else (split,)
        chosen = [take for take, part in zip(takes, parts, strict=True) if part in wanted]
        if not chosen:
            raise DataError(
                f"no take of {len(takes)} falls into {split!r} ({partition} split)",
                "two or more takes of a person and expression",
                "use more subjects or takes",
            )
        self.name, self.split = str(manifest["dataset"]), split
        self.sha256 = str(manifest["sha256"])
        self.keys = tuple(take["key"] for take in chosen)
        self.skipped = tuple((skip["key"], skip["reason"]) for skip in manifest["skipped"])
        self.lengths = torch.tensor([take["frames"] for take in chosen])
        self._store, self._offset = frames, torch.tensor([take["offset"] for take in chosen])
        if window == "centre":
            ahead = (self.lengths - EVALUATION) // 2
            self._offset, self.lengths = self._offset + ahead, self.lengths - ahead
        people = tuple(sorted({take["subject"] for take in takes}))
        self.classes = {"action": EXPRESSIONS, "identity": people}
        self.groups = torch.tensor([people.index(take["subject"]) for take in chosen])
        self.targets = {
            "action": torch.tensor([EXPRESSIONS.index(take["expression"]) for take in chosen]),
            "identity": self.groups,
        }

    def __len__(self) -> int:
        return len(self.keys)

    def clips(self, index: Tensor, start: Tensor | None = None, frames: int | None = None) -> Tensor:
        """Clips by number: uint8 (B, T, 3, 64, 64).

        Args:
            index: int64 (B,), 0 <= index < len(self).
            start: int64 (B,), first frame of each window; None: 0, the evaluation window.
            frames: T, 8 when None; 16 fit into every clip.

        Raises:
            ShapeError: an index out of range, or a window that leaves its clip.
        """
        index, frames = index.cpu(), FRAMES if frames is None else frames
        if index.ndim != 1 or (len(index) and not 0 <= int(index.min()) <= int(index.max()) < len(self)):
            raise ShapeError(f"clips {index.tolist()}"[:80], f"one dimension of numbers from 0 to {len(self) - 1}")
        first = torch.zeros_like(index) if start is None else start.cpu()
        if (
            frames < 1
            or first.shape != index.shape
            or bool(((first < 0) | (first + frames > self.lengths[index])).any())
        ):
            raise ShapeError(
                f"{frames} frames from {first.tolist()}"[:80],
                f"windows inside clips of {int(self.lengths.min())}..{int(self.lengths.max())} frames",
            )
        rows = (self._offset[index] + first)[:, None] + torch.arange(frames)
        return torch.from_numpy(self._store[rows.numpy()]).permute(0, 1, 4, 2, 3).contiguous()

    def starts(self, index: Tensor, generator: torch.Generator, policy: str = "random") -> Tensor:
        """First frames of the training windows: int64 (B,). "random": uniform over the windows of 8 inside each
        clip (Paper: Section 4); "first": 0.

        Raises:
            ConfigError: unknown policy; "cyclic" is none, an expression is no cycle.
        """
        if policy == "first":
            return torch.zeros(len(index), dtype=torch.int64)
        if policy == "random":
            room = self.lengths[index.cpu()] - FRAMES + 1
            return (torch.rand(len(index), generator=generator, dtype=torch.float64) * room).long()
        raise ConfigError(f"unknown windows {policy!r} for faces", "random or first")


def _drawn(subject: int, expression: str, take: int, seed: int, numbers: Sequence[int]) -> Iterator[bytes]:
    from hamrepro.facs.renderer import jpeg, render_frames

    return map(jpeg, render_frames(subject, expression, take, numbers, seed))


def _stored(files: tuple[Path, ...], numbers: Sequence[int]) -> Iterator[bytes]:
    return (files[number].read_bytes() for number in numbers)


def drawn_sources(subjects: Iterable[int], seed: int = 0) -> list[Source]:
    """The takes of faces-procedural, drawn when read: the bytes that `facs.tree.write_tree` would write."""
    sources = []
    for subject, expression, take in product(sorted(set(subjects)), EXPRESSIONS, range(TAKES)):
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
    for take in report.takes:
        for file in take.frames:
            status = file.stat()
            digest.update(f"{file.relative_to(report.root)}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


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

    Returns:
        The manifest and the cache's folder.
    """
    cut = variant(way)
    if name == "faces-procedural":
        people = sorted(set(range(1, SUBJECTS + 1) if subjects is None else subjects))
        sources, origin = (
            drawn_sources(people, seed),
            sha256(f"{seed} {people} {code_sha256(*DRAWING)}".encode()).hexdigest(),
        )
    elif name == "mug":
        report = check(root)
        for skip in report.skipped:
            if not skip.expected and progress:
                print(f"mug: skipped {skip.path}: {skip.reason}")
        sources, origin = folder_sources(report.takes), _listing_sha256(report)
    else:
        raise ConfigError(f"unknown set of faces {name!r}", f"one of {', '.join(NAMES)}")
    made_of = sha256(f"{origin} {cut} {code_sha256(*CROPPING)}".encode()).hexdigest()
    folder = cache_folder() / "faces" / f"{name}-{way}-{made_of[:16]}"
    identity = {"dataset": name, "variant": way, "made_of": made_of}
    return build(folder, identity, sources, cut, workers, progress), folder


def load_faces(
    name: str,
    split: str,
    *,
    partition: str = "take",
    way: str = "paper",
    window: str = "first",
    seed: int = 0,
    subjects: Iterable[int] | None = None,
    root: Path | None = None,
    workers: int = 1,
    progress: bool = True,
) -> Faces:
    """A split of "faces-procedural" or "mug"; the first call draws or reads, crops and caches every take.

    Args:
        split: "train", "fit", "validation" or "test".
        partition: "take" or "subject". way: a name of `face_crops.VARIANTS`. window: "first" or "centre".
        seed, subjects: of faces-procedural; all 52 people when None.
        root: the licensed folder; `HAMREPRO_MUG` when None.
        workers: processes that fill the cache.

    Raises:
        ConfigError: an unknown name. DataError: no licensed folder, no MUG folder, damaged cache.
    """
    if split not in SPLITS or partition not in PARTITIONS or way not in VARIANTS:
        raise ConfigError(
            f"split {split!r}, partition {partition!r}, variant {way!r}", f"{SPLITS}, {PARTITIONS}, {tuple(VARIANTS)}"
        )
    manifest, folder = prepare(
        name, way=way, seed=seed, subjects=subjects, root=root, workers=workers, progress=progress
    )
    return Faces(manifest, open_frames(folder), split, partition, window)
