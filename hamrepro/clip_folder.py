"""Clips of one's own as a data set: a folder of labels, split by a rule, in windows of 8 frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hamrepro.clip_files import labels, locate, read_all
from hamrepro.errors import ConfigError, DataError
from hamrepro.presets import OWN
from hamrepro.windows import draw_starts, first_frames, numbers

FRAMES = 8
SPLITS = {"train": ("fit", "validation"), "fit": ("fit",), "validation": ("validation",), "test": ("test",)}


def assign(actions: Sequence[int]) -> list[str]:
    """Split of each clip, counted within its label in order of names: every fifth is test, of ten the ninth validation.

    >>> assign([0] * 10)[3:]
    ['fit', 'test', 'fit', 'fit', 'fit', 'validation', 'test']
    """
    seen: Counter[int] = Counter()
    parts = []
    for action in actions:
        seen[action] += 1
        parts.append("test" if seen[action] % 5 == 0 else "validation" if seen[action] % 10 == 9 else "fit")
    return parts


class ClipFolder:
    """Clips of a folder, `<folder>/<label>/<clip>`, any size, length and number of labels. Obeys `datasets.ClipSet`.

    Everything is checked and read at once, and held in memory: 12 kB a frame. Training windows are random; no clip
    is taken for a cycle.

    Args:
        folder: as in `LAYOUT`. split: "train", "fit", "validation" or "test", see `assign`.
        frames: T of the training windows; None: 8, or the length of the shortest clip.

    Attributes:
        keys: (label, clip) names. lengths: int64 (N,), frames of each clip. groups: every clip is its own.

    Raises:
        ConfigError: unknown split. DataError: see `labels` and `read`; no clip in the split, or one shorter than T.
    """

    cyclic = False

    def __init__(self, folder: str | Path, split: str = "train", *, frames: int | None = None) -> None:
        if split not in SPLITS:
            raise ConfigError(f"unknown split {split!r}", f"one of {', '.join(SPLITS)}")
        folder = locate(f"{OWN}{folder}")
        names, clips = labels(folder), read_all(folder)
        (label, name, _), least = min(clips, key=lambda clip: len(clip[1]))
        self.frames = min(FRAMES, len(least)) if frames is None else frames
        if not isinstance(self.frames, int) or not 2 <= self.frames <= len(least):
            given = f"windows of {self.frames} frames: {label}/{name} has {len(least)}"
            raise DataError(given, "2 frames or more, no more than the shortest clip has", "choose other windows")
        actions = [names.index(source.label) for source, _ in clips]
        chosen = [number for number, part in enumerate(assign(actions)) if part in SPLITS[split]]
        if not chosen:
            raise DataError(f"no clip of {folder} falls into {split!r}", "five clips of a label, or more", "add clips")
        self.name, self.split = f"{OWN}{folder.name}", split
        self.classes = {"action": names}
        self.keys = tuple(clips[number][0][:2] for number in chosen)
        self.targets = {"action": torch.tensor([actions[number] for number in chosen])}
        self.groups = torch.arange(len(chosen))
        self.lengths = torch.tensor([len(clips[number][1]) for number in chosen])
        digest = sha256(repr(self.frames).encode())
        for source, pixels in clips:
            digest.update(repr((source[:2], pixels.shape)).encode() + pixels.tobytes())
        self.sha256 = digest.hexdigest()
        self._offset = self.lengths.cumsum(0) - self.lengths
        chosen_pixels = np.concatenate([clips[number][1] for number in chosen])
        self._store = torch.from_numpy(chosen_pixels).movedim(-1, 1).contiguous()

    def __len__(self) -> int:
        return len(self.keys)

    def clips(self, index: Tensor, start: Tensor | None = None, frames: int | None = None) -> Tensor:
        """Clips by number: uint8 (B, T, 3, 64, 64), frames counted from `start` (None: the clip's first).

        Raises:
            ShapeError: an index out of range, or a window that leaves its clip.
        """
        index, frames = numbers(index, len(self)), self.frames if frames is None else frames
        first = first_frames(self.lengths[index], start, frames)
        return self._store[(self._offset[index] + first)[:, None] + torch.arange(frames)]

    def starts(
        self, index: Tensor, generator: torch.Generator, policy: str = "random", frames: int | None = None
    ) -> Tensor:
        """First frames of the training windows, int64 (B,): "random", uniform over each clip's windows; "first", 0.

        Raises:
            ConfigError: another policy; whether a clip is a cycle is not known.
        """
        return draw_starts(self.lengths[index.cpu()], self.frames if frames is None else frames, generator, policy)
