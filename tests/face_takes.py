"""Takes that the tests of faces cut, store and damage."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from hamrepro.face_cache import Source
from hamrepro.facs.expressions import EXPRESSIONS
from hamrepro.facs.renderer import jpeg, render_frames

FACE = next(render_frames(1, "happiness", 0, [20]))
GREY = np.full((256, 256, 3), 128, np.uint8)


def encoded(picture: np.ndarray, kind: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def listed(files: Sequence[bytes], numbers: Sequence[int]) -> Iterable[bytes]:
    return [files[n] for n in numbers]


def source(files: Sequence[bytes], key: str = "001/anger/take000") -> Source:
    subject, expression, _ = key.split("/")
    return Source(key, subject, expression, len(files), partial(listed, files))


def several(count: int = 4) -> list[Source]:
    takes = []
    for number, expression in enumerate(EXPRESSIONS[:count]):
        files = [jpeg(f) for f in render_frames(1 + number % 2, expression, 0, (0, 12, 16))]
        takes.append(source([files[i % 3] for i in range(31 + number)], f"00{1 + number % 2}/{expression}/take000"))
    return sorted(takes, key=lambda take: take.key)


FOUR = several()


def photographed(root: Path) -> Path:
    """A MUG-shaped folder of two people with one short take each of three expressions."""
    for number, take in enumerate(FOUR):
        folder = root / "subjects3" / take.key
        folder.mkdir(parents=True)
        for i, data in enumerate(take.read(range(take.length))):
            (folder / f"img_{i:04d}.jpg").write_bytes(data)
            os.utime(folder / f"img_{i:04d}.jpg", (number, number))
    return root
