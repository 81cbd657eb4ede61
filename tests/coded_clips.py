"""Clips that say what they are: every factor is the brightness of one block, so a judge and a model can be exact."""

from __future__ import annotations

from hashlib import sha256

import torch
from torch import Tensor, nn
from torch.nn import functional

from hamrepro.judges import Judge

FACTORS = ("action", "view", "skin", "pants", "tops", "hair", "identity")
SIZES = {"action": 3, "view": 3, "skin": 6, "pants": 6, "tops": 6, "hair": 6}
STEP, FIRST = 20, 10  # brightness of class c is 20 c + 10
SPOT = {name: (slice(0, 16), slice(8 * number, 8 * number + 8)) for number, name in enumerate(FACTORS)}


def write(clips: Tensor, name: str, classes: Tensor) -> Tensor:
    """The factor of clips in [-1, 1] (B, T, 3, 64, 64) set to classes (B,)."""
    clips = clips.clone()
    value = (classes.float() * STEP + FIRST) / 127.5 - 1
    clips[(..., *SPOT[name])] = value[:, None, None, None, None]
    return clips


def read(clips: Tensor, name: str) -> Tensor:
    """Classes (B,) of a factor, as they stand in the clips."""
    bright = (clips[(..., *SPOT[name])].flatten(1).mean(1) + 1) * 127.5
    return ((bright - FIRST) / STEP).round().long()


class CodedClips:
    """Characters (9) in 9 action-views, as Sprites are laid out; or 6 people with 6 expressions, 3 takes each."""

    split, frames = "test", 8

    def __init__(self, faces: bool = False, people: int = 9, name: str | None = None) -> None:
        self.name = name or ("faces-procedural" if faces else "sprites-procedural")
        self.cyclic = not faces
        self.sha256 = sha256(f"{faces} {people}".encode()).hexdigest()
        if faces:
            number = torch.arange(6 * 6 * 3)
            self.targets = {"action": number % 6, "identity": number // 18}
            self.groups = self.targets["identity"]
            self.classes = {"action": tuple("abcdef"), "identity": tuple("uvwxyz")}
            return
        label = torch.arange(9).repeat_interleave(people)
        self.groups = torch.arange(people).repeat(9)
        self.targets = {"action": label // 3, "view": label % 3, "action_view": label}
        for k, factor in enumerate(("skin", "pants", "tops", "hair")):
            self.targets[factor] = (self.groups * (2 * k + 1) + k) % 6
        self.classes = {factor: tuple(map(str, range(size))) for factor, size in SIZES.items()}
        self.classes["action_view"] = tuple("123456789")

    def __len__(self) -> int:
        return len(self.groups)

    def clips(self, index: Tensor, start: Tensor | None = None, frames: int | None = None) -> Tensor:
        made = torch.full((len(index), frames or 8, 3, 64, 64), -1.0)
        for name in FACTORS:
            if name in self.targets:
                made = write(made, name, self.targets[name][index])
        return ((made + 1) * 127.5).round().to(torch.uint8)

    def starts(
        self, index: Tensor, generator: torch.Generator, policy: str = "first", frames: int | None = None
    ) -> Tensor:
        return torch.zeros(len(index), dtype=torch.int64)


class Oracle(Judge):
    """Reads the blocks without error, or with the share of errors asked for; as sure as `margin` makes it."""

    def __init__(self, clip_set: CodedClips, margin: float = 40.0, wrong: float = 0.0) -> None:
        super().__init__({"9way": 9}, base=1, features=1, hidden=1)
        self.margin, self.wrong, self.faces = margin, wrong, "view" not in clip_set.targets
        self.card = {"dataset": clip_set.name, "data_sha256": clip_set.sha256, "sha256": "oracle"}
        self.eval()

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        if self.faces:
            found = {"6way": (read(clips, "action"), 6), "identity": (read(clips, "identity"), 6)}
        else:
            found = {"9way": (3 * read(clips, "action") + read(clips, "view"), 9)}
            found |= {name: (read(clips, name), 6) for name in ("skin", "pants", "tops", "hair")}
        shift = (torch.arange(len(clips)) < self.wrong * len(clips)).long()
        return {name: self.margin * functional.one_hot((c + shift) % n, n).float() for name, (c, n) in found.items()}


class Perfect(nn.Module):
    """Follows every protocol without error; told the action, it takes the view from the content."""

    def __init__(self, label: str = "action", supervised: bool = True) -> None:
        super().__init__()
        self.config = type("Config", (), {"label": label})()
        self.supervised = supervised

    def _moved(self, content: Tensor, label: Tensor) -> Tensor:
        if self.config.label == "action":
            return write(content, "action", label)
        return write(write(content, "action", label // 3), "view", label % 3)

    def _long(self, clips: Tensor, frames: int) -> Tensor:
        return clips[:, torch.arange(frames) % clips.shape[1]]

    def with_prior_motion(self, content, content_action, action, frames, noise):
        return self._long(self._moved(content, action), frames)

    def with_prior_content(self, motion, action, frames, noise):
        drawn = motion
        kept = () if self.config.label == "action_view" or not self.supervised else ("view",)
        for name in ("skin", "pants", "tops", "hair", *kept):
            drawn = write(drawn, name, torch.randint(SIZES[name], (len(motion),), generator=noise))
        return drawn

    def sample(self, action, frames, noise):
        empty = torch.full((len(action), frames, 3, 64, 64), -1.0)
        for name in ("view", "skin", "pants", "tops", "hair"):
            empty = write(empty, name, torch.randint(SIZES[name], (len(action),), generator=noise))
        return self._moved(empty, action)

    def swap(self, motion, motion_action, content, content_action):
        swapped = write(content, "action", read(motion, "action"))
        if self.config.label == "action" and self.supervised:
            return swapped
        return write(swapped, "view", read(motion, "view"))

    def generate(self, clips, action, frames, conditioning="clip"):
        return self._long(self._moved(clips, action) if conditioning == "strict" else clips, frames)
