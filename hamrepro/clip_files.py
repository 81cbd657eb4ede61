"""Clips of one's own as they lie on disk: a folder a label, a clip a folder of frames or an animation in it.

The layout is that of torchvision's `ImageFolder`, one dimension up.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

import numpy as np
from PIL import Image, ImageOps, ImageSequence
from tqdm import tqdm

from hamrepro.errors import DataError
from hamrepro.presets import OWN

SIDE = 64
STILLS, ANIMATIONS = (".png", ".jpg", ".jpeg"), (".gif", ".webp", ".apng", ".png")
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")  # whatever a suffix says
LAYOUT = "<folder>/<label>/<clip>/*.png|jpg, or <folder>/<label>/*.gif|webp|png, two frames a clip or more"
NEXT = "mend or remove it"


_FRACTION = re.compile(r"^-\d|\d\.\d")  # of a frame's name; a sign after a word is a dash


class Source(NamedTuple):
    """Where a clip lies: its label, its name, its frames in order (one file where it is an animation)."""

    label: str
    name: str
    files: tuple[Path, ...]


def _name(path: Path) -> str:
    """Accents are the same however a file system stores them."""
    return normalize("NFC", path.name)


def _order(path: Path) -> list[str | int]:
    """Sorting key: numbers as numbers."""
    parts = re.split(r"(\d+)", _name(path).removesuffix(path.suffix) if path.suffix.lower() in STILLS else _name(path))
    return [int(part) if number % 2 else part for number, part in enumerate(parts)]


def _listing(folder: Path, faults: list[str]) -> list[Path]:
    """What lies in a folder, in order; hidden files and `Thumbs.db` do not count."""
    try:
        shown = [path for path in folder.iterdir() if not path.name.startswith(".") and path.name != "Thumbs.db"]
        found = sorted(shown, key=lambda path: (_order(path), _name(path)))
    except OSError as error:
        faults.append(f"{folder} cannot be listed: {error.strerror}")
        return []
    names = Counter(map(_name, found))
    faults += [f"{folder} holds {count} entries named {name!a}" for name, count in names.items() if count > 1]
    kept = []
    for path in found:
        try:
            path.name.encode()
            target = path.resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "a loop of links, or a name that is no text"
            faults.append(f"{str(path)!a}: {reason}")
            continue
        if path.is_symlink() and folder.resolve().is_relative_to(target):
            faults.append(f"{path} links to a folder above it")
        else:
            kept.append(path)
    return kept


def _refuse(faults: list[str]) -> None:
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise DataError(faults[0] + more, LAYOUT, NEXT)


def locate(name: str) -> Path:
    """The folder that a data set's name `own:<folder>` means.

    Raises:
        DataError: no folder named, or none there.
    """
    given = name.removeprefix(OWN)
    try:
        folder = Path(given).expanduser().absolute()
        if given and folder.is_dir() and folder.name.encode():
            return folder
    except (OSError, RuntimeError, ValueError):
        pass
    raise DataError(f"{name!a} names no folder", LAYOUT, "--dataset own:<folder>")


def labels(folder: Path) -> tuple[str, ...]:
    """Names of the labels, sorted; label k has operator k.

    Raises:
        DataError: none, or something that cannot be followed.
    """
    faults: list[str] = []
    names = tuple(_name(path) for path in _listing(folder, faults) if path.is_dir())
    if not names and not faults:
        faults.append(f"{folder} holds no folder, so no label")
    _refuse(faults)
    return names


def sources(folder: Path) -> list[Source]:
    """Every clip, in order of label and name. Nothing is opened.

    Raises:
        DataError: something else lies there; all faults are counted, the first is described.
    """
    found: list[Source] = []
    faults: list[str] = []
    for label in filter(Path.is_dir, _listing(folder, faults)):
        clips = _listing(label, faults)
        if not clips:
            faults.append(f"{label} holds no clip")
        for clip in clips:
            files = [clip] if clip.is_file() else _listing(clip, faults)
            kinds = ANIMATIONS if clip.is_file() else STILLS
            wrong = [file for file in files if not file.is_file() or file.suffix.lower() not in kinds]
            if wrong:
                faults.append(f"{wrong[0]} is none of {', '.join(kinds)}")
            elif clip.is_dir() and len(files) < 2:
                faults.append(f"{clip} holds {'one frame' if files else 'no frame'}")
            elif odd := [file for file in files if len(files) > 1 and _FRACTION.search(_name(file))]:
                faults.append(f"{odd[0]}: a frame number with a sign or a point, frames are numbered 0, 1, 2, ...")
            elif any(_order(one) == _order(two) for one, two in pairwise(files)):
                faults.append(f"{clip} holds two frames of one number")
            else:
                found.append(Source(_name(label), _name(clip), tuple(files)))
    _refuse(faults)
    return found


def square(image: Image.Image) -> np.ndarray:
    """A picture of any size and mode as uint8 (64, 64, 3): over black, its central square, resized.

    Larger ones are averaged down (antialiased bicubic), smaller ones keep their hard edges (nearest neighbour).
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip to white
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    image = image.convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image).convert("RGB")
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    how = Image.Resampling.NEAREST if edge < SIDE else Image.Resampling.BICUBIC
    return np.asarray(image.crop((left, top, left + edge, top + edge)).resize((SIDE, SIDE), how))


def _whole_gif(data: bytes) -> bool:
    """Whether block follows block up to the trailer: Pillow takes a file that breaks off for a shorter one."""

    def table(flags: int) -> int:
        return 3 << (flags & 7) + 1 if flags & 0x80 else 0

    try:
        at = 13 + table(data[10])
        while data[at] != 0x3B:
            if data[at] not in (0x21, 0x2C):
                return False
            at += 2 if data[at] == 0x21 else 11 + table(data[at + 9])
            while data[at]:
                at += data[at] + 1
            at += 1
    except IndexError:
        return False
    return True


def read(source: Source) -> np.ndarray:
    """Frames of a clip, uint8 (T, 64, 64, 3). An animation's frames count alike, however long each is shown.

    Raises:
        DataError: a damaged file, a single frame, frames of different sizes.
    """
    frames, sizes = [], set()
    for file in source.files:
        try:
            with Image.open(file, formats=FORMATS) as image:
                still = len(source.files) > 1
                if image.format == "GIF" and not _whole_gif(file.read_bytes()):
                    raise ValueError("its blocks do not lead to its end")
                if still and getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # a photo's second picture
                    raise ValueError("an animation among stills")
                poster = getattr(image, "default_image", False)  # shown where animations are not, and no part of one
                for frame in [image] if still else islice(ImageSequence.Iterator(image), int(poster), None):
                    frames.append(square(frame))
                    sizes.add(ImageOps.exif_transpose(frame).size)
        except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
            raise DataError(f"{file} cannot be read: {error}", LAYOUT, NEXT) from error
    place = f"{source.files[0]}" if len(source.files) == 1 else f"{source.files[0].parent}"
    if len(sizes) > 1:
        raise DataError(f"{place} holds frames of sizes {sorted(sizes)}", "one size in a clip", NEXT)
    if len(frames) < 2:
        raise DataError(f"{place} holds one frame", LAYOUT, NEXT)
    return np.stack(frames)


def read_all(folder: Path) -> list[tuple[Source, np.ndarray]]:
    """Every clip of a folder and its frames, with a progress bar on a terminal.

    Raises:
        DataError: see `sources` and `read`; all faults are counted, the first is described.
    """
    clips, faults = [], []
    for source in tqdm(sources(folder), desc=f"{OWN}{folder.name}", unit="clip", disable=None, delay=2):
        try:
            clips.append((source, read(source)))
        except DataError as error:
            faults.append(error.given)
    _refuse(faults)
    return clips
