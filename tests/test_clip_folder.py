"""One's own clips: what is read, how it is split, what is refused, and the line from a folder to GIFs."""

from __future__ import annotations

import os
import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_cli import call
from tiny import tiny_config

from hamrepro import clip_files, config, datasets, figures, presets
from hamrepro.animation import animate
from hamrepro.clip_files import read, read_all, sources, square
from hamrepro.clip_folder import ClipFolder, assign
from hamrepro.errors import CheckpointError, ConfigError, DataError, ShapeError
from hamrepro.models import build
from hamrepro.presets import configure
from hamrepro.randomness import generator
from hamrepro.shipping import load_run


def picture(shade, size=(64, 64), mode="RGB"):
    return Image.new("RGB", size, (shade, 255 - shade, 7 * shade % 256)).convert(mode)


def stills(folder, frames=8, size=(64, 64), suffix=".png", first=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(frames):
        picture(first + 3 * number, size).save(folder / f"{number}{suffix}")
    return folder


def animation(path, frames=8, size=(64, 64), first=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [picture(first + 9 * number, size) for number in range(frames)]
    made[0].save(path, save_all=True, append_images=made[1:], **options)
    return path


@pytest.fixture
def folder(tmp_path):
    """Two labels, ten clips each: folders of frames, and animations."""
    for number in range(10):
        stills(tmp_path / "shapes" / "turn" / f"take {number + 1}", 8 + number, first=number)
        animation(tmp_path / "shapes" / "walk" / f"{number}.gif", 10, (40, 32), first=10 * number)
    return tmp_path / "shapes"


# What is read


def test_protocol(folder):
    clips = ClipFolder(folder)
    assert (clips.name, clips.split, clips.frames, clips.cyclic, len(clips)) == ("own:shapes", "train", 8, False, 16)
    assert clips.classes == {"action": ("turn", "walk")} and clips.targets["action"].tolist() == [0] * 8 + [1] * 8
    assert clips.groups.tolist() == list(range(16)) and len(clips.sha256) == 64
    made = clips.clips(torch.tensor([0, 15]), torch.tensor([0, 2]))
    assert made.shape == (2, 8, 3, 64, 64) and made.dtype == torch.uint8 and made.is_contiguous()
    # lossless frames arrive as they are; numbers order frames and clips, not letters
    assert made[0, 3].flatten(1)[:, 0].tolist() == [9, 246, 63]
    assert [name for label, name in clips.keys if label == "turn"] == [f"take {n}" for n in (1, 2, 3, 4, 6, 7, 8, 9)]
    assert clips.lengths.tolist()[:4] == [8, 9, 10, 11]


def test_split_is_a_rule(folder):
    parts = {split: ClipFolder(folder, split).keys for split in ("train", "fit", "validation", "test")}
    assert [name for _, name in parts["test"]] == ["take 5", "take 10", "4.gif", "9.gif"]
    assert [name for _, name in parts["validation"]] == ["take 9", "8.gif"]
    assert sorted(parts["fit"] + parts["validation"]) == sorted(parts["train"])
    assert not set(parts["train"]) & set(parts["test"])
    assert assign([0, 1] * 5) == ["fit"] * 8 + ["test"] * 2
    assert len({ClipFolder(folder, split).sha256 for split in parts}) == 1


def test_identity_follows_pixels_names_and_windows_not_the_place(folder, tmp_path):
    known = ClipFolder(folder).sha256
    shutil.copytree(folder, tmp_path / "moved")
    assert ClipFolder(tmp_path / "moved").sha256 == known
    assert ClipFolder(folder, frames=4).sha256 != known
    (tmp_path / "moved" / "walk").rename(tmp_path / "moved" / "go")
    assert ClipFolder(tmp_path / "moved").sha256 != known
    picture(200).save(folder / "turn" / "take 1" / "0.png")
    assert ClipFolder(folder).sha256 != known


def test_windows_are_random_and_stay_inside(folder):
    clips = ClipFolder(folder)
    index = torch.tensor([0, 7] * 200)
    start = clips.starts(index, generator(0, "window"), "random")
    assert start[::2].unique().tolist() == [0] and start[1::2].unique().tolist() == list(range(16 - 8 + 1))
    assert torch.equal(start, clips.starts(index, generator(0, "window"), "random"))
    assert clips.starts(index, generator(0, "window"), "first").unique().tolist() == [0]
    clips.clips(index, start)
    whole = clips.clips(torch.tensor([7]), frames=16)
    assert torch.equal(clips.clips(torch.tensor([7]), torch.tensor([8]))[0], whole[0, 8:])


def test_short_clips_shorten_the_windows(folder):
    stills(folder / "turn" / "short", 2)
    assert ClipFolder(folder).frames == 2 and ClipFolder(folder, frames=2).frames == 2
    with pytest.raises(DataError, match="turn/short has 2"):
        ClipFolder(folder, frames=3)


def test_one_label_and_one_clip_are_enough(tmp_path):
    stills(tmp_path / "one" / "label" / "clip", 2)
    clips = ClipFolder(tmp_path / "one")
    assert (len(clips), clips.frames, clips.classes) == (1, 2, {"action": ("label",)})
    with pytest.raises(DataError, match=r"no clip of .* falls into 'test'"):
        ClipFolder(tmp_path / "one", "test")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    image = Image.new("RGB", (64, 64), "white")
    if mode == "I;16":
        image = Image.fromarray(np.full((64, 64), 65535, np.uint16))
    elif mode == "CMYK":
        image = Image.new("CMYK", (64, 64))
    else:
        image = image.convert(mode)
    image.save(path := tmp_path / ("0.jpg" if mode == "CMYK" else "0.png"))
    with Image.open(path) as stored:
        assert np.unique(square(stored)).tolist() == [255]
    if mode == "I;16":
        assert np.unique(square(Image.fromarray(np.full((64, 64), 32896, np.uint16)))).tolist() == [128]


def test_transparency_lies_over_black_and_edges_stay_clean():
    image = Image.new("RGBA", (200, 100), (255, 255, 255, 0))
    image.paste((0, 255, 0, 255), (50, 0, 100, 100))
    image.putpixel((120, 50), (255, 0, 0, 128))
    made = square(image)
    assert set(np.unique(made[:, :30].reshape(-1, 3), axis=0).flatten()) == {0, 255}
    assert made[:, 48:].max() == 0 and made[..., (0, 2)].max() < 128


@pytest.mark.parametrize("size", [(1, 1), (32, 32), (64, 64), (64, 90), (300, 64), (500, 257)])
def test_the_central_square_of_any_size(size):
    width, height = size
    image, edge = Image.new("RGB", size, "red"), min(size)
    left, top = (width - edge) // 2, (height - edge) // 2
    image.paste("blue", (left, top, left + edge, top + edge))
    assert (square(image) == (0, 0, 255)).all()


def test_small_pictures_keep_hard_edges():
    image = Image.fromarray((np.indices((16, 16)).sum(0) % 2 * 255).astype(np.uint8))
    made = square(image)
    assert np.array_equal(made[::4, ::4, 0], np.asarray(image)) and np.unique(made).tolist() == [0, 255]


def test_rotated_photographs_stand_upright(tmp_path):
    image = Image.new("RGB", (64, 64), "black")
    image.paste("white", (0, 0, 64, 32))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image.save(tmp_path / "0.png", exif=exif)
    with Image.open(tmp_path / "0.png") as stored:
        assert square(stored)[:32].max() == 0 and square(stored)[32:].min() == 255


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".apng", ".png"])
def test_animations(tmp_path, suffix):
    options = {"lossless": True} if suffix == ".webp" else {}
    path = animation(tmp_path / "a" / f"clip{suffix}", 5, **options)
    (source,) = sources(tmp_path)
    assert source == ("a", f"clip{suffix}", (path,))
    shades = read(source)[:, 0, 0]
    assert shades.shape == (5, 3) and abs(shades[:, 0].astype(int) - np.arange(5) * 9).max() <= 1


def test_a_picture_for_viewers_without_animation_is_no_frame(tmp_path):
    frames = [Image.new("RGB", (64, 64), (shade, 0, 0)) for shade in (200, 10, 20)]
    (tmp_path / "a").mkdir()
    frames[0].save(tmp_path / "a" / "clip.png", save_all=True, append_images=frames[1:], default_image=True)
    (source,) = sources(tmp_path)
    assert read(source)[:, 0, 0, 0].tolist() == [10, 20]


def test_names_of_any_script_in_one_spelling(tmp_path):
    for form in ("NFC", "NFD"):
        stills(tmp_path / form / unicodedata.normalize(form, "Läufer") / unicodedata.normalize(form, "früh 走る"), 2)
    one, other = ClipFolder(tmp_path / "NFC"), ClipFolder(tmp_path / "NFD")
    assert one.sha256 == other.sha256 and one.keys == other.keys == (("Läufer", "früh 走る"),)


def test_what_systems_leave_behind_does_not_count(folder):
    known = ClipFolder(folder).sha256
    (folder / "README.txt").write_text("mine")
    for place in (folder, folder / "walk", folder / "turn" / "take 1"):
        (place / ".DS_Store").write_bytes(b"\0")
        (place / "Thumbs.db").write_bytes(b"\0")
    (folder / ".git").mkdir()
    assert ClipFolder(folder).sha256 == known


def test_links_are_followed(folder, tmp_path):
    (tmp_path / "linked").mkdir()
    for label in ("turn", "walk"):
        (tmp_path / "linked" / label).symlink_to(folder / label)
    assert ClipFolder(tmp_path / "linked").sha256 == ClipFolder(folder).sha256


def test_frames_have_the_size_they_are_shown_in(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    for clip in "ab":
        (tmp_path / "walk" / clip).mkdir(parents=True)
        picture(1, (60, 40)).save(tmp_path / "walk" / clip / "0.jpg", exif=exif)
    picture(1, (40, 60)).save(tmp_path / "walk" / "a" / "1.jpg")
    picture(1, (60, 40)).save(tmp_path / "walk" / "b" / "1.jpg")
    alike, unlike = sources(tmp_path)
    assert read(alike).shape == (2, 64, 64, 3)
    with pytest.raises(DataError, match="frames of sizes"):
        read(unlike)


@pytest.mark.parametrize(
    ("index", "start", "frames"),
    [
        (torch.tensor([0.0]), None, 4), (torch.tensor([True]), None, 4), (torch.tensor([0]), torch.tensor([0.0]), 4),
        (torch.tensor([0]), None, 2.5), (torch.tensor([0]), torch.tensor([0, 0]), 4),
    ],
)  # fmt: skip
def test_numbers_that_are_not_whole_are_refused(folder, index, start, frames):
    with pytest.raises(ShapeError):
        ClipFolder(folder).clips(index, start, frames)


# What is refused


def emptied(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def replaced(name, content=b""):
    def act(folder):
        (folder / name).write_bytes(content)

    return act


def truncated(name, lost=40):
    def act(folder):
        (folder / name).write_bytes((folder / name).read_bytes()[:-lost])

    return act


FAULTS = {
    "no folder": (shutil.rmtree, "names no folder"),
    "a file": (lambda f: (shutil.rmtree(f), f.write_text("")), "names no folder"),
    "nothing in it": (emptied, "no label"),
    "only files in it": (lambda f: (emptied(f), stills(f)), "no label"),
    "only hidden folders in it": (lambda f: (emptied(f), stills(f / ".git" / "clip")), "no label"),
    "a label without clips": (lambda f: (f / "swim").mkdir(), "swim holds no clip"),
    "a label of hidden files": (lambda f: ((f / "swim").mkdir(), (f / "swim" / ".x.gif").touch()), "holds no clip"),
    "a clip of no frame": (lambda f: (f / "walk" / "none").mkdir(), "none holds no frame"),
    "a clip of one frame": (lambda f: stills(f / "walk" / "lone", 1), "lone holds one frame"),
    "an animation of one frame": (lambda f: animation(f / "walk" / "still.gif", 1), "still.gif holds one frame"),
    "frames without a folder of their own": (lambda f: picture(3).save(f / "walk" / "a.png"), "a.png holds one frame"),
    "a photograph beside clips": (lambda f: picture(3).save(f / "walk" / "a.jpg"), "a.jpg is none of .gif"),
    "a film": (replaced("walk/film.mp4", b"\0\0\0\x18ftypmp42"), "film.mp4 is none of"),
    "a text among frames": (replaced("turn/take 2/notes.txt", b"mine"), r"notes.txt is none of .png, .jpg"),
    "an animation among frames": (lambda f: animation(f / "turn" / "take 2" / "a.gif"), "a.gif is none of"),
    "a folder too deep": (lambda f: stills(f / "walk" / "deep" / "er"), "er is none of"),
    "a folder too high": (lambda f: [f.rename(f.parent / "x"), f.mkdir(), (f.parent / "x").rename(f / "x")], "none of"),
    "frames of two sizes": (lambda f: picture(1, (64, 65)).save(f / "turn" / "take 1" / "4.png"), "frames of sizes"),
    "two frames of one number": (lambda f: picture(1).save(f / "turn" / "take 1" / "04.png"), "frames of one number"),
    "one frame stored twice": (lambda f: picture(1).save(f / "turn" / "take 1" / "4.jpg"), "frames of one number"),
    "a frame before the first": (lambda f: picture(1).save(f / "turn" / "take 1" / "-1.png"), "a sign or a point"),
    "half a frame": (lambda f: picture(1).save(f / "turn" / "take 1" / "at 0.5.png"), "a sign or a point"),
    "a drawing called PNG": (
        replaced("turn/take 3/2.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EOF\n"),
        "cannot identify",
    ),
    "an empty frame": (replaced("turn/take 3/2.png"), "2.png cannot be read"),
    "a frame that is no picture": (replaced("turn/take 3/2.png", b"hello, world"), "2.png cannot be read"),
    "a truncated frame": (truncated("turn/take 3/2.png"), "2.png cannot be read"),
    "a frame cut to its signature": (replaced("turn/take 3/2.png", b"\x89PNG\r\n\x1a\n"), "2.png cannot be read"),
    "an empty animation": (replaced("walk/3.gif"), "3.gif cannot be read"),
    "an animation that breaks off": (truncated("walk/3.gif"), "3.gif cannot be read"),
    "an animation without its end": (truncated("walk/3.gif", 1), "3.gif cannot be read"),
    "an animation cut to its header": (replaced("walk/3.gif", b"GIF89a\x40\0\x40\0\0\0\0"), "3.gif cannot be read"),
    "a web page called GIF": (replaced("walk/3.gif", b"<!doctype html><title>404</title>"), "3.gif cannot be read"),
    "a link to itself": (lambda f: (f / "walk" / "loop").symlink_to(f / "walk" / "loop"), "loop"),
    "two links to each other": (
        lambda f: ((f / "walk" / "a").symlink_to(f / "walk" / "b"), (f / "walk" / "b").symlink_to(f / "walk" / "a")),
        "and 1 more",
    ),
    "a label that is its folder": (lambda f: (f / "swim").symlink_to(f), "links to a folder above it"),
    "a clip that is its label": (lambda f: (f / "walk" / "again").symlink_to(f / "walk"), "links to a folder above"),
    "a link to nothing": (lambda f: (f / "walk" / "gone.gif").symlink_to(f / "nothing.gif"), "No such file"),
    "one name in two spellings": (
        lambda f: [stills(f / unicodedata.normalize(form, "Läufer") / "a") for form in ("NFC", "NFD")],
        "2 entries named",
    ),
    "a name that is no text": (lambda f: stills(Path(os.fsdecode(os.fsencode(f) + b"/\xff\xfe")) / "a"), "no text"),
    "several faults": (lambda f: [stills(f / "walk" / str(n), 1) for n in range(20, 23)], r"\(and 2 more\)"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
def test_refused(folder, kind):
    act, message = FAULTS[kind]
    act(folder)
    with pytest.raises(DataError, match=message) as caught:
        ClipFolder(folder)
    assert caught.value.expected and str(caught.value).encode() and len(str(caught.value)) < 600


def test_a_picture_too_large_for_memory(folder, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DataError, match=r"cannot be read: .*decompression bomb.*and 19 more"):
        ClipFolder(folder)


def test_a_folder_one_may_not_list(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match="cannot be listed: Permission denied"):
        ClipFolder(folder)


def test_the_layout_is_refused_before_a_picture_is_opened(folder, monkeypatch):
    stills(folder / "walk" / "lone", 1)
    monkeypatch.setattr(clip_files, "read", lambda source: pytest.fail("opened"))
    with pytest.raises(DataError, match="lone"):
        read_all(folder)


@pytest.mark.parametrize("name", ["own:", "own:nowhere", "own:\0", "own:~nobody-of-this-name/x", "own:\udcff"])
def test_names_of_no_folder(name):
    for function in (datasets.actions, lambda name: datasets.load(name, "train")):
        with pytest.raises(DataError, match="names no folder"):
            function(name)


def test_wrong_questions(folder):
    clips = ClipFolder(folder)
    with pytest.raises(ConfigError, match="unknown split 'dev'"):
        ClipFolder(folder, "dev")
    with pytest.raises(ConfigError, match="unknown windows 'cyclic'"):
        clips.starts(torch.tensor([0]), generator(0, "window"), "cyclic")
    for frames in (0, 1, 9):
        with pytest.raises(DataError, match=f"windows of {frames} frames"):
            ClipFolder(folder, frames=frames)
    one = torch.tensor([0])
    for wrong in ((torch.tensor([16]),), (one - 1,), (one[None],), (one, one + 1), (one, one - 1), (one, None, 9)):
        with pytest.raises(ShapeError):
            clips.clips(*wrong)


# From a folder to GIFs


@pytest.mark.parametrize("given", ["shapes", "./shapes/", "../{}/shapes", "/somewhere/shapes"])
def test_the_run_is_called_after_the_folder(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = configure("laptop", f"own:{given.format(tmp_path.name)}", "halo-sp", 5)
    assert settings.dataset == "own:shapes" and settings.network.actions == 5
    assert (settings.training.windows, settings.network.contrast) == ("random", 1.0)
    assert config.RunConfig.from_dict(settings.as_dict()) == settings


def test_the_second_picture_of_a_photo_is_no_frame(folder):
    place = folder / "turn" / "take 1"
    for path in place.iterdir():
        path.unlink()
    for number in range(9):
        hidden = [Image.new("RGB", (16, 16), "white")]
        picture(3 * number).save(place / f"{number}.jpg", format="MPO", save_all=True, append_images=hidden)
    assert Image.open(place / "0.jpg").format == "MPO"
    source = next(one for one in sources(folder) if one.name == "take 1")
    assert read(source).shape == (9, 64, 64, 3)


def test_an_animation_among_stills_is_refused(folder):
    animation(folder / "turn" / "take 1" / "3.png", 4)
    source = next(one for one in sources(folder) if one.name == "take 1")
    with pytest.raises(DataError, match="an animation among stills"):
        read(source)


@pytest.mark.parametrize("count", [None, 0, -1, 2.0])
def test_settings_need_the_number_of_labels(count):
    with pytest.raises(ConfigError, match="data set of tables" if count is None else "actions"):
        configure("smoke", "own:shapes", "halo-sp", count)


def test_check_reads_everything(folder, monkeypatch, capsys):
    assert call(monkeypatch, "data", "check", f"own:{folder}") == 0
    assert ClipFolder(folder).sha256 in capsys.readouterr().out
    replaced("walk/3.gif")(folder)
    assert call(monkeypatch, "data", "check", f"own:{folder}") == 2


def test_from_a_folder_to_animations(folder, tmp_path, monkeypatch, capsys):
    sizes = tiny_config(steps=2)
    own = config.RunConfig("smoke", "own:shapes", "halo-u", sizes.network, sizes.training)
    own = replace(own, network=replace(own.network, actions=2))
    own = replace(own, training=replace(own.training, windows="random"))
    monkeypatch.setattr(presets, "configure", lambda *names: own if names[3] == 2 else pytest.fail(str(names)))
    words = ("--preset", "smoke", "--dataset", f"own:{folder}", "--model", "halo-u", "--runs", tmp_path / "runs")
    assert call(monkeypatch, "animate", *words) == 2
    assert "expected: a finished run" in capsys.readouterr().err
    assert call(monkeypatch, "train", *words) == 0 and call(monkeypatch, "animate", *words) == 0
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()[1:]]
    assert [path.name for path in paths] == ["swap.gif", "operators.gif"]
    for path, columns in zip(paths, (4, 2), strict=True):
        assert path.parent == tmp_path / "runs" / "smoke" / "own:shapes" / "halo-u" / "seed0" / "animations"
        with Image.open(path) as image:
            assert image.format == "GIF" and image.size == (2 * (65 * columns + 1), 2 * (65 * 4 + 1))
    assert call(monkeypatch, "animate", *words, "--split", "fit", "--out", tmp_path / "mine") == 0
    assert len(list((tmp_path / "mine").iterdir())) == 2
    replaced("walk/3.gif", (folder / "walk" / "2.gif").read_bytes())(folder)
    with pytest.raises(CheckpointError, match="was trained on data"):
        load_run(own, 0, tmp_path / "runs", ClipFolder(folder))
    assert call(monkeypatch, "train", *words) == 2


def test_a_model_without_encoder_is_not_animated(folder, tmp_path):
    network = build(configure("smoke", f"own:{folder}", "mocogan", 2), 0)
    with pytest.raises(ConfigError, match="MoCoGAN has no encoder"):
        animate(network, ClipFolder(folder), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_critics_of_whole_clips_refuse_short_ones(folder):
    network = build(configure("smoke", f"own:{folder}", "mocogan", 2), 0)
    with pytest.raises(ShapeError, match="clips of 4 frames"):
        network.loss(torch.zeros(2, 4, 3, 64, 64), torch.tensor([0, 1]), lambda stream: generator(0, stream))


def test_clips_are_chosen_by_rule_where_a_label_has_none(folder):
    shutil.rmtree(folder / "turn")
    stills(folder / "turn" / "only")
    assert figures.chosen(ClipFolder(folder, "test"), 3).tolist() == [0, 1, 0]
