"""Faces as clips: splits, windows, and the two data sets by name."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from face_takes import photographed
from hypothesis import given
from hypothesis import strategies as st

from hamrepro import face_sources
from hamrepro.errors import ConfigError, DataError, HamreproError, ShapeError
from hamrepro.face_sources import drawn_sources, prepare
from hamrepro.face_splits import assign
from hamrepro.faces import Faces, load_faces
from hamrepro.facs.expressions import EXPRESSIONS
from hamrepro.facs.tree import write_tree
from hamrepro.randomness import generator

PEOPLE = [f"{n:03d}" for n in range(1, 53)]
FULL = [(s, e, f"{s}/{e}/take{t:03d}") for s, e, t in product(PEOPLE, EXPRESSIONS, range(3))]


def test_take_split_is_three_quarters_to_one_quarter() -> None:
    parts = assign(FULL, "take")
    assert Counter(parts) == {"fit": 624, "validation": 78, "test": 234}
    test = Counter(e for (_, e, _), part in zip(FULL, parts, strict=True) if part == "test")
    assert set(test.values()) == {39}
    fit = {take[:2] for take, part in zip(FULL, parts, strict=True) if part == "fit"}
    assert len(fit) == 52 * 6, "every person and expression is seen in training"


def test_subject_split_is_36_to_16_and_shares_nobody() -> None:
    parts = assign(FULL, "subject")
    people = {p: {s for (s, _, _), part in zip(FULL, parts, strict=True) if part == p} for p in set(parts)}
    assert {p: len(names) for p, names in people.items()} == {"fit": 32, "validation": 4, "test": 16}
    assert not people["test"] & (people["fit"] | people["validation"])


takes_of_a_folder = st.lists(
    st.tuples(st.sampled_from(PEOPLE[:6]), st.sampled_from(EXPRESSIONS), st.integers(0, 9)), min_size=1, unique=True
)


@given(takes_of_a_folder, st.randoms(use_true_random=False))
def test_splits_of_any_folder(takes: list[tuple[str, str, int]], chance: object) -> None:
    full = [(s, e, f"{s}/{e}/take{t:03d}") for s, e, t in takes]
    parts = dict(zip(full, assign(full), strict=True))
    shuffled = full.copy()
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert dict(zip(shuffled, assign(shuffled), strict=True)) == parts, "the order of the listing does not matter"
    strata = Counter(take[:2] for take in full)
    for stratum, count in strata.items():
        inside = [parts[take] for take in full if take[:2] == stratum]
        assert "fit" in inside
        assert abs(inside.count("test") - count / 4) < 1


@pytest.mark.parametrize("partition", ["sequence", "", "Take"])
def test_unknown_partitions_are_refused(partition: str) -> None:
    with pytest.raises(ConfigError, match="partition"):
        assign(FULL, partition)


def stand_in() -> tuple[dict, np.ndarray]:
    """A manifest of 4 people, 6 expressions, 3 takes over frames that hold their own row number."""
    takes, at = [], 0
    for number, (s, e, key) in enumerate(t for t in FULL if t[0] in PEOPLE[:4]):
        takes.append({"key": key, "subject": s, "expression": e, "frames": 16 + number % 7, "offset": at})
        at += 16 + number % 7
    frames = np.zeros((at, 64, 64, 3), np.uint8)
    frames[:, 0, 0, 0], frames[:, 0, 1, 1], frames[:, 1, 0, 2] = np.arange(at) % 256, np.arange(at) // 256, 7
    return {"dataset": "mug", "sha256": "f" * 64, "takes": takes, "left_out": [], "skipped": []}, frames


MANIFEST, STORE = stand_in()


def rows(clips: torch.Tensor) -> torch.Tensor:
    return clips[:, :, 0, 0, 0].long() + 256 * clips[:, :, 1, 0, 1].long()


@pytest.mark.parametrize("split", ["train", "fit", "validation", "test"])
def test_clips_are_windows_of_their_takes(split: str) -> None:
    data = Faces(MANIFEST, STORE, split)
    by_key = {take["key"]: take for take in MANIFEST["takes"]}
    index = torch.arange(len(data))
    clips = data.clips(index, frames=16)
    assert clips.dtype == torch.uint8 and clips.shape == (len(data), 16, 3, 64, 64)
    offsets = torch.tensor([by_key[key]["offset"] for key in data.keys])
    assert torch.equal(rows(clips), offsets[:, None] + torch.arange(16))
    for position, key in enumerate(data.keys):
        assert data.classes["identity"][data.targets["identity"][position]] == by_key[key]["subject"]
        assert data.classes["action"][data.targets["action"][position]] == by_key[key]["expression"]
    assert torch.equal(data.groups, data.targets["identity"]) and data.groups.dtype == torch.int64
    assert (data.frames, data.cyclic, data.name, data.split) == (8, False, "mug", split)


def test_splits_share_no_take_and_fit_and_validation_make_train() -> None:
    for partition in ("take", "subject"):
        keys = {s: set(Faces(MANIFEST, STORE, s, partition).keys) for s in ("train", "fit", "validation", "test")
                if not (partition == "subject" and s == "validation")}  # fmt: skip
        assert not keys["train"] & keys["test"] and keys["train"] | keys["test"] == {t[2] for t in FULL[:72]}
        if partition == "take":
            assert keys["fit"] | keys["validation"] == keys["train"] and not keys["fit"] & keys["validation"]


def test_training_windows_are_a_function_of_the_generator() -> None:
    data = Faces(MANIFEST, STORE, "train")
    index = torch.arange(len(data)).repeat(40)
    starts = data.starts(index, generator(0, "window", 5), "random")
    assert torch.equal(starts, data.starts(index, generator(0, "window", 5), "random"))
    assert not torch.equal(starts, data.starts(index, generator(0, "window", 6), "random"))
    assert int(starts.min()) == 0 and bool((starts + 8 <= data.lengths[index]).all())
    assert bool((starts + 8 == data.lengths[index]).any()), "the last window is drawn too"
    longer = data.starts(index, generator(0, "window", 5), "random", 16)
    assert bool((longer + 16 <= data.lengths[index]).all()) and bool((longer + 16 == data.lengths[index]).any())
    clips = data.clips(index[:9], starts[:9])
    assert torch.equal(rows(clips)[:, 0] - rows(data.clips(index[:9]))[:, 0], starts[:9])
    assert not data.starts(index, generator(0, "window", 5), "first").any()


def test_the_centred_window_lies_in_the_middle() -> None:
    first, centre = (Faces(MANIFEST, STORE, "test", window=w) for w in ("first", "centre"))
    index = torch.arange(len(first))
    ahead = rows(centre.clips(index, frames=16))[:, 0] - rows(first.clips(index, frames=16))[:, 0]
    assert torch.equal(ahead, (first.lengths - 16) // 2)


@pytest.mark.parametrize(
    ("index", "start", "frames"),
    [([999], None, 8), ([-1], None, 8), ([[0]], None, 8), ([0], [99], 8), ([0], [-1], 8), ([0], None, 99),
     ([0], None, 0), ([0, 1], [0], 8), ([0], [10], 16)],
)  # fmt: skip
def test_windows_outside_a_clip_are_refused(index: list, start: list | None, frames: int) -> None:
    with pytest.raises(ShapeError):
        Faces(MANIFEST, STORE, "test").clips(
            torch.tensor(index), None if start is None else torch.tensor(start), frames
        )


@pytest.mark.parametrize(
    "call",
    [
        lambda: Faces(MANIFEST, STORE, "valid"),
        lambda: Faces(MANIFEST, STORE, "test", "person"),
        lambda: Faces(MANIFEST, STORE, "test", window="last"),
        lambda: Faces(MANIFEST, STORE, "test").starts(torch.arange(2), generator(0, "window"), "cyclic"),
        lambda: load_faces("faces", "test"),
        lambda: load_faces("mug", "tests"),
        lambda: load_faces("mug", "test", partition="takes"),
        lambda: load_faces("mug", "test", way="officiel"),
        lambda: prepare("sprites"),
    ],
)
def test_unknown_names_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        call()


def test_a_split_without_takes_is_refused() -> None:
    few = MANIFEST | {"takes": MANIFEST["takes"][:1]}
    with pytest.raises(DataError, match="falls into 'test'"):
        Faces(few, STORE, "test")


def test_mug_without_its_variable_names_the_licence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HAMREPRO_MUG", raising=False)
    with pytest.raises(DataError, match="HAMREPRO_MUG") as error:
        load_faces("mug", "test")
    assert isinstance(error.value, HamreproError) and "licence" in error.value.next_step


def test_loading_the_licensed_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMREPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HAMREPRO_MUG", str(photographed(tmp_path / "mug")))
    (tmp_path / "mug/subjects3/001/anger/take001").mkdir()
    began = time.monotonic()
    data = load_faces("mug", "train", progress=False)
    built = time.monotonic() - began
    assert data.skipped == (("001/anger/take001", "0 JPEG frames, a take needs 2 or more"),)
    assert data.name == "mug" and len(data) == 4 and data.clips(torch.tensor([0, 3])).shape == (2, 8, 3, 64, 64)
    began = time.monotonic()
    assert load_faces("mug", "train", progress=False).sha256 == data.sha256
    assert time.monotonic() - began < built


def test_loading_drawn_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMREPRO_CACHE", str(tmp_path))
    monkeypatch.setattr(
        face_sources,
        "drawn_sources",
        lambda people, seed: [s for s in drawn_sources(people, seed) if s.length < 52][:3],
    )
    data = load_faces("faces-procedural", "train", subjects=(3,), progress=False)
    assert data.name == "faces-procedural" and len(data) >= 1 and not data.skipped
    assert (tmp_path / "faces").is_dir()
    with pytest.raises(DataError, match="subject"):
        load_faces("faces-procedural", "train", subjects=(3, 53), progress=False)


def test_the_tree_goes_through_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hamrepro.facs import tree as trees

    monkeypatch.setattr(trees, "EXPRESSIONS", ("anger",))
    root = write_tree(tmp_path / "tree", (1,), takes=1, progress=False)
    monkeypatch.setenv("HAMREPRO_CACHE", str(tmp_path / "cache"))
    data = load_faces("mug", "train", root=root, progress=False)
    assert data.keys == ("001/anger/take000",) and int(data.lengths[0]) >= 25
