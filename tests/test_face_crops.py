"""Cropping: what is decoded, what is refused, where the face lies, which takes are left out."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from face_takes import FACE, GREY, encoded, source
from PIL import Image

from hamrepro import face_crops
from hamrepro.errors import ConfigError, DataError
from hamrepro.face_cache import Source, crop_take
from hamrepro.face_crops import VARIANTS, Box, crop, decode, detect, face_box, variant

PAPER = VARIANTS["paper"]


def sixteen_bit_png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 900).save(buffer, "PNG")
    return buffer.getvalue()


def sixteen_bit_jpeg() -> bytes:
    data = bytearray(encoded(FACE))
    at = data.index(b"\xff\xc0")
    data[at + 4] = 16  # sample precision in the frame header
    return bytes(data)


GOOD_FILES = {
    "baseline": encoded(FACE),
    "progressive": encoded(FACE, progressive=True),
    "grey": encoded(FACE, mode="L"),
    "quality 30": encoded(FACE, quality=30),
}
BAD_FILES = {
    "empty": (b"", "empty file"),
    "text": (b"not an image at all", "no image"),
    "zeros": (bytes(2000), "no image"),
    "marker only": (b"\xff\xd8", "no image"),
    "header only": (encoded(FACE)[:300], "damaged|no image"),
    "half": (encoded(FACE)[: len(encoded(FACE)) // 2], "damaged"),
    "last bytes missing": (encoded(FACE)[:-400], "damaged"),
    "PNG named jpg": (encoded(FACE, "PNG"), "PNG data"),
    "16-bit PNG named jpg": (sixteen_bit_png(), "PNG data, mode I;16"),
    "16-bit JPEG": (sixteen_bit_jpeg(), "damaged|no image"),
    "CMYK JPEG": (encoded(FACE, mode="CMYK"), "mode CMYK"),
    "GIF named jpg": (encoded(FACE, "GIF"), "GIF data"),
}


@pytest.mark.parametrize("data", GOOD_FILES.values(), ids=GOOD_FILES.keys())
def test_jpegs_are_decoded(data: bytes) -> None:
    pixels = decode(data, "img")
    assert pixels.shape == (256, 256, 3) and pixels.dtype == np.uint8


def test_photographs_taken_on_their_side_stand_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    buffer = io.BytesIO()
    Image.fromarray(FACE[::-1, ::-1]).save(buffer, "JPEG", quality=95, exif=exif)
    assert np.abs(decode(buffer.getvalue(), "img").astype(int) - FACE).mean() < 3


def test_grey_becomes_three_equal_channels() -> None:
    pixels = decode(GOOD_FILES["grey"], "img")
    assert np.array_equal(pixels[..., 0], pixels[..., 2])


@pytest.mark.parametrize(("data", "given"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_what_is_no_8_bit_jpeg_is_refused(data: bytes, given: str) -> None:
    with pytest.raises(DataError, match=given) as error:
        decode(data, "img_0007.jpg")
    assert "img_0007.jpg" in error.value.given


def test_a_frame_beyond_any_camera_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_crops, "LARGEST", 100)
    with pytest.raises(DataError, match="256x256 pixels"):
        decode(encoded(FACE), "img")


def test_the_detector_finds_a_photographed_face() -> None:
    from skimage.data import astronaut

    box = detect(astronaut())
    assert box is not None
    assert abs(box.left + box.side / 2 - 224) < 30 and abs(box.top + box.side / 2 - 110) < 40


@pytest.mark.parametrize("frame", [GREY, GREY[:40], GREY[:1], np.zeros((8, 900, 3), np.uint8)])
def test_no_face_is_none(frame: np.ndarray) -> None:
    assert detect(frame) is None and face_box([frame] * 3, 1.0) is None


@pytest.mark.parametrize("scale", [0.5, 1, 2, 3.5])
def test_the_box_scales_with_the_frame(scale: float) -> None:
    side = int(256 * scale)
    large = np.asarray(Image.fromarray(FACE).resize((side, side)))
    box, small = detect(large), detect(FACE)
    assert box is not None and small is not None
    assert box.side / scale == pytest.approx(small.side, rel=0.12)


def test_the_box_is_the_median_and_stays_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([Box(10, 10, 100), None, Box(12, 14, 104), Box(200, 0, 300), Box(11, 9, 98)])
    monkeypatch.setattr(face_crops, "detect", lambda _: next(found))
    assert face_box([GREY] * 5, 1.0) == Box(11, 12, 102)
    found = iter([Box(200, 200, 50)])
    assert face_box([GREY], 4.0) == Box(56, 56, 200)
    found = iter([Box(200, 200, 50)])
    assert face_box([GREY[:, :100]], 4.0) == Box(0, 156, 100)


@pytest.mark.parametrize(("seen", "kept"), [((1, 1, 1, 0, 0), True), ((1, 1, 0, 0, 0), False), ((0, 0, 0), False)])
def test_half_of_the_probes_must_show_a_face(
    seen: tuple[int, ...], kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([Box(50, 50, 100) if s else None for s in seen])
    monkeypatch.setattr(face_crops, "detect", lambda _: next(found))
    assert (face_box([GREY] * len(seen), 1.0) is not None) is kept


def test_the_crop_is_antialiased() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    small = crop(stripes, Box(0, 0, 256))
    assert small.shape == (64, 64, 3) and np.abs(small.astype(int) - 127).max() < 12


@pytest.mark.parametrize(
    ("name", "frames", "kept"),
    [("paper", 31, 16), ("paper", 30, 0), ("paper", 160, 80), ("halo-release", 75, 17), ("halo-release", 39, 0),
     ("mocogan", 64, 16), ("mocogan", 63, 0), ("twostreamvan", 61, 16), ("vdsm", 39, 20), ("vdsm", 38, 0),
     ("mocogan-chainer", 45, 21), ("mocogan-chainer", 44, 0), ("mocogan-chainer", 100, 45)],
)  # fmt: skip
def test_variants_keep_the_frames_they_say(name: str, frames: int, kept: int) -> None:
    assert len(variant(name).kept(frames)) == kept


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown face variant"):
        variant("papre")


GOOD = encoded(FACE)
TAKES = {
    "too short": (source([GOOD] * 30), "too short: 30 frames"),
    "one frame": (source([GOOD]), "too short: 1 frames"),
    "empty": (source([]), "too short: 0 frames"),
    "no face": (source([encoded(GREY)] * 31), "no face found"),
    "truncated frame": (source([GOOD] * 4 + [GOOD[:2000]] + [GOOD] * 30), "frame 4: damaged"),
    "empty frame": (source([GOOD] * 10 + [b""] + [GOOD] * 30), "frame 10: empty file"),
    "two sizes": (source([GOOD] * 10 + [encoded(FACE[:200])] + [GOOD] * 30), "different sizes"),
}


@pytest.mark.parametrize(("take", "reason"), TAKES.values(), ids=TAKES.keys())
def test_takes_left_out_say_why(take: Source, reason: str) -> None:
    pictures, line = crop_take(take, PAPER)
    assert pictures.shape == (0, 64, 64, 3) and line["frames"] == 0 and reason in line["reason"]


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), FileNotFoundError(2, "No such file")])
def test_a_take_that_may_come_back_is_not_left_out(error: OSError) -> None:
    def unreadable(numbers: Sequence[int]) -> Iterable[bytes]:
        raise error

    with pytest.raises(DataError, match=f"001/anger/take000 cannot be read: .*{error.strerror}") as caught:
        crop_take(Source("001/anger/take000", "001", "anger", 40, unreadable), PAPER)
    assert "goes on" in caught.value.next_step


def test_a_damaged_frame_that_is_not_kept_does_no_harm() -> None:
    pictures, line = crop_take(source([GOOD] * 3 + [b""] + [GOOD] * 30), PAPER)
    assert len(pictures) == 17 == line["frames"] and "reason" not in line


def test_a_good_take_carries_its_hashes() -> None:
    pictures, line = crop_take(source([GOOD] * 31), PAPER)
    assert pictures.shape == (16, 64, 64, 3) and pictures.dtype == np.uint8
    assert len(line["sha256"]) == len(line["source_sha256"]) == 64 and len(line["box"]) == 3
    left, top, side = line["box"]
    assert np.array_equal(pictures[0], crop(decode(GOOD, ""), Box(left, top, side)))
