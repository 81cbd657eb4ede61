"""Sprites: the composition rule against Pillow, the split, the clips, and the real sheets where they are at hand."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hamrepro.errors import ConfigError, ShapeError
from hamrepro.layers import BACK_ROWS, COLUMNS, ROWS, blend, cells, character, composite, pack, translucent, unpack
from hamrepro.randomness import generator
from hamrepro.sheets import ATTRIBUTES, SHEETS, SHOES
from hamrepro.sprites import (
    CHARACTERS,
    SPLITS,
    VALUE_NAMES,
    Sprites,
    attributes_of,
    characters_of,
    load_sprites,
)

LPC = os.environ.get("HAMREPRO_LPC")
needs_sheets = pytest.mark.skipif(not LPC, reason="HAMREPRO_LPC, the folder of the LPC sheets, is not set")


def pillow(layers: np.ndarray) -> np.ndarray:
    """RGBA (L, H, W, 4) over opaque black by Pillow: RGB (H, W, 3)."""
    image = Image.new("RGBA", layers.shape[2:0:-1], (0, 0, 0, 255))
    for layer in layers:
        image = Image.alpha_composite(image, Image.fromarray(layer))
    return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    """Layers of noise, two of them (15 and 24) with translucent pixels."""
    layers = np.random.default_rng(0).integers(0, 256, (25, 72, 64, 64, 4), np.uint8)
    layers[..., 3] = np.where(layers[..., 3] > 99, 255, 0)
    for layer in (15, 24):
        layers[layer, :, :8, :8, 3] = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    return layers


@pytest.fixture(scope="module")
def sprites(drawn: np.ndarray) -> Sprites:
    return Sprites(pack(drawn), "test", "noise")


@pytest.fixture(scope="module")
def real() -> Sprites:
    return load_sprites("sprites", "test")


# Composition


def test_blend_is_pillow_for_every_colour_and_alpha():
    above, below = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    under = np.stack([below, below[::-1], below.T, np.full_like(below, 255)], -1)
    for alpha in range(256):
        over = np.stack([above, above.T, above[::-1], np.full_like(above, alpha)], -1)
        expected = Image.alpha_composite(Image.fromarray(under), Image.fromarray(over))
        assert torch.equal(blend(pack(under), pack(over)), pack(np.asarray(expected))), alpha


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from(["any", "binary", "extreme"]))
@settings(max_examples=60)
def test_composite_is_pillow(seed: int, count: int, alphas: str):
    layers = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 4), np.uint8)
    if alphas != "any":
        values = np.array([0, 255] if alphas == "binary" else [0, 1, 127, 128, 254, 255], np.uint8)
        layers[..., 3] = values[layers[..., 3] % len(values)]
    packed = composite([pack(layer).view(1, -1) for layer in layers])
    assert np.array_equal(unpack(packed.view(8, 8)).movedim(0, -1).numpy(), pillow(layers))


def test_rows_declared_opaque_are_not_blended():
    above = pack(np.array([[[9, 9, 9, 100]]], np.uint8)).view(1, 1)
    assert composite([above], torch.tensor([[False]])).item() == composite([torch.zeros_like(above)]).item()
    assert composite([above], torch.tensor([[True]])).item() != composite([torch.zeros_like(above)]).item()


def test_pack_and_unpack_are_inverse_and_alpha_is_the_sign():
    pixels = np.random.default_rng(1).integers(0, 256, (3, 5, 4), np.uint8)
    packed = pack(pixels)
    assert np.array_equal(unpack(packed).movedim(0, -1).numpy(), pixels[..., :3])
    assert np.array_equal((packed < 0).numpy(), pixels[..., 3] >= 128)
    assert np.array_equal(translucent(packed).numpy(), (pixels[..., 3] > 0) & (pixels[..., 3] < 255))


def test_pack_leaves_a_read_only_array_alone():
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels.setflags(write=False)
    pack(pixels)[:] = 1
    assert not pixels.any()


@pytest.mark.parametrize(
    "layers", [np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 4), np.float32), np.zeros(4, np.int8)]
)
def test_pack_refuses(layers: np.ndarray):
    with pytest.raises(ShapeError, match="uint8 RGBA"):
        pack(layers)


def test_cells_are_rows_and_columns_of_the_sheet():
    sheet = np.arange(21 * 13, dtype=np.uint16).reshape(21, 13).repeat(64, 0).repeat(64, 1)[..., None].repeat(4, -1)
    corner = cells(sheet)[:, 0, 0, 0].reshape(9, 8)
    assert corner[0].tolist() == [130 + c for c in (8, 1, 2, 3, 4, 5, 6, 7)]
    for action, name in enumerate(("walk", "spellcast", "slash")):
        for view in range(3):
            assert corner[3 * action + view].tolist() == [13 * ROWS[name][view] + c for c in COLUMNS[name]]
    assert cells(sheet, BACK_ROWS)[::8, 0, 0, 0].tolist() == [8 * 13 + 8, 0, 12 * 13]


# Split and numbering


def test_split_is_the_published_one():
    lines = ["position,id,skin,pants,tops,hair,split"]
    for split, offset in (("train", 0), ("test", 1000)):
        ids = characters_of(split)
        for position, (number, values) in enumerate(
            zip(ids.tolist(), attributes_of(ids).tolist(), strict=True), offset
        ):
            lines.append(f"{position},{number},{','.join(map(str, values))},{split}")
    text = "\n".join(lines) + "\n"
    assert sha256(text.encode()).hexdigest() == "563d608ff75a08466911cd742d25923b748f56c4d9497f1653a37efa300a6e7c"


def test_splits_share_no_character_but_train_is_fit_and_validation():
    sets = {split: set(characters_of(split).tolist()) for split in SPLITS}
    assert sets["fit"] | sets["validation"] == sets["train"] and not sets["fit"] & sets["validation"]
    assert not sets["train"] & sets["test"] and sets["train"] | sets["test"] == set(range(CHARACTERS))
    assert {split: len(ids) for split, ids in sets.items()} == {
        "train": 1000, "fit": 900, "validation": 100, "test": 296,
    }  # fmt: skip


def test_ids_and_attributes_are_inverse():
    values = attributes_of(torch.arange(CHARACTERS))
    assert torch.equal(values @ torch.tensor([216, 36, 6, 1]), torch.arange(CHARACTERS))
    assert values.min() == 0 and values.max() == 5


def test_numbering_of_clips(sprites: Sprites):
    assert len(sprites) == 9 * 296
    characters = characters_of("test")
    for label in range(9):
        span = slice(296 * label, 296 * (label + 1))
        assert torch.equal(sprites.groups[span], characters)
        assert (sprites.targets["action"][span] == label // 3).all()
        assert (sprites.targets["view"][span] == label % 3).all()
        assert (sprites.targets["action_view"][span] == label).all()
    for column, attribute in enumerate(ATTRIBUTES):
        assert torch.equal(sprites.targets[attribute], attributes_of(sprites.groups)[:, column])
    for name, target in sprites.targets.items():
        assert target.dtype == torch.int64 and target.shape == (len(sprites),)
        assert target.unique().tolist() == list(range(len(sprites.classes[name])))
    assert list(VALUE_NAMES) == list(ATTRIBUTES)


# Clips


def reference(drawn: np.ndarray, character: int, label: int, times: list[int]) -> np.ndarray:
    skin, pants, tops, hair = attributes_of(torch.tensor([character]))[0].tolist()
    layers = drawn[[skin, 6 + pants, 12 + tops, 18 + hair, 24]]
    return np.stack([pillow(layers[:, 8 * label + time % 8]) for time in times])


@given(st.lists(st.integers(0, 2663), min_size=1, max_size=3), st.integers(0, 20), st.integers(1, 18))
@settings(max_examples=25)
def test_clips_are_pillow_and_wrap(drawn: np.ndarray, sprites: Sprites, index: list[int], start: int, frames: int):
    numbers = torch.tensor(index)
    clips = sprites.clips(numbers, torch.full_like(numbers, start), frames)
    assert clips.shape == (len(index), frames, 3, 64, 64) and clips.dtype == torch.uint8 and clips.is_contiguous()
    for clip, number in zip(clips, index, strict=True):
        label = int(sprites.targets["action_view"][number])
        expected = reference(drawn, int(sprites.groups[number]), label, list(range(start, start + frames)))
        assert np.array_equal(clip.movedim(1, -1).numpy(), expected)


def test_clips_do_not_depend_on_the_batch(sprites: Sprites):
    index = torch.randint(0, len(sprites), (9,), generator=generator(0, "order"))
    start = torch.arange(9) % 8
    together = sprites.clips(index, start)
    alone = torch.cat([sprites.clips(index[i : i + 1], start[i : i + 1]) for i in range(9)])
    assert torch.equal(together, alone)
    assert torch.equal(sprites.clips(index, frames=16)[:, 8:], sprites.clips(index))
    assert sprites.clips(index[:0]).shape == (0, 8, 3, 64, 64)


def test_clips_of_another_device(sprites: Sprites):
    moved = sprites.to("meta")
    assert moved.layers.is_meta and not sprites.layers.is_meta and moved.groups is sprites.groups


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_clips_on_a_gpu(sprites: Sprites):
    index = torch.randint(0, len(sprites), (50,), generator=generator(0, "order"))
    assert torch.equal(sprites.to("cuda").clips(index.cuda()).cpu(), sprites.clips(index))


@pytest.mark.parametrize(
    ("index", "start", "frames"),
    [
        ([-1], None, None), ([2664], None, None), ([0, 9999], None, 8), ([0], None, 0), ([0], None, -3),
        ([0], [-1], None), ([0], [0, 1], None), ([[0]], None, None),
    ],
)  # fmt: skip
def test_clips_refuse(sprites: Sprites, index: list, start: list | None, frames: int | None):
    with pytest.raises(ShapeError, match="expected"):
        sprites.clips(torch.tensor(index), None if start is None else torch.tensor(start), frames)


def test_identity_follows_pixels_not_the_split(drawn: np.ndarray, sprites: Sprites):
    assert Sprites(pack(drawn), "train").sha256 == sprites.sha256
    changed = pack(drawn.copy())
    changed[24, 71, 63, 63] ^= 1
    assert Sprites(changed, "test").sha256 != sprites.sha256


def test_wrong_layers_and_splits_are_refused(sprites: Sprites):
    with pytest.raises(ShapeError, match="packed int32"):
        Sprites(sprites.layers[:24], "test")
    with pytest.raises(ShapeError, match="int64"):
        Sprites(sprites.layers.long(), "test")
    with pytest.raises(ConfigError, match="train, fit, validation, test"):
        Sprites(sprites.layers, "dev")
    with pytest.raises(ConfigError, match="mug"):
        load_sprites("mug", "test")


# Windows


def test_starts(sprites: Sprites):
    index = torch.zeros(14_000, dtype=torch.int64)
    assert not sprites.starts(index, generator(0, "window"), "first").any()
    counts = sprites.starts(index, generator(0, "window"), "cyclic").bincount(minlength=8)
    assert len(counts) == 8 and abs(counts[0] - 7000) < 300 and (counts[1:] - 1000).abs().max() < 150
    counts = sprites.starts(index, generator(0, "window"), "random").bincount(minlength=8)
    assert len(counts) == 8 and (counts - 1750).abs().max() < 200
    again = [sprites.starts(index, generator(3, "window", 5), "cyclic") for _ in range(2)]
    assert torch.equal(*again)
    with pytest.raises(ConfigError, match="first, cyclic or random"):
        sprites.starts(index, generator(0, "window"), "last")


# The real sheets


@needs_sheets
def test_only_plate_armour_is_translucent(real: Sprites):
    assert real.blended.nonzero().flatten().tolist() == [6 + 6 + 3]
    assert int(translucent(real.layers).sum()) == 128


@needs_sheets
def test_real_clips(real: Sprites):
    index = torch.arange(0, len(real), 111)
    clips = real.clips(index)
    lit = (clips > 0).any(2).flatten(2).sum(2)
    assert int(lit.min()) >= 775 and int(lit.max()) <= 1190
    spellcast = real.targets["action"][index] == 1
    assert torch.equal(clips[spellcast, 6], clips[spellcast, 4])
    slash = real.targets["action"][index] == 2
    assert torch.equal(clips[slash, 7], clips[slash, 0]) and torch.equal(clips[slash, 6], clips[slash, 4])


@needs_sheets
def test_characters_of_other_sheets(real: Sprites):
    root, number = Path(LPC or ""), 777
    sheets = [SHEETS[a][v] for a, v in zip(ATTRIBUTES, attributes_of(torch.tensor([number]))[0].tolist(), strict=True)]
    known = real.compose(torch.full((9,), number), torch.arange(9))
    assert torch.equal(character(root, [*sheets, SHOES]), known)
    orc = character(root, [("body/male/orc.png",), *sheets[1:], SHOES])
    assert orc.shape == known.shape and not torch.equal(orc, known)
    back = character(root, [*sheets, SHOES], BACK_ROWS)
    assert (
        back.shape == (3, 8, 3, 64, 64)
        and not (back[:, None] == known.view(3, 3, 8, 3, 64, 64)).flatten(2).all(2).any()
    )


@pytest.mark.parametrize(("character", "label"), [(1296, 0), (-1, 0), (0, 9), (0, -1), (0.5, 0), (0, 0.5)])
def test_no_other_character_or_view_is_drawn_for_one_there_is_not(character, label):
    clip_set = load_sprites("sprites-procedural", "test")
    with pytest.raises(ShapeError, match="int64"):
        clip_set.compose(torch.tensor([character]), torch.tensor([label]))


@pytest.mark.parametrize("index", [torch.tensor([0.0]), torch.tensor([0], dtype=torch.uint8), torch.tensor([True])])
def test_clips_are_numbered_by_whole_numbers(index):
    with pytest.raises(ShapeError):
        load_sprites("sprites-procedural", "test").clips(index)
