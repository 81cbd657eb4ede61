"""From frames to 64x64 faces: every n-th frame, one smoothed face box a take, antialiased resize."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from hamrepro.errors import ConfigError, DataError

if TYPE_CHECKING:
    from skimage.feature import Cascade

SIDE = 64  # Paper: Section 4, frames of 64x64
EVALUATION = 16  # Paper: Section 4.1, windows of 16 frames in the evaluation
LARGEST = 100_000_000  # pixels; beyond it a file is no camera frame


@dataclass(frozen=True)
class Variant:
    """One way the literature cuts MUG into clips.

    Attributes:
        step: every `step`-th frame is kept.
        shortest: takes with fewer raw frames are left out.
        tail: share of the frames dropped at the end of a take.
        probes: where in the take (0 first .. 1 last) faces are looked for; the box is the median.
        margin: side of the crop over side of the detected box.
    """

    name: str
    step: int
    shortest: int
    tail: float
    probes: tuple[float, ...]
    margin: float
    source: str

    def kept(self, frames: int) -> range:
        """Numbers of the raw frames kept of a take of `frames` frames; empty when the take is too short.

        >>> len(VARIANTS["paper"].kept(31)), len(VARIANTS["paper"].kept(30))
        (16, 0)
        """
        kept = range(0, frames - int(frames * self.tail), self.step)
        return kept if frames >= self.shortest and len(kept) >= EVALUATION else range(0)


VARIANTS = {
    v.name: v
    for v in (
        Variant(
            "paper", 2, 31, 0.0, (0.1, 0.3, 0.5, 0.7, 0.9), 1.0,
            "HALO, Section 4 (every second frame); the box is smoothed over five frames, which the paper leaves open",
        ),
        Variant(
            "halo-release", 4, 40, 0.1, (0.5,), 1.0, "HALO's released prepareMUG.py: box of the middle frame, step 4"
        ),
        Variant("mocogan", 4, 64, 0.0, (0.5,), 1.0, "MoCoGAN's loader: every fourth frame, takes of 64 frames or more"),
        Variant(
            "mocogan-chainer", 2, 45, 0.1, (0.5,), 1.0,
            "raahii/mocogan-chainer: every second frame, last tenth dropped, takes long enough for two of its windows",
        ),
        Variant(
            "twostreamvan", 4, 40, 0.0, (0.0,), 1.0,
            "TwoStreamVAN: box of frame 0, step 4; only the first of its four interleaved clips, the others leak",
        ),
        Variant("vdsm", 2, 39, 0.0, (0.5,), 1.0, "VDSM: every second frame, 20 kept or more"),
    )
}  # fmt: skip


def variant(name: str) -> Variant:
    """A variant by name.

    Raises:
        ConfigError: unknown name.
    """
    if name not in VARIANTS:
        raise ConfigError(f"unknown face variant {name!r}", f"one of {', '.join(VARIANTS)}")
    return VARIANTS[name]


def decode(data: bytes, name: str) -> np.ndarray:
    """Pixels of a JPEG file, uint8 (H, W, 3); grey becomes three equal channels.

    Raises:
        DataError: empty, truncated, no JPEG, not 8 bits grey or RGB, or larger than any camera frame.
    """
    expected = "a complete 8-bit JPEG, grey or RGB"
    if not data:
        raise DataError(f"{name}: empty file", expected)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(data)) as image:
                if image.format not in ("JPEG", "MPO"):
                    raise DataError(f"{name}: {image.format} data, mode {image.mode}", expected)
                if image.mode not in ("L", "RGB"):
                    raise DataError(f"{name}: JPEG of mode {image.mode}", expected)
                if image.width * image.height > LARGEST:
                    raise DataError(f"{name}: {image.width}x{image.height} pixels", expected)
                return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(f"{name}: no image", expected) from error
    except Exception as error:  # Pillow's reader raises whatever a damaged file leads it to
        raise DataError(f"{name}: damaged image ({error})", expected) from error


@dataclass(frozen=True)
class Box:
    """Square crop in pixels of the frame: left, top, side."""

    left: float
    top: float
    side: float


@lru_cache(maxsize=1)
def cascade() -> Cascade:
    """scikit-image's LBP cascade for frontal faces; its file ships inside the package."""
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    return Cascade(lbp_frontal_face_cascade_filename())


def detect(frame: np.ndarray) -> Box | None:
    """The largest frontal face of a frame (H, W, 3), or None."""
    height, width = frame.shape[:2]
    scale = 160 / min(height, width)  # faces of 1/5 of the frame and more are found; about 5 ms
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if max(size) > 1600:
        return None
    grey = np.asarray(Image.fromarray(frame).convert("L").resize(size, Image.Resampling.BOX))
    found = cascade().detect_multi_scale(grey, scale_factor=1.12, step_ratio=1, min_size=(32, 32), max_size=(160, 160))
    if not found:
        return None
    best = max(found, key=lambda box: (box["width"], -box["r"], -box["c"]))
    return Box(best["c"] / scale, best["r"] / scale, best["width"] / scale)


def face_box(probes: Sequence[np.ndarray], margin: float) -> Box | None:
    """One box for a take: the median of the boxes of its probe frames, widened by `margin`, moved into the frame.

    None when fewer than half of the probes show a face.
    """
    boxes = [box for box in map(detect, probes) if box is not None]
    if not boxes or 2 * len(boxes) < len(probes):
        return None
    height, width = probes[0].shape[:2]
    x, y, side = (
        float(np.median(values))
        for values in zip(*((b.left + b.side / 2, b.top + b.side / 2, b.side) for b in boxes), strict=True)
    )
    side = min(side * margin, width, height)
    left = min(max(x - side / 2, 0.0), width - side)
    top = min(max(y - side / 2, 0.0), height - side)
    return Box(round(left, 3), round(top, 3), round(side, 3))


def crop(frame: np.ndarray, box: Box, side: int = SIDE) -> np.ndarray:
    """The face as uint8 (side, side, 3): antialiased bicubic resize of the box."""
    region = (box.left, box.top, box.left + box.side, box.top + box.side)
    return np.asarray(Image.fromarray(frame).resize((side, side), Image.Resampling.BICUBIC, box=region))
