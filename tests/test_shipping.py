"""From a finished run to shipped weights to a record, and back: the same numbers, or a refusal that says why."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from sandbox import own_folders
from saved import cut_short
from test_records import result
from tiny import TinyClips, run_tiny, tiny_config

from hamrepro import checkpoint, curves, provenance, records, reevaluation, shipping
from hamrepro.errors import CheckpointError, ConfigError, DataError, MissingDataError, NonFiniteError, RecordError
from hamrepro.train import run_folder

CONFIG = tiny_config(steps=2)
NAMES = (CONFIG.preset, CONFIG.dataset, CONFIG.model, 0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of two steps."""
    runs = tmp_path_factory.mktemp("runs")
    assert run_tiny(run_folder(runs, CONFIG, 0), CONFIG)
    return runs


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setattr(shipping, "configure", lambda *names: CONFIG)
    monkeypatch.setattr(shipping, "load", lambda name, split: TinyClips())


@pytest.fixture
def weights(finished, tmp_path):
    shipping.ship(*NAMES, finished, tmp_path / "weights")
    return tmp_path / "weights"


@pytest.fixture
def path(weights):
    return records.weights_path(*NAMES, weights)


def load(weights, names=NAMES):
    return shipping.load_shipped(*names, weights=weights)


def refuse(weights, match, names=NAMES, error=CheckpointError):
    with pytest.raises(error, match=match) as caught:
        load(weights, names)
    assert caught.value.expected and caught.value.next_step


def rewrite(path, **card):
    """Change the card and make its hash right again."""
    known = json.loads(path.with_suffix(".json").read_text()) | {"sha256": checkpoint.digest(path.read_bytes())} | card
    path.with_suffix(".json").write_text(json.dumps(known))


def test_shipped_weights_are_those_of_the_run_in_half_precision(finished, weights, path):
    model, card = load(weights)
    saved = checkpoint.load_latest(run_folder(finished, CONFIG, 0), CONFIG.sha256)[0]
    assert not model.training
    for name, value in model.state_dict().items():
        assert value.dtype == saved[name].dtype
        assert torch.equal(value, saved[name].half().float() if value.is_floating_point() else saved[name])
    assert {value.dtype for value in load_file(path).values()} <= {torch.float16, torch.int64}
    assert card["sha256"] == checkpoint.digest(path.read_bytes())


def test_the_card_says_what_they_are(weights):
    card = load(weights)[1]
    assert (card["preset"], card["dataset"], card["model"], card["seed"]) == NAMES
    assert card["config"] == CONFIG.as_dict()
    assert (card["steps"], card["clips_seen"], card["data_sha256"]) == (2, 4, TinyClips().sha256)
    assert card["trained_on"]["precision"] == "float32"


def test_shipping_twice_is_the_same_file(finished, weights, path):
    before = path.read_bytes(), path.with_suffix(".json").read_bytes()
    shipping.ship(*NAMES, finished, weights)
    assert (path.read_bytes(), path.with_suffix(".json").read_bytes()) == before


def test_the_curve_lies_beside_the_weights(finished, weights):
    rows = [json.loads(line) for line in (run_folder(finished, CONFIG, 0) / "stats.jsonl").read_text().splitlines()]
    lines = curves.curve_path(*NAMES, weights).read_text().splitlines()
    assert lines[0].split(",") == list(rows[0]) and len(lines) == len(rows) + 1
    assert float(lines[-1].split(",")[lines[0].split(",").index("loss")]) == round(rows[-1]["loss"], 5)


@pytest.mark.parametrize(
    "rows", [None, b"", b'{"step": 25', b"[]", b'{"step": "x"}', b'{"step": 1}\n{"other": 1}', b'{"step": 1}\n3']
)
def test_without_its_curve_a_run_is_not_shipped_and_nothing_is_replaced(finished, weights, path, rows):
    stats = run_folder(finished, CONFIG, 0) / "stats.jsonl"
    kept, before = stats.read_bytes(), path.read_bytes()
    path.write_bytes(b"what was shipped before")
    stats.unlink() if rows is None else stats.write_bytes(rows)
    try:
        with pytest.raises(CheckpointError, match=r"stats\.jsonl"):
            shipping.ship(*NAMES, finished, weights)
        assert path.read_bytes() == b"what was shipped before"
    finally:
        stats.write_bytes(kept), path.write_bytes(before)


def test_weights_of_other_data_are_not_scored(weights, path):
    edited = {"data_sha256": 64 * "0"}
    card = json.loads(path.with_suffix(".json").read_text()) | edited
    with pytest.raises(CheckpointError, match="trained on data 000000000000"):
        provenance.require_data(card, TinyClips())
    provenance.require_data(card | {"data_sha256": TinyClips().sha256}, TinyClips())


def test_no_run_cannot_be_shipped(tmp_path):
    with pytest.raises(CheckpointError, match="no run") as caught:
        shipping.ship(*NAMES, tmp_path, tmp_path)
    assert caught.value.next_step.startswith("python -m hamrepro train --preset smoke")


def test_an_unfinished_run_cannot_be_shipped(tmp_path):
    run_tiny(run_folder(tmp_path, CONFIG, 0), CONFIG, stop_after=0)
    with pytest.raises(CheckpointError, match="step 1 of 2"):
        shipping.ship(*NAMES, tmp_path, tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize("value", [70_000.0, -1e6, float("nan")])
def test_what_half_precision_cannot_hold_is_not_shipped(tmp_path, value):
    with pytest.raises(NonFiniteError, match="float16"):
        checkpoint.save_weights(tmp_path / "w.safetensors", {"weight": torch.tensor([value])}, {})
    assert list(tmp_path.iterdir()) == []


def test_weights_not_shipped_are_refused_with_those_that_are(weights):
    refuse(weights, "no weights smoke-sprites-procedural-halo-u-seed7", (*NAMES[:3], 7))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_weights_are_refused(weights, path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refuse(weights, "does not match its card")


@pytest.mark.parametrize("place", [9, 400, -5])
def test_weights_with_a_flipped_bit_are_refused(weights, path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)
    refuse(weights, "does not match its card")


def test_truncated_weights_with_a_matching_card_are_refused(weights, path):
    path.write_bytes(path.read_bytes()[:-100])
    rewrite(path)
    refuse(weights, "cannot be read")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"null", b"\xff", b"{}"])
def test_a_card_that_is_none_is_refused(weights, path, content):
    path.with_suffix(".json").write_bytes(content)
    refuse(weights, "cannot be read|does not match its card")


def test_weights_without_card_are_refused(weights, path):
    path.with_suffix(".json").unlink()
    refuse(weights, "cannot be read")


@pytest.mark.parametrize(("place", "other"), [(0, "laptop"), (1, "sprites"), (2, "halo-sp"), (3, 1)])
def test_weights_in_the_place_of_others_are_refused(weights, path, place, other):
    names = tuple(other if number == place else name for number, name in enumerate(NAMES))
    for suffix in (".safetensors", ".json"):
        shutil.copy(path.with_suffix(suffix), records.weights_path(*names, weights).with_suffix(suffix))
    refuse(weights, "the card of", names)


def test_weights_that_do_not_fit_are_refused(weights, path):
    tensors = load_file(path)
    del tensors["encoder.0.weight"]
    save_file(tensors, path)
    rewrite(path)
    refuse(weights, "does not fit")


def test_weights_of_another_width_are_refused(weights, path):
    settings = CONFIG.as_dict()
    settings["network"]["content"] = 9
    rewrite(path, config=settings)
    refuse(weights, "does not fit")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(weights, path, value):
    tensors = load_file(path)
    next(value for value in tensors.values() if value.ndim == 4)[0, 0, 0, 0] = value
    save_file(tensors, path)
    rewrite(path)
    refuse(weights, "not finite")


@pytest.mark.parametrize("settings", [None, {}, [], {"preset": "smoke"}])
def test_a_card_of_another_version_is_refused(weights, path, settings):
    rewrite(path, config=settings)
    with pytest.raises(ConfigError, match="another version"):
        load(weights)


@pytest.mark.parametrize("said", [None, [], "a laptop", {}])
def test_a_card_that_does_not_say_where_it_was_trained_is_refused(weights, path, said):
    rewrite(path, trained_on=said)
    refuse(weights, "what it was trained on")


def test_an_unknown_device_is_refused(weights):
    with pytest.raises(ConfigError, match="device"):
        shipping.load_shipped(*NAMES, weights=weights, device="gpu")


@pytest.fixture
def recorded(weights, tmp_path, monkeypatch):
    """The record of those weights and of the trivial rows, in a results folder of its own."""
    own_folders(monkeypatch, tmp_path, CONFIG)
    results = tmp_path / "results"
    for names in (NAMES, ("any", NAMES[1], "copy-first", 0), ("any", NAMES[1], "ground-truth", 0)):
        shipping.record(shipping.evaluate_shipped(*names), results=results)
    return results


def test_a_record_has_its_origin_and_is_recomputed_exactly(recorded):
    assert records.faults(recorded) == []
    record = records.read(*NAMES)
    assert set(records.ORIGIN) <= set(record["provenance"])
    assert record["provenance"]["data_sha256"] == TinyClips().sha256
    assert {names[2] for names in reevaluation.recorded()} == {"halo-u", "copy-first", "ground-truth"}
    rows = reevaluation.compare_all(quick=False, tolerance=0.0)
    assert len(rows) > 60 and all(right for *_, right in rows)
    before = {path: path.read_bytes() for path in recorded.rglob("*") if path.is_file()}
    rows = reevaluation.compare_all(quick=True, tolerance=1e-6, wanted=lambda names: names[2] == "halo-u")
    assert {name for name, *_ in rows} == {"/".join(map(str, NAMES))} and all(right for *_, right in rows)
    assert {path: path.read_bytes() for path in recorded.rglob("*") if path.is_file()} == before


def test_a_record_whose_weights_are_gone_is_missed(recorded, path):
    path.unlink()
    with pytest.raises(CheckpointError, match="no weights"):
        reevaluation.compare_all(quick=True, tolerance=1e-3)


def test_a_record_that_differs_is_seen(recorded, capsys):
    record = records.read(*NAMES)
    for entry in record["subset"].values():
        entry["value"] += 0.04  # within 50 thousandths, which decibels are allowed
    records.write(records.record_path(*NAMES, recorded), record, recorded)
    rows = reevaluation.compare_all(quick=True, tolerance=1e-3)
    wrong = {key.split("/")[0] for _, key, *_, right in rows if not right}
    assert wrong == {"subset:ssim", "subset:mse"}
    assert capsys.readouterr().out.count("DIFFERS") == 1


def test_a_recorded_metric_that_is_no_longer_computed_differs(recorded, monkeypatch):
    whole = reevaluation.evaluate_shipped

    def less(*names, quick):
        made = whole(*names, quick=quick)
        del made["subset"]["psnr/strict/1-8"]
        return made

    monkeypatch.setattr(reevaluation, "evaluate_shipped", less)
    rows = reevaluation.compare(NAMES, quick=True, tolerance=1e-3)
    assert [(key, now) for _, key, _, now, right in rows if not right] == [("subset:psnr/strict/1-8", None)]


@pytest.mark.parametrize(
    ("key", "same"), [("ssim/clip/1-8", False), ("ssim-gain/clip/1-8", False), ("psnr/clip/1-8", True)]
)
def test_what_is_measured_in_pixels_is_held_to_the_tolerance(key, same):
    assert reevaluation._within(key, 0.10, 0.14, 52, 1e-3) is same


def test_a_record_without_a_metric_is_refused(recorded):
    path = records.record_path(*NAMES, recorded)
    path.unlink()
    records.write(path, result(NAMES), recorded)
    with pytest.raises(RecordError, match="has no"):
        reevaluation.compare(NAMES, quick=True, tolerance=1e-3)


@pytest.mark.parametrize(
    ("key", "now", "same"),
    [
        ("accuracy/A/3way", 0.97, True),
        ("accuracy/A/3way", 0.95, False),
        ("is/A/9way", 8.8, True),
        ("is/A/9way", 8.2, False),
    ],
)
def test_what_judges_say_is_compared_too_and_may_differ_by_three_clips(recorded, monkeypatch, key, now, same):
    def judged(value):
        made = {name: {"value": 0.98 if "acc" in name else 9.0, "ci95": [0.0, 9.0], "n": 100} for name in keys}
        made[key] |= {"value": value}
        return made

    keys = ("accuracy/A/3way", "is/A/9way")
    record = records.read(*NAMES)
    record["subset"] |= judged(0.98 if key.startswith("acc") else 9.0)
    records.write(records.record_path(*NAMES, recorded), record, recorded)
    monkeypatch.setattr(reevaluation, "judge_shipped", lambda *names, quick: {"subset": judged(now)})
    rows = reevaluation.compare(NAMES, quick=True, tolerance=1e-3, judged=True)
    assert [row[1] for row in rows if not row[-1]] == ([] if same else [f"subset:{key}"])
    unjudged = {row[1] for row in reevaluation.compare(NAMES, quick=True, tolerance=1e-3)}
    assert {row[1] for row in rows} - unjudged == {f"subset:{name}" for name in keys}


def test_an_edited_record_is_not_compared(recorded):
    path = records.record_path(*NAMES, recorded)
    path.write_text(path.read_text() + " ")
    with pytest.raises(RecordError, match="was edited"):
        reevaluation.compare(NAMES, quick=True, tolerance=1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_file_of_one_s_own_holds_no_nan_either(tmp_path, value):
    made = result(NAMES, metrics={"mse/clip/1-8": {"value": value, "ci95": [0.0, 0.0], "n": 1}})
    with pytest.raises(RecordError, match="NaN or infinite"):
        shipping.record(made, tmp_path / "mine.json")
    assert not list(tmp_path.iterdir())


def test_a_file_of_one_s_own_is_added_to_as_a_record_is(tmp_path):
    for part in ({"ssim/clip/1-8": {"value": 0.5}}, {"accuracy/C/9way": {"value": 1.0}}):
        shipping.record(result(NAMES, metrics=part), tmp_path / "mine.json")
    assert {*json.loads((tmp_path / "mine.json").read_text())["metrics"]} == {"ssim/clip/1-8", "accuracy/C/9way"}


@pytest.mark.parametrize(("part", "name", "value"), [("network", "content", 9), ("training", "learning_rate", 0.5)])
def test_first_weights_of_other_settings_are_refused(weights, path, tmp_path, part, name, value):
    settings = CONFIG.as_dict()
    settings[part][name] = value
    rewrite(path, config=settings)
    with pytest.raises(CheckpointError, match="other settings") as caught:
        shipping.last_weights(CONFIG, 0, tmp_path / "none", weights)
    assert "hamrepro train" in caught.value.next_step


def test_a_name_too_long_for_a_file_is_not_shipped(weights):
    refuse(weights, "no weights", (*NAMES[:2], "halo-u" + 60 * "+adam", 0))


@pytest.mark.parametrize("names", [("laptop", "sprites", "copy-first", 0), ("any", "sprites", "ground-truth", 3)])
def test_a_trivial_row_has_no_preset_and_no_seed(names):
    with pytest.raises(ConfigError, match="no training"):
        shipping.evaluate_shipped(*names)


@pytest.mark.parametrize(("error", "left_out"), [(MissingDataError, True), (DataError, False)])
def test_records_are_left_out_where_data_are_missing_and_not_where_they_are_damaged(
    recorded, monkeypatch, capsys, error, left_out
):
    def refuse(*names):
        raise error("no sheets")

    monkeypatch.setattr(shipping, "load", refuse)
    if left_out:
        assert reevaluation.compare_all(quick=False, tolerance=0.0) == []
        assert "skipped smoke/sprites-procedural/halo-u/0: no sheets" in capsys.readouterr().out
    else:
        with pytest.raises(DataError, match="no sheets"):
            reevaluation.compare_all(quick=False, tolerance=0.0)


@pytest.mark.parametrize(
    "wrong", [{"data_sha256": 7}, {"clips_seen": "many"}, {"train_seconds": [1]}, {"trained_on": 3}]
)
def test_a_card_of_the_wrong_kinds_is_refused(weights, path, wrong):
    rewrite(path, **wrong)
    with pytest.raises(CheckpointError, match=next(iter(wrong))):
        load(weights)


@pytest.mark.parametrize("cut", range(3))
def test_a_shipment_cut_short_leaves_the_old_weights_or_the_new_ones(tmp_path, monkeypatch, cut):
    path = tmp_path / "w.safetensors"
    checkpoint.save_weights(path, {"a": torch.zeros(2)}, {"made": "old"})

    monkeypatch.setattr(checkpoint, "write_atomically", cut_short(checkpoint.write_atomically, cut))
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save_weights(path, {"a": torch.ones(2)}, {"made": "new"})
    monkeypatch.undo()
    found, card = checkpoint.load_weights(path)
    assert (card["made"], float(found["a"][0])) == (("new", 1.0) if cut == 2 else ("old", 0.0)) and "next" not in card
    checkpoint.save_weights(path, {"a": torch.full((2,), 2.0)}, {"made": "third"})
    assert checkpoint.load_weights(path)[1]["made"] == "third"
    assert "next" not in path.with_suffix(".json").read_text()


@pytest.mark.parametrize("said", [{"hardware": None}, {"hardware": 3}])
def test_hardware_without_a_name_is_refused(weights, path, said):
    rewrite(path, trained_on=said)
    with pytest.raises(CheckpointError, match="trained_on"):
        load(weights)
