"""Figures: rows under each other, clips chosen by rule, every figure of a data set from its weights."""

from __future__ import annotations

from io import BytesIO

import pytest
import torch
from PIL import Image
from test_faces import MANIFEST, STORE

from hamrepro import checkpoint, figures, records
from hamrepro.config import configure
from hamrepro.errors import DataError, ShapeError
from hamrepro.faces import Faces
from hamrepro.models import build

FACES = Faces(MANIFEST | {"dataset": "faces-procedural"}, STORE, "test")
OF_FACES = {"figure-2": 9, "figure-4": 12, "figure-4-prior": 6, "figure-6": 18, "figure-7": 18, "figure-8": 18,
            "figure-9": 16}  # fmt: skip


@pytest.fixture
def weights(tmp_path):
    """A folder with weights of preset `smoke` on the stand-in for MUG, as a training leaves them at step 0."""
    config = configure("smoke", "faces-procedural", "halo-sp")
    network = build(config, 0)
    card = {"config": config.as_dict(), "seed": 0}
    path = records.weights_path("smoke", "faces-procedural", "halo-sp", 0, tmp_path)
    checkpoint.save_weights(path, checkpoint.tensors(network), card)
    return tmp_path


def test_every_figure_of_faces_is_drawn_from_its_weights(weights, monkeypatch, capsys):
    monkeypatch.setattr(figures, "load", lambda name, split: FACES)
    made = figures.render("smoke", weights=weights, folder=weights / "figures")
    assert [path.name for path in made] == [
        f"{name}-faces-procedural.{kind}" for name in OF_FACES for kind in ("png", "gif")
    ]
    assert "skipped sprites: no weights" in capsys.readouterr().out
    for path in made:
        with Image.open(path) as picture:
            assert picture.width > 64 * 4
            if path.suffix == ".png":
                assert "stand-in for MUG" in picture.text["Copyright"]
                assert picture.width == 16 * 65 + 1 or path.stem.startswith("figure-9")
            else:
                assert picture.n_frames in (8, 16)


def test_faces_have_the_figures_of_the_paper(weights):
    network = figures.load_shipped("smoke", "faces-procedural", "halo-sp", 0, weights=weights)[0]
    drawn = figures.draw(network, FACES)
    assert {name: len(rows) for name, (rows, _) in drawn.items()} == OF_FACES
    assert {name: list(options["gaps"]) for name, (_, options) in drawn.items()} == {
        "figure-2": [2, 5], "figure-4": [5], "figure-4-prior": [], "figure-6": [2, 5, 8, 11, 14],
        "figure-7": [5, 11], "figure-8": [5, 11], "figure-9": [3, 7, 11],
    }  # fmt: skip
    truth = drawn["figure-2"][0][0]
    assert torch.equal(truth, FACES.clips(figures.chosen(FACES, 1), frames=16)[0] / 255), "sixteen frames, no repeats"


def test_what_is_not_at_hand_is_skipped(weights, monkeypatch, capsys):
    def absent(name, split):
        raise DataError("no cache", "a cache")

    monkeypatch.setattr(figures, "load", absent)
    assert figures.render("smoke", weights=weights, folder=weights / "figures") == []
    assert "skipped faces-procedural: no cache" in capsys.readouterr().out
    assert not (weights / "figures").exists()


def test_clips_are_chosen_by_turns_of_the_action():
    chosen = figures.chosen(FACES, 6)
    assert FACES.targets["action"][chosen].tolist() == [0, 1, 2, 3, 4, 5]
    assert torch.equal(chosen, figures.chosen(FACES, 6))


def test_rows_are_stacked_with_gaps():
    rows = [torch.full((4, 3, 8, 8), value) for value in (0.0, 0.5, 1.0)]
    assert figures.strip(rows).size == (4 * 9 + 1, 3 * 10)
    assert figures.strip(rows, gaps=[0]).size == (4 * 9 + 1, 3 * 10 + 3)
    with pytest.raises(ShapeError, match="rows of shapes"):
        figures.strip([rows[0], rows[1][:3]])
    with pytest.raises(ShapeError):
        figures.strip([])


def test_loops_move():
    rows = [torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(n)) for n in range(3)]
    with Image.open(BytesIO(figures.loop(rows, columns=2, scale=3))) as picture:
        assert picture.n_frames == 5 and picture.size == (3 * 19, 3 * 19) and picture.info["loop"] == 0
