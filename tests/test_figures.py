"""Figures: clips by rule, every row what its caption says, and a picture in the chapter whatever is at hand."""

from __future__ import annotations

from io import BytesIO

import pytest
import torch
from coded_clips import CodedClips, Perfect, read
from PIL import Image
from test_faces import MANIFEST, STORE
from tiny import tiny_config

from hamrepro import figures
from hamrepro.datasets import load
from hamrepro.errors import CheckpointError, ConfigError, DataError, ShapeError
from hamrepro.faces import Faces
from hamrepro.models import build
from hamrepro.presets import configure
from hamrepro.strips import grouped, loop, moving, png, still, strip

FACES = Faces(MANIFEST | {"dataset": "faces-procedural"}, STORE, "test")


class Model(Perfect):
    def generate(self, clips, action, frames, *, conditioning="clip", skip=0):
        return self._long(self._moved(clips, action), frames)


@pytest.fixture
def clips():
    return CodedClips()


def seen(rows, factor):
    """What every row shows of a factor."""
    return [int(read(2 * row[None] - 1, factor)) for row in rows]


def test_clips_are_chosen_by_rule_with_actions_by_turns(clips):
    first = figures.chosen(clips, 6)
    assert clips.targets["action"][first].tolist() == [0, 1, 2, 0, 1, 2]
    assert torch.equal(first, figures.chosen(clips, 6))
    assert not set(first.tolist()) & set(figures.chosen(clips, 6, page=1).tolist())


def test_swapping_shows_both_ways(clips):
    index = figures.chosen(clips, 4)
    rows, action, hair = figures.swapping(Model(), clips, index), *(clips.targets[k][index] for k in ("action", "hair"))
    assert seen(rows, "action") == action[[0, 1, 1, 0, 2, 3, 3, 2]].tolist()
    assert seen(rows, "hair") == hair[[0, 1, 0, 1, 2, 3, 2, 3]].tolist()


@pytest.mark.parametrize(("label", "kinds"), [("action", 3), ("action_view", 9)])
def test_one_image_under_every_operator(clips, label, kinds):
    index = figures.chosen(clips, 3)
    rows = figures.image_to_sequence(Model(label), clips, index)
    assert len(rows) == 3 * kinds and rows[0].shape == (16, 3, 64, 64)
    action = [k if kinds == 3 else k // 3 for k in range(kinds)]
    assert seen(rows, "action") == 3 * action
    assert seen(rows, "tops") == clips.targets["tops"][index].repeat_interleave(kinds).tolist()


def test_three_images_a_line_at_every_third_frame(clips):
    index = figures.chosen(clips, 6)
    rows = figures.every_third(Model(), clips, index)
    assert len(rows) == 6 and rows[0].shape == (12, 3, 64, 64)
    for column in range(3):
        shown = [row[4 * column : 4 * column + 4] for row in rows]
        assert seen(shown, "action") == [0, 1, 2, 0, 1, 2]
        of_line = clips.targets["pants"][index].view(2, 3)[:, column]
        assert seen(shown, "pants") == of_line.repeat_interleave(3).tolist()


def test_the_rows_of_the_protocols(clips):
    index = figures.chosen(clips, 2)
    rows = figures.under_protocols(Model(), clips, index)
    (of_i, of_j), hair = clips.targets["action"][index], clips.targets["hair"][index]
    asked = (of_j + 1) % 3
    assert seen(rows, "action") == [of_i, of_j, of_i, asked, of_i, of_i, asked]
    assert [seen(rows, "hair")[n] for n in (0, 1, 2, 3, 5)] == [*hair, hair[0], hair[1], hair[1]]


def test_unconditional_takes_the_actions_by_turns(clips):
    assert seen(figures.unconditional(Model(), clips, torch.zeros(5)), "action") == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("name", [n for n in figures.PLANS if n not in ("figure-2", "figure-6", "figure-4-fitted")])
def test_groups_fill_their_rows(name, clips):
    rows, group = figures.draw(name, Model(), clips)
    gaps = (len(rows) - 1) // group
    folded = len(rows) <= 9 and len(rows[0]) == 16
    picture = grouped(rows, group)
    assert picture.width == 1 + 65 * len(rows[0]) // (2 if folded else 1)
    assert picture.height == (66 * 2 * len(rows) + 12 * gaps + 3 if folded else 66 * len(rows) + 3 * gaps)
    columns = Image.open(BytesIO(moving(rows, group))).width // 65
    assert columns in (6, group) and not len(rows) % columns


def test_a_fitted_prior_draws_other_clips():
    model, test = build(tiny_config(), 0).eval(), load("sprites-procedural", "test")
    index = figures.chosen(test, 6)
    own, fitted = (figures.draw(f"figure-4-{name}", model, test)[0] for name in ("prior", "fitted"))
    assert len(own) == len(fitted) == len(index) and own[0].shape == fitted[0].shape == (16, 3, 64, 64)
    assert not torch.equal(own[0], fitted[0])
    with pytest.raises(ConfigError, match="fitted prior of Mocogan"):
        figures.draw("figure-4-fitted", build(tiny_config(model="mocogan"), 0).eval(), test)


def test_a_strip_of_unlike_rows_is_refused():
    with pytest.raises(ShapeError, match="rows of shapes"):
        strip([torch.zeros(2, 3, 4, 4), torch.zeros(3, 3, 4, 4)])


def test_long_rows_go_on_below_their_group():
    rows = [torch.full((16, 3, 4, 4), n / 4) for n in range(1, 5)]
    for row in rows:
        row[8:] /= 2
    picture = grouped(rows, 2).convert("L")
    lines = [1, 2, 0.5, 1, 3, 4, 1.5, 2]  # quarters of white: first halves of a group, second halves, the next group
    at = [1, 7, 16, 22, 37, 43, 52, 58]  # 6 pixels a line, 3 more between halves, 9 between groups
    assert picture.width == 41 and [picture.getpixel((2, y + 1)) for y in at] == [round(q * 63.75) for q in lines]


def test_a_strip_is_enlarged_unless_it_is_long():
    rows = [torch.zeros(8, 3, 4, 4)] * 20
    widths = [Image.open(BytesIO(still(part, 4, "by whom"))).width for part in (rows[:18], rows)]
    assert widths == [3 * 41, 41]


def test_pictures_are_enlarged_without_blur_and_carry_their_credit():
    rows = [torch.rand(2, 3, 4, 4).round()]
    small, large = (Image.open(BytesIO(png(strip(rows), "by whom", scale=k))) for k in (1, 3))
    assert large.text["Copyright"] == "by whom" and large.width == 3 * small.width
    assert large.convert("RGB").resize(small.size, Image.Resampling.NEAREST).tobytes() == small.convert("RGB").tobytes()
    assert Image.open(BytesIO(loop(2 * rows, scale=2))).size == (22, 12)


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """What a chapter displays: (kind, bytes or text)."""
    import IPython.display as notebook

    found = []
    monkeypatch.setattr(notebook, "display", lambda *parts: found.extend(getattr(p, "data", None) for p in parts))
    monkeypatch.setattr(figures, "FOLDER", tmp_path)
    return found


def picture(dataset):
    if dataset == "sprites":
        raise DataError("no sheets", "LPC sheets", "make data")
    return strip([torch.zeros(2, 3, 4, 4)])


def test_drawn_live_or_committed_with_its_credit_or_a_reason(shown, tmp_path):
    (tmp_path / "a-sprites.png").write_bytes(png(strip([torch.ones(1, 3, 4, 4)]), "kept"))
    figures.exhibit("a", picture, ("sprites", "sprites-procedural"))
    kept, credit, drawn, stand_in = shown
    assert Image.open(BytesIO(kept)).text["Copyright"] == "kept" and "Liberated Pixel Cup" in credit
    assert Image.open(BytesIO(drawn)).width == 11 and "stand-in" in stand_in
    shown.clear()
    figures.exhibit("a", picture, ("sprites",), committed=False)
    assert shown == ["*Sprites: not run: no sheets.*"]


def test_only_the_real_sprites_are_kept(shown, tmp_path):
    figures.exhibit("a", lambda dataset: strip([torch.zeros(2, 3, 4, 4)]), ("sprites", "sprites-procedural"), keep=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a-sprites.png"]


@pytest.mark.parametrize("kind", ["png", "gif"])
def test_shipped_weights_are_shown_live_but_never_those_of_another_run(shown, tmp_path, clips, monkeypatch, kind):
    monkeypatch.setattr(figures, "load_shipped", lambda *names: (Model(), {}))
    monkeypatch.setattr(figures, "load", lambda *names: clips)
    figures.show("figure-3", "laptop", "halo-sp", 0, ("sprites-procedural",), kind)
    assert Image.open(BytesIO(shown[0])).width == (3 * (8 * 65 + 1) if kind == "png" else 4 * 65 + 1)

    def absent(*names):
        raise CheckpointError("no weights x", "weights")

    shown.clear()
    monkeypatch.setattr(figures, "load_shipped", absent)
    (tmp_path / f"figure-3-sprites.{kind}").write_bytes(b"the rendering")
    figures.show("figure-3", *figures.RENDERED, ("sprites",), kind)
    figures.show("figure-3", "laptop", "halo-sp", 1, ("sprites",), kind)
    assert shown[0] == b"the rendering" and shown[2:] == ["*Sprites: not run: no weights x.*"]


def test_render_writes_strips_and_loops_of_what_is_at_hand(tmp_path, clips, monkeypatch, capsys):
    def weights(preset, dataset, *names):
        if dataset != "sprites":
            raise CheckpointError(f"no weights {dataset}")
        return Model(), {}

    monkeypatch.setattr(figures, "FOLDER", tmp_path)
    monkeypatch.setattr(figures, "load_shipped", weights)
    monkeypatch.setattr(figures, "load", lambda *names: clips)
    made = figures.render(("figure-4", "figure-9"))
    assert [path.name for path in made] == ["figure-4-sprites.png", "figure-4-sprites.gif", "figure-9-sprites.png"]
    assert "skipped faces-procedural: no weights faces-procedural" in capsys.readouterr().out


def test_faces_have_the_figures_of_the_paper():
    network = build(configure("smoke", "faces-procedural", "halo-sp"), 0).eval()
    names = ("figure-2", "figure-4", "figure-4-prior", "figure-9")
    drawn = {name: figures.draw(name, network, FACES) for name in names}
    sizes = {name: (len(rows), group) for name, (rows, group) in drawn.items()}
    assert sizes == {"figure-2": (9, 3), "figure-4": (12, 6), "figure-4-prior": (6, 6), "figure-9": (16, 4)}
    truth = drawn["figure-2"][0][0]
    assert torch.equal(truth, FACES.clips(figures.chosen(FACES, 1), frames=16)[0] / 255), "sixteen frames, no repeats"


def test_generation_shows_truth_reconstruction_and_generation():
    model, clips = build(configure("smoke", "faces-procedural", "halo-sp"), 0).eval(), FACES
    rows = figures.generation(model, clips, figures.chosen(clips, 2), frames=6)
    assert len(rows) == 6 and {row.shape for row in rows} == {(6, 3, 64, 64)}
    assert not torch.equal(rows[1], rows[2]), "read from the middle, and from frame 1"
