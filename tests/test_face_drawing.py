"""Drawn people: deterministic, distinct, expressive, found by the detector, laid out as MUG."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hamrepro.errors import DataError
from hamrepro.face_crops import detect
from hamrepro.facs import tree as trees
from hamrepro.facs.canvas import blob, curve, grid, halve, over, profile, smoothstep, stroke, texture
from hamrepro.facs.expressions import EXPRESSIONS, PROTOTYPES, UNITS, perform, take_frames
from hamrepro.facs.identities import SUBJECTS, identity
from hamrepro.facs.renderer import jpeg, render_frames, renderer
from hamrepro.facs.tree import MARK, take_path, write_tree
from hamrepro.mug import check
from hamrepro.randomness import generator


def apex(subject: int, expression: str, take: int = 0) -> int:
    """Frame where the expression is strongest and the eyes are open."""
    performance = perform(subject, expression, take)
    return int(np.argmax(performance.units.sum(axis=1) - 3 * performance.blink))


def drawn(subject: int, expression: str, t: int, take: int = 0) -> np.ndarray:
    return next(render_frames(subject, expression, take, [t]))


def test_a_frame_does_not_depend_on_its_neighbours() -> None:
    together = list(render_frames(1, "fear", 1, [0, 4, 9]))
    assert together[0].shape == (256, 256, 3) and together[0].dtype == np.uint8
    renderer.cache_clear()
    for t, frame in zip((9, 0, 4), (together[2], together[0], together[1]), strict=True):
        assert np.array_equal(drawn(1, "fear", t, take=1), frame)


def test_the_number_of_threads_changes_no_pixel() -> None:
    one = drawn(1, "surprise", 15)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert np.array_equal(drawn(1, "surprise", 15), one)
    finally:
        torch.set_num_threads(threads)


def test_seeds_draw_other_people() -> None:
    assert identity(1, seed=0) != identity(1, seed=1)
    assert not np.array_equal(perform(1, "anger", 0, seed=0).pose, perform(1, "anger", 0, seed=1).pose)


@pytest.mark.parametrize("subject", [0, -1, 53])
def test_unknown_people_are_refused(subject: int) -> None:
    with pytest.raises(DataError, match="subject"):
        identity(subject)


@pytest.mark.parametrize("expression", ["neutral", "Anger", "", "contempt"])
def test_unknown_expressions_are_refused(expression: str) -> None:
    with pytest.raises(DataError, match="expression"):
        perform(1, expression, 0)


def test_no_two_people_share_all_plain_factors() -> None:
    people = [identity(s) for s in range(1, SUBJECTS + 1)]
    plain = {(p.skin, p.hair, p.hairstyle, p.glasses, p.beard > 0, p.shirt, p.iris) for p in people}
    assert len(plain) == SUBJECTS
    assert {p.hairstyle for p in people} >= {"short", "bald", "long", "curly", "bun"}
    assert 8 <= sum(p.glasses for p in people) <= 26 and 4 <= sum(p.beard > 0 for p in people) <= 16
    for p in people:
        assert sum(v * v for v in p.light) == pytest.approx(1) and p.light[1] < 0 < p.light[2]


def test_people_look_different_and_takes_of_one_alike() -> None:
    def picture(subject: int, take: int) -> np.ndarray:
        return drawn(subject, "happiness", 0, take).astype(np.float64) / 255

    first, second = [picture(s, 0) for s in (1, 2, 5)], [picture(s, 1) for s in (1, 2, 5)]
    distance = np.array([[np.mean((a - b) ** 2) for b in second] for a in first])
    assert (distance.argmin(axis=1) == np.arange(3)).all()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_prototypes_use_known_units_within_bounds(expression: str) -> None:
    for prototype in PROTOTYPES[expression]:
        assert set(prototype) <= set(UNITS)
        assert all(0 < strength <= 1 for strength in prototype.values())


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_takes_rise_from_neutral_and_return(expression: str) -> None:
    for subject, take in ((1, 0), (17, 1), (52, 2)):
        p = perform(subject, expression, take)
        assert len(p) == take_frames(subject, expression, take) and 50 <= len(p) <= 160
        total = p.units.sum(axis=1)
        assert total[0] < 0.1 * total.max() and total[-1] < 0.1 * total.max()
        assert total[:31].max() > 0.9 * total.max(), "the apex lies inside the evaluation window"
        assert p.units.min() >= 0 and p.units.max() <= 1.25
        assert p.blink.max() == 1 and (p.blink == 0).mean() > 0.5
        assert np.abs(np.diff(p.pose, axis=0)).max() < 0.03, "head motion is mild"


def test_takes_are_as_long_as_said() -> None:
    lengths = [take_frames(s, e, t) for s in range(1, SUBJECTS + 1) for e in EXPRESSIONS for t in range(3)]
    assert min(lengths) == 50 and 150 <= max(lengths) <= 160 and 75 <= np.mean(lengths) <= 85


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_face_moves_and_the_wall_does_not(expression: str) -> None:
    rest, shown = (drawn(5, expression, t).astype(int) for t in (0, apex(5, expression)))
    change = np.abs(shown - rest).mean(axis=2)
    assert change[80:200, 70:190].mean() > 3
    assert change[:30, :30].max() == 0


@pytest.mark.parametrize("subject", [1, 4, 8, 16, 38, 51])
def test_the_detector_finds_drawn_faces(subject: int) -> None:
    for expression in ("disgust", "surprise"):
        box = detect(drawn(subject, expression, apex(subject, expression)))
        assert box is not None and 90 < box.side < 190
        assert abs(box.left + box.side / 2 - 128) < 30 and abs(box.top + box.side / 2 - 130) < 35


def test_jpeg_is_what_the_tree_holds() -> None:
    frame = drawn(1, "anger", 0)
    data = jpeg(frame)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG" and image.size == (256, 256)
        assert np.abs(np.asarray(image).astype(int) - frame).mean() < 4
    assert data == jpeg(frame)


@pytest.fixture
def short_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tree's takes cut to three frames."""

    def first_three(subject: int, expression: str, take: int, seed: int = 0) -> object:
        return render_frames(subject, expression, take, range(3), seed)

    monkeypatch.setattr(trees, "render_frames", first_three)


def contents(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.mark.usefixtures("short_takes")
def test_the_tree_reads_as_mug_and_comes_out_the_same_twice(tmp_path: Path) -> None:
    first, second = (write_tree(tmp_path / name, (2, 3), takes=3, progress=False) for name in "ab")
    assert contents(first) == contents(second)
    report = check(first)
    assert report.subjects == ("002", "003") and len(report.takes) == 36 and report.ok
    assert any("neutral" in skip.path for skip in report.skipped)
    assert {t.session for t in report.takes} == {"session0", "session1"}
    assert "not photographs" in (first / MARK).read_text()


@pytest.mark.usefixtures("short_takes")
def test_an_interrupted_tree_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = contents(write_tree(tmp_path / "whole", (1,), takes=1, progress=False))
    count = 0

    def dying(frame: np.ndarray) -> bytes:
        nonlocal count
        count += 1
        if count == 8:
            raise KeyboardInterrupt
        return jpeg(frame)

    monkeypatch.setattr(trees, "jpeg", dying)
    with pytest.raises(KeyboardInterrupt):
        write_tree(tmp_path / "part", (1,), takes=1, progress=False)
    assert len(check(tmp_path / "part").takes) == 2, "the third take was not finished and does not show"
    write_tree(tmp_path / "part", (1,), takes=1, progress=False)
    assert contents(tmp_path / "part") == whole


@pytest.mark.parametrize("subjects", [(), (0,), (53,), (1, 99)])
def test_a_tree_of_unknown_people_is_refused(tmp_path: Path, subjects: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="subjects"):
        write_tree(tmp_path / "tree", subjects)
    assert not (tmp_path / "tree").exists()


def test_a_licensed_folder_is_never_written_to(tmp_path: Path) -> None:
    (tmp_path / "subjects3/001/anger/take000").mkdir(parents=True)
    with pytest.raises(DataError, match="did not write"):
        write_tree(tmp_path, (1,))
    with pytest.raises(DataError, match="did not write"):
        write_tree(tmp_path / "subjects3", (1,))
    assert [p.name for p in tmp_path.rglob("*")] == ["subjects3", "001", "anger", "take000"]


def test_a_file_is_no_place_for_a_tree(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="cannot write"):
        write_tree(tmp_path / "file", (1,))


def test_paths_of_people_with_and_without_sessions() -> None:
    assert str(take_path(1, "anger", 2)) == "subjects3/001/anger/take002"
    assert str(take_path(2, "fear", 2)) == "subjects3/002/session1/fear/take002"


def test_soft_shapes() -> None:
    x, y = grid(64)
    assert x.shape == (64, 64) and x[0, 0] == pytest.approx(-1.26) and y[-1, 0] == pytest.approx(1.26)
    assert blob(x, y, (0.02, 0.02), (0.1, 0.1)).max() == pytest.approx(1)
    line = stroke(x, y, [(-0.5, 0.02), (0.5, 0.02)], 0.02)
    assert line.max() > 0.9 and line[:20].max() < 1e-6
    assert profile(np.array([-9.0, 0.5, 9.0]), [(0.0, 1.0), (1.0, 3.0)]).tolist() == [1.0, 2.0, 3.0]
    assert curve([(0, 0), (1, 1)], 3)[1] == pytest.approx((0.5, 0.5))
    assert smoothstep(np.array([-1.0, 0.5, 2.0])).tolist() == [0.0, 0.5, 1.0]
    assert over(np.zeros((3, 2, 2)), (1.0, 0.5, 0.0), np.full((2, 2), 0.5))[1, 0, 0] == 0.25
    assert halve(np.arange(4.0).reshape(1, 2, 2)).item() == 1.5
    noise = texture(64, 2, generator(0, "faces"))
    assert abs(noise.mean()) < 1e-5 and noise.std() == pytest.approx(1, abs=1e-4)
