"""Frames of a take: the portrait moved by the action units, eyes and mouth drawn, the head posed before the wall."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from hamrepro.facs.canvas import HALF, SIZE, grid
from hamrepro.facs.expressions import Performance, perform
from hamrepro.facs.features import draw_eye, draw_mouth, window
from hamrepro.facs.identities import Identity, identity
from hamrepro.facs.motion import musculature
from hamrepro.facs.portrait import paint

JPEG_QUALITY = 92


class Renderer:
    """Draws any frame of any performance of one person. A frame depends on its own numbers only, so that frames
    rendered one by one, every second one, or as a whole take are equal byte for byte.
    """

    def __init__(self, who: Identity, seed: int = 0) -> None:
        portrait, muscles = paint(who, seed), musculature(who)
        self.who = who
        self.head = torch.from_numpy(portrait.head)[None]
        self.scene, self.shirt = torch.from_numpy(portrait.scene), torch.from_numpy(portrait.shirt)
        self.depth = torch.from_numpy(portrait.depth)
        self.spectacles = None if portrait.frame is None else torch.from_numpy(portrait.frame)
        self.motion, self.folds = muscles.motion.flatten(1), muscles.folds.flatten(1)
        x, y = grid(SIZE)
        self.place = torch.from_numpy(np.stack([x, y], axis=-1)).float()  # (256, 256, 2), head units
        reach = (who.eye_length + 0.04, 0.16)
        self.eyes = [(side, window((side * who.eye_spacing, who.eye_height - 0.01), reach)) for side in (-1, 1)]
        self.mouth = window((0.0, who.mouth_height + 0.08), (0.40, 0.26))

    def frame(self, performance: Performance, t: int) -> np.ndarray:
        """Frame `t` of a performance: uint8 (256, 256, 3)."""
        units, left = performance.units[t], performance.left
        both = torch.from_numpy(np.stack([units * left, units], axis=1).reshape(-1)).double()
        head = self._skin(both)
        picture = head[:3].numpy()
        for side, place in self.eyes:
            draw_eye(
                picture,
                self.who,
                side,
                place,
                units * left if side < 0 else units,
                float(performance.blink[t]),
                performance.gaze[t],
            )
        draw_mouth(picture, self.who, self.mouth, units, left)
        if self.spectacles is not None:
            head[:3] = head[:3] * (1 - self.spectacles[3]) + self.spectacles[:3]
        posed = self._pose(head, performance.pose[t])
        image = self.scene * (1 - posed[3]) + posed[:3]
        image = image * (1 - self.shirt[3]) + self.shirt[:3]
        return image.clamp_(0, 1).mul_(255).add_(0.5).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()

    def _skin(self, both: torch.Tensor) -> torch.Tensor:
        """Portrait (4, 256, 256) with the skin displaced and folded; `both` holds left and right intensities (30,)."""
        shift = (both @ self.motion).float().view(1, 2, 64, 64)
        shift = F.interpolate(shift, size=(SIZE, SIZE), mode="bilinear", align_corners=False)[0].permute(1, 2, 0)
        head = F.grid_sample(
            self.head, ((self.place - shift) / HALF)[None], mode="bilinear", padding_mode="border", align_corners=False
        )[0]
        fold = F.interpolate(
            (both @ self.folds).float().view(1, 1, 128, 128), size=(SIZE, SIZE), mode="bilinear", align_corners=False
        )[0]
        head[:3] *= 1 + fold.clamp_(-0.6, 0.35)
        return head

    def _pose(self, head: torch.Tensor, pose: np.ndarray) -> torch.Tensor:
        """Head (4, 256, 256) shifted, rolled, scaled, and turned a little by parallax."""
        dx, dy, roll, scale, yaw, pitch = (float(p) for p in pose)
        c, s = float(np.cos(roll)) / scale, float(np.sin(roll)) / scale
        x, y = self.place[..., 0] - dx, self.place[..., 1] - dy
        # Elementwise, as matrix products round differently on different processors.
        source = torch.stack([c * x + s * y - yaw * self.depth, c * y - s * x - pitch * self.depth], dim=-1)
        return F.grid_sample(
            head[None], (source / HALF)[None], mode="bilinear", padding_mode="border", align_corners=False
        )[0]


@lru_cache(maxsize=2)
def renderer(subject: int, seed: int = 0) -> Renderer:
    """The person's renderer; the last two are kept (painting takes half a second)."""
    return Renderer(identity(subject, seed), seed)


@torch.no_grad()
def render_frames(
    subject: int, expression: str, take: int, frames: Iterable[int] | None = None, seed: int = 0
) -> Iterator[np.ndarray]:
    """Frames of a take, one after another, uint8 (256, 256, 3); all of them, or those numbered in `frames`.

    There are 50 to 160, at 19 a second.

    Raises:
        DataError: no such subject or expression.
    """
    performance, draw = perform(subject, expression, take, seed), renderer(subject, seed)
    for t in range(len(performance)) if frames is None else frames:
        yield draw.frame(performance, t)


def jpeg(frame: np.ndarray) -> bytes:
    """The frame as the JPEG file that the tree holds."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
