"""Data sets by name: one Protocol, one `load`, one `check` of what was loaded."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from hamrepro.clip_files import labels, locate
from hamrepro.errors import ConfigError, DataError
from hamrepro.places import DATA, restore
from hamrepro.presets import OWN

NAMES = ("sprites", "sprites-procedural", "faces-procedural", "mug")
PINNED = NAMES[:3]  # of licensed data nobody may publish them
PINS = DATA / "pins.json"
CHUNK = 36  # characters composited at a time where a whole block is hashed: 14 MB


class ClipSet(Protocol):
    """What every data set is: clips by number, made on demand.

    Attributes:
        name: one of `NAMES`, or own:<folder>.
        split: "train", "fit", "validation" or "test"; fit and validation make up train.
        frames: the training length T. cyclic: whether a clip is one period of a cycle.
        targets: int64 (N,) each; always "action". classes: names of the classes of each target.
        groups: int64 (N,), the cluster of a clip in the bootstrap: its character or person.
        sha256: identity of the data.
    """

    name: str
    split: str
    frames: int
    cyclic: bool
    targets: dict[str, Tensor]
    classes: dict[str, tuple[str, ...]]
    groups: Tensor

    @property
    def sha256(self) -> str: ...

    def __len__(self) -> int: ...

    def clips(self, index: Tensor, start: Tensor | None = None, frames: int | None = None) -> Tensor:
        """uint8 (B, T, 3, 64, 64), frames counted from `start` (0: the clip's first)."""
        ...

    def starts(
        self, index: Tensor, generator: torch.Generator, policy: str = "first", frames: int | None = None
    ) -> Tensor:
        """First frames of training windows of T frames, int64 (B,); policy "first", "cyclic" or "random"."""
        ...


class Block(NamedTuple):
    """One line of `check`: a part of a data set, its hash, the pinned one ("" where none is), whether it is right."""

    block: str
    sha256: str
    expected: str
    ok: bool


def load(name: str, split: str) -> ClipSet:
    """A split of a data set by name, one's own clips as `own:<folder>`.

    Raises:
        ConfigError: unknown data set or split.
        DataError: its files are missing or damaged.
    """
    if name in ("sprites", "sprites-procedural"):
        from hamrepro.sprites import load_sprites

        return load_sprites(name, split)
    if name in NAMES:
        from hamrepro.faces import load_faces

        return load_faces(name, split)
    if name.startswith(OWN):
        from hamrepro.clip_folder import ClipFolder

        return ClipFolder(locate(name), split)
    raise ConfigError(f"unknown data set {name!r}", f"one of {', '.join(NAMES)}, {OWN}<folder>")


def actions(name: str) -> int | None:
    """K of one's own clips, the number of labels; None for a named data set, whose K its settings know.

    Raises:
        DataError: no folder, or no label in it.
    """
    return len(labels(locate(name))) if name.startswith(OWN) else None


def digests(name: str) -> dict[str, str]:
    """sha256 of the parts of a data set.

    Sprites: "layers and split", then every action-view as the bytes of its uint8 array (1296, 8, 64, 64, 3), characters
    in the order of their ids; some seconds. Faces: "frames", all of them as they lie in the cache, then the names of
    the takes of every split. One's own: "all".

    Raises:
        ConfigError, DataError: see `load`.
    """
    from hamrepro.faces import Faces
    from hamrepro.sprites import CHARACTERS, LABELS, Sprites

    clip_set = load(name, "train")
    if name.startswith(OWN):
        return {"all": clip_set.sha256}
    if isinstance(clip_set, Faces):
        found = {"frames": clip_set.sha256}  # read anew by `load`
        for split in ("fit", "validation", "test"):
            names = "\n".join(key for key, part in clip_set.parts.items() if part == split)
            found[split] = sha256(names.encode()).hexdigest()
        return found
    assert isinstance(clip_set, Sprites)
    found = {"layers and split": clip_set.sha256}
    for label, block in enumerate(LABELS):
        digest = sha256()
        for characters in torch.arange(CHARACTERS).split(CHUNK):
            clips = clip_set.compose(characters, torch.full_like(characters, label))
            digest.update(clips.movedim(2, -1).contiguous().cpu().numpy())
        found[block] = digest.hexdigest()
    return found


def pins(name: str) -> dict[str, str]:
    """Expected `digests` of a data set, from `data/pins.json`; empty where none are known, as for licensed data.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        found = json.loads(PINS.read_text(encoding="utf-8")).get(name, {})
        if any(not isinstance(digest, str) for digest in found.values()) or (name in PINNED and not found):
            raise ValueError(f"no hashes of {name}")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise DataError(f"{PINS}: {error}", "the expected hashes", restore(PINS)) from error
    return found


def check(name: str) -> list[Block]:
    """Compare a data set with its pins. A block without one is right in `mug`, which nobody may publish, and in own.

    Raises:
        ConfigError, DataError: see `load`.
    """
    found, expected = digests(name), pins(name)
    unpinned = name == "mug" or name.startswith(OWN)
    missing = {block: "" for block in expected if block not in found}
    return [
        Block(block, digest, expected.get(block, ""), digest == expected.get(block, digest if unpinned else ""))
        for block, digest in (found | missing).items()
    ]
