"""The two long verbs."""

import json

import pandas as pd
import pytest
from tiny import TinyClips, tiny_config

from hamrepro import judging, records, reproduce, shipping
from hamrepro.errors import DataError, MissingDataError
from hamrepro.judges import judge_path
from hamrepro.presets import PRESETS, configure


@pytest.mark.parametrize(("seed", "drawn", "compared"), [(0, True, True), (0, False, False), (1, True, False)])
def test_reproduce_compares_faces_only_where_they_are_drawn(seed, drawn, compared, monkeypatch, capsys):
    monkeypatch.setattr(reproduce, "drawn", lambda: drawn)
    assert reproduce._in_minutes(("laptop", "faces-procedural", "halo-u", seed)) is compared
    assert ("data check faces-procedural" in capsys.readouterr().out) is not drawn
    assert reproduce._in_minutes(("laptop", "sprites", "halo-u", seed)) is (seed == 0)


@pytest.mark.parametrize(
    ("last", "compared", "good"),
    [(5.0, [True], True), (5.0, [], False), (5.0, [True, False], False), (7.0, [True], False)],
)
def test_reproduce_is_good_where_the_bound_rose_and_something_was_the_same(monkeypatch, tmp_path, last, compared, good):
    """The bound, not the loss, whose KL terms weigh more at the end."""

    def trained(config, seed, clips, folder):
        rows = [{"loss": 4.0 + n, "kl_position": 1.0, "kl_momentum": 1.0, "kl_content": kl, "reconstruction": -1.0}
                for n, kl in enumerate((3.0, last - 3))]  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "stats.jsonl").write_text("\n".join(map(json.dumps, rows)))
        return None, True

    monkeypatch.setattr(reproduce, "train", trained)
    monkeypatch.setattr(reproduce, "compare_all", lambda **options: [("r", "m", 1.0, 1.0, same) for same in compared])
    assert reproduce.reproduce(tmp_path) is good


@pytest.fixture
def retrained(monkeypatch, tmp_path):
    """`retrain` of two tiny models and one whose data are not at hand; what was judged, and by the judges of where."""
    judged = []

    def judge(*names, weights, judges=records.WEIGHTS, **options):
        assert records.weights_path(*names, weights).exists()
        judged.append((*names[2:], judges))
        found = records.read(*names, tmp_path / "smoke" / "results")
        return found | {"metrics": {"accuracy/A/3way": {"value": 1.0, "ci95": [1.0, 1.0], "n": 6}}}

    def clips(dataset, split):
        if dataset == "sprites":
            raise MissingDataError("no sheets", "LPC sheets", "make data")
        return TinyClips()

    kinds = (
        ("sprites", ("halo-sp",), (0,)),
        ("sprites-procedural", ("halo-u", "halo-sp+long", "halo-u+second-cycle"), (0, 1)),
    )
    monkeypatch.setattr(reproduce, "EXPERIMENTS", kinds)
    monkeypatch.setattr(judging, "judge_shipped", judge)
    monkeypatch.setattr(judging, "judge_path", lambda dataset, weights: judge_path("sprites"))
    for module in (reproduce, judging, shipping):
        monkeypatch.setattr(module, "load", clips)
    for module in (reproduce, judging, shipping):
        monkeypatch.setattr(module, "configure", lambda preset, dataset, model: tiny_config(model=model))
    return lambda **options: reproduce.retrain("smoke", tmp_path, **options), judged, tmp_path / "smoke"


def test_retrain_leaves_weights_and_both_tables_and_does_nothing_twice(retrained, capsys):
    retrain, judged, place = retrained
    assert retrain()
    said = capsys.readouterr().out
    assert (
        "[1 of 3] smoke sprites halo-sp seed 0\n   not run: no sheets" in said
        and "+long" not in said
        and "+second" not in said
    )
    assert judged == [("halo-u", seed, records.WEIGHTS) for seed in (0, 1)], "by the shipped judges"
    names = ("smoke", "sprites-procedural", "halo-u", 1)
    scores = records.read(*names, place / "results")["metrics"]
    assert {"accuracy/A/3way", "ssim/clip/1-8"} <= set(scores)
    assert not records.faults(place / "results")
    written = {path: path.stat().st_mtime_ns for path in place.rglob("*seed*") if path.is_file()}
    assert retrain() and len(judged) == 2
    assert written == {path: path.stat().st_mtime_ns for path in written}


def test_retrain_ends_where_data_are_damaged(retrained, monkeypatch):
    def damaged(*names):
        raise DataError("HAMREPRO_LPC=/nowhere is not a folder", "a folder")

    monkeypatch.setattr(reproduce, "load", damaged)
    with pytest.raises(DataError, match="nowhere"):
        retrained[0]()


def test_retrain_judges_what_was_only_evaluated(retrained, monkeypatch):
    retrain, judged, place = retrained
    with monkeypatch.context() as without:
        without.setattr(judging, "judge_path", lambda dataset, weights: place / "no judge")
        assert retrain() and not judged
    assert retrain() and len(judged) == 2


def test_retrain_stops_where_a_training_does(retrained, monkeypatch):
    retrain, judged, place = retrained
    with monkeypatch.context() as short:
        short.setattr(judging, "train_all_cycles", lambda *words, stop_after, **more: (None, stop_after > 1))
        assert not retrain(stop_after=0.5) and not judged and not (place / "results").exists()
    assert retrain() and len(judged) == 2


@pytest.mark.parametrize("preset", PRESETS)
def test_every_run_of_every_table_has_its_settings(preset, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(reproduce, "load", lambda *names: None)
    monkeypatch.setattr(reproduce, "table_1", lambda *names, **places: pd.DataFrame())
    monkeypatch.setattr(reproduce, "recompute", lambda *names, **options: asked.append(configure(*names[:3])) or True)
    assert reproduce.retrain(preset, tmp_path)
    assert len(asked) == {"laptop": 55, "fast": 46}.get(preset, 24)
