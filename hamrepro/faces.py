"""Clips of faces: MUG and its stand-in, one reader, one cropper, one cache, one set of splits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hamrepro.errors import ConfigError, DataError
from hamrepro.face_crops import EVALUATION, VARIANTS
from hamrepro.face_manifest import Manifest, open_frames
from hamrepro.face_sources import prepare
from hamrepro.face_splits import PARTITIONS, SPLITS, assign
from hamrepro.facs.expressions import EXPRESSIONS
from hamrepro.windows import draw_starts, first_frames, numbers

FRAMES = 8  # Paper: Section 4, training windows
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
        skipped: (take or folder, reason) of everything left out of the cache. parts: take -> "fit", "validation" or
            "test", of all takes.

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
        self.parts = {take["key"]: part for take, part in zip(takes, parts, strict=True)}
        self.skipped = tuple(
            (skip["key"], skip["reason"]) for part in ("left_out", "skipped") for skip in manifest[part]
        )
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
        index, frames = numbers(index, len(self)), FRAMES if frames is None else frames
        first = first_frames(self.lengths[index], start, frames)
        rows = (self._offset[index] + first)[:, None] + torch.arange(frames)
        return torch.from_numpy(self._store[rows.numpy()]).permute(0, 1, 4, 2, 3).contiguous()

    def starts(
        self, index: Tensor, generator: torch.Generator, policy: str = "random", frames: int | None = None
    ) -> Tensor:
        """First frames of the training windows: int64 (B,). "random": uniform over the windows of T frames, 8 when
        None, inside each clip (Paper: Section 4); "first": 0.

        Raises:
            ConfigError: unknown policy; "cyclic" is none, an expression is no cycle.
        """
        return draw_starts(self.lengths[index.cpu()], FRAMES if frames is None else frames, generator, policy)


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
    progress: bool = True,
) -> Faces:
    """A split of "faces-procedural" or "mug"; the first call draws or reads, crops and caches every take.

    Args:
        split: "train", "fit", "validation" or "test".
        partition: "take" or "subject". way: a name of `face_crops.VARIANTS`. window: "first" or "centre".
        seed, subjects: of faces-procedural; all 52 people when None.
        root: the licensed folder; `HAMREPRO_MUG` when None.

    Raises:
        ConfigError: an unknown name. DataError: no licensed folder, no MUG folder, damaged cache.
    """
    if split not in SPLITS or partition not in PARTITIONS or way not in VARIANTS:
        raise ConfigError(
            f"split {split!r}, partition {partition!r}, variant {way!r}", f"{SPLITS}, {PARTITIONS}, {tuple(VARIANTS)}"
        )
    manifest, folder = prepare(name, way=way, seed=seed, subjects=subjects, root=root, progress=progress)
    return Faces(manifest, open_frames(folder, manifest), split, partition, window)
