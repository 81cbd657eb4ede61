"""Data sets by name: the Protocol, the dispatch, the pinned hashes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from test_faces import MANIFEST, STORE

from hamrepro import datasets
from hamrepro.datasets import NAMES, PINS, check, digests, load, pins
from hamrepro.errors import ConfigError, DataError
from hamrepro.faces import Faces
from hamrepro.sprites import LABELS, Sprites

LPC = os.environ.get("HAMREPRO_LPC")
needs_sheets = pytest.mark.skipif(not LPC, reason="HAMREPRO_LPC, the folder of the LPC sheets, is not set")


@pytest.mark.parametrize("name", [pytest.param("sprites", marks=needs_sheets), "sprites-procedural"])
def test_sprites_obey_the_protocol(name: str):
    clip_set = load(name, "validation")
    assert (clip_set.name, clip_set.split, clip_set.frames, clip_set.cyclic) == (name, "validation", 8, True)
    assert len(clip_set) == 900 == len(clip_set.groups) and len(clip_set.sha256) == 64
    assert set(clip_set.targets) == set(clip_set.classes) == {
        "action", "view", "action_view", "skin", "pants", "tops", "hair",
    }  # fmt: skip
    clips = clip_set.clips(torch.tensor([0, 899]), torch.tensor([0, 5]), 16)
    assert clips.shape == (2, 16, 3, 64, 64) and clips.dtype == torch.uint8 and clips.any()
    assert clip_set.starts(torch.arange(4), torch.Generator(), "first").tolist() == [0] * 4


@pytest.mark.parametrize("name", [pytest.param("sprites", marks=needs_sheets), "sprites-procedural"])
def test_every_value_of_every_attribute_shows(name: str):
    clip_set = load(name, "train")
    assert isinstance(clip_set, Sprites)
    for weight in (216, 36, 6, 1):
        clips = clip_set.compose(torch.arange(6) * weight, torch.zeros(6, dtype=torch.int64))
        assert len({clip.numpy().tobytes() for clip in clips}) == 6


def test_faces_are_loaded_by_their_own_module(monkeypatch: pytest.MonkeyPatch):
    def loaded(name: str, split: str) -> Faces:
        return Faces(MANIFEST | {"dataset": name}, STORE, split)

    monkeypatch.setattr("hamrepro.faces.load_faces", loaded)
    assert load("mug", "fit").split == "fit"
    found = digests("faces-procedural")
    assert list(found) == ["frames", "fit", "validation", "test"] and len(set(found.values())) == 4
    assert found["frames"] == MANIFEST["sha256"]


@pytest.mark.parametrize("name", ["", "Sprites", "kth", "sprites "])
def test_unknown_names(name: str):
    with pytest.raises(ConfigError, match=", ".join(NAMES)):
        load(name, "train")


@pytest.mark.parametrize("name", [pytest.param("sprites", marks=needs_sheets), "sprites-procedural"])
def test_unknown_splits(name: str):
    with pytest.raises(ConfigError, match="unknown split 'dev'"):
        load(name, "dev")


def test_loading_checks_the_sheets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HAMREPRO_LPC", str(tmp_path))
    with pytest.raises(DataError, match=r"light\.png: No such file.*and 25 more"):
        load("sprites", "test")


@needs_sheets
def test_loading_checks_the_sheets_every_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from hamrepro.sheets import NEEDED

    root = tmp_path / "Blätter, ein Ordner"
    for path in NEEDED:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes((Path(LPC or "") / path).read_bytes())
    monkeypatch.setenv("HAMREPRO_LPC", str(root))
    assert load("sprites", "test").sha256 == pins("sprites")["layers and split"]
    (root / NEEDED[3]).write_bytes((root / NEEDED[4]).read_bytes())
    with pytest.raises(DataError, match=r"darkelf2\.png: another picture"):
        load("sprites", "test")


# Hashes


def test_pins_name_every_block():
    known = json.loads(PINS.read_text(encoding="utf-8"))
    assert set(known) <= set(NAMES) - {"mug"}
    for name in set(known) & {"sprites", "sprites-procedural"}:
        assert list(known[name]) == ["layers and split", *LABELS]
    for name in set(known) & {"faces-procedural"}:
        assert list(known[name]) == ["frames", "fit", "validation", "test"]
    assert pins("sprites") and pins("mug") == {}


@needs_sheets
def test_real_sprites_are_the_expected_bytes():
    blocks = check("sprites")
    assert len(blocks) == 10 and [block for block in blocks if not block.ok] == []


def test_procedural_identity_is_pinned():
    assert load("sprites-procedural", "train").sha256 == pins("sprites-procedural")["layers and split"]


def test_check_tells_right_from_wrong_missing_and_unknown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(datasets, "digests", lambda name: {"a": "1", "b": "2", "c": "3"})
    monkeypatch.setattr(datasets, "pins", lambda name: {"a": "1", "b": "9", "d": "4"})
    rows = {row.block: (row.sha256, row.expected, row.ok) for row in check("sprites")}
    assert rows == {"a": ("1", "1", True), "b": ("2", "9", False), "c": ("3", "", False), "d": ("", "4", False)}
    monkeypatch.setattr(datasets, "pins", lambda name: {})
    assert not any(row.ok for row in check("faces-procedural")) and all(row.ok for row in check("mug"))


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe", b"[]", b'{"sprites": 3}', b'{"sprites": {"a": 3}}'])
def test_damaged_pins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None):
    monkeypatch.setattr(datasets, "PINS", tmp_path / "pins.json")
    if content is not None:
        (tmp_path / "pins.json").write_bytes(content)
    with pytest.raises(DataError, match=r"pins\.json"):
        pins("sprites")
