"""The command line: what it accepts, and one typed paragraph, without traceback, for what it does not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from face_takes import FOUR, GREY, encoded, photographed
from sandbox import own_folders
from test_records import result
from tiny import run_tiny, tiny_config

import hamrepro.__main__ as command_line
from hamrepro import checkpoint, face_sources, mug, mug_report, options, records, tables
from hamrepro.errors import ConfigError
from hamrepro.facs.expressions import EXPRESSIONS
from hamrepro.presets import DATASETS, MODELS, PRESETS
from hamrepro.train import run_folder

ROOT = Path(__file__).resolve().parents[1]
TINY = tiny_config(steps=2)
NAMES = (TINY.preset, TINY.dataset, TINY.model, 0)


def call(monkeypatch, *words):
    """Exit code of a command, run in this process."""
    monkeypatch.setattr(sys, "argv", ["hamrepro", *map(str, words)])
    try:
        command_line.main()
    except SystemExit as ended:
        return ended.code or 0
    return 0


@pytest.fixture
def run(monkeypatch, capsys):
    def go(*words):
        code = call(monkeypatch, *words)
        return code, *capsys.readouterr()

    return go


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    own_folders(monkeypatch, tmp_path, TINY)
    return tmp_path


SELECT = ("--preset", "smoke", "--dataset", "sprites-procedural", "--model", "halo-u")
TRAIN, EVALUATE = ("train", *SELECT), ("evaluate", *SELECT)

REFUSED = {
    "unknown preset": ("train", "--preset", "tiny"),
    "unknown data set": ("train", "--dataset", "sprite"),
    "unknown model": ("train", "--model", "halo"),
    "unknown variant": ("train", "--model", "halo-sp+fast"),
    "empty model": ("train", "--model", ""),
    "variant of another data set": ("train", "--preset", "smoke", "--dataset", "mug", "--model", "halo-u+k9"),
    "duration without number": (*TRAIN, "--stop-after", "soon"),
    "duration of another unit": (*TRAIN, "--stop-after", "9d"),
    "negative duration": (*TRAIN, "--stop-after=-9m"),
    "empty duration": (*TRAIN, "--stop-after", ""),
    "retrain of an unknown duration": ("retrain", "--stop-after", "8 hours"),
    "retrain of an unknown preset": ("retrain", "--preset", "tiny"),
    "fetch of an unknown data set": ("data", "fetch", "mug"),
    "check of an unknown data set": ("data", "check", "sprite"),
    "evaluate an unknown data set": ("evaluate", "--dataset", "sprite"),
    "evaluate a trivial row of a preset": ("evaluate", "--model", "copy-first", "--preset", "laptop"),
    "evaluate on an unknown device": ("evaluate", "--device", "gpu"),
    "ship an unknown preset": ("ship", "--preset", "tiny"),
    "judge of an unknown data set": ("judge", "--dataset", "sprite"),
    "protocols on an unknown device": (*EVALUATE, "--protocols", "--device", "gpu"),
    "a quality of no number": ("quality", "--target", "ssim/clip/1-8>=nan"),
    "a quality of no metric": ("quality", "--target", "fid/clip/1-8>=3"),
    "quality of an unknown preset": ("quality", "--preset", "tiny"),
    "quality of what generates nothing": ("quality", "--preset", "smoke", "--model", "mocogan"),
    "bench of an unknown section": ("bench", "--only", "everything"),
    "bench on an unknown device": ("bench", "--device", "gpu"),
    "sweep of an unknown model": ("sweep", "--model", "halo", "--cluster", "local"),
    "animate an unknown model": ("animate", "--preset", "smoke", "--model", "halo"),
    "animate an unknown split": ("animate", "--preset", "smoke", "--dataset", "sprites-procedural", "--split", "dev"),
    "animate nothing": ("animate", *SELECT, "--runs", 3000 * "x/"),
    "ship nothing": ("ship", *SELECT, "--runs", "/nonexistent-runs"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(run, kind):
    code, _out, err = run(*REFUSED[kind])
    assert code == 2
    assert err.partition(":")[0].endswith("Error") and "Traceback" not in err
    assert len(err.strip().splitlines()) <= 4
    assert "expected:" in err and "  next: " in err


USAGE = {
    "unknown verb": ("trian",),
    "unknown option": ("train", "--epochs", "3"),
    "negative seed": ("train", "--seed", "-1"),
    "seed of words": ("train", "--seed", "one"),
    "option without value": ("train", "--preset"),
    "too many words": ("verify", "now"),
    "tolerance of words": ("reevaluate", "--tolerance", "small"),
    "check of nothing": ("data", "check"),
}


@pytest.mark.parametrize("kind", USAGE)
def test_misused(run, kind):
    code, _out, err = run(*USAGE[kind])
    assert code == 2 and "Traceback" not in err and "Error" in err


VERBS = "train evaluate reevaluate retrain reproduce verify render ship judge data"


@pytest.mark.parametrize("verb", ["", *VERBS.split(), "data fetch", "data check"])
def test_help(run, verb):
    code, out, _err = run(*verb.split(), "--help")
    assert code == 0 and "Usage" in out


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("90s", 90), ("9m", 540), ("2h", 7200), ("1.5m", 90), ("0", 0)]
)
def test_durations(text, expected):
    assert options.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "m", "9 m", "-1", "1e3", "9M", "nan", "inf", "1,5m", "9m9s", "٣m\n"])
def test_other_durations_are_refused(text):
    with pytest.raises(ConfigError, match="duration"):
        options.seconds(text)


@pytest.mark.parametrize("folder", ["missing", "file", "empty", "wrong", "truncated"])
def test_a_wrong_folder_of_sheets(run, monkeypatch, tmp_path, folder):
    root = tmp_path / "sheets"
    if folder == "file":
        root.write_text("")
    elif folder != "missing":
        root.mkdir()
    if folder == "wrong":
        (root / "body").mkdir()
        (root / "body" / "notes.txt").write_text("")
    if folder == "truncated":
        (root / "body" / "male").mkdir(parents=True)
        (root / "body" / "male" / "light.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    monkeypatch.setenv("HAMREPRO_LPC", str(root))
    for words in (("train", "--preset", "smoke"), ("data", "check", "sprites")):
        code, _out, err = run(*words, *(("--runs", tmp_path / "runs") if words[0] == "train" else ()))
        assert code == 2 and err.startswith("DataError: ") and "next:" in err and "Traceback" not in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("value", ["", "/nonexistent-mug"])
def test_mug_that_is_not_at_hand(run, monkeypatch, value):
    monkeypatch.setenv("HAMREPRO_MUG", value)
    code, _out, err = run("train", "--preset", "smoke", "--dataset", "mug")
    assert code == 2 and err.startswith(("DataError: ", "MissingDataError: ")) and "HAMREPRO_MUG" in err


@pytest.mark.parametrize("fault", ["none", "no face", "damaged", "one frame", "51 subjects"])
def test_checking_the_licensed_folder(run, monkeypatch, tmp_path, fault):
    root = photographed(tmp_path / "mug")
    for name in ("HAMREPRO_MUG", "HAMREPRO_CACHE"):
        monkeypatch.setenv(name, str({"HAMREPRO_MUG": root}.get(name, tmp_path / "cache")))
    monkeypatch.setattr(mug_report, "SUBJECTS", 3 if fault == "51 subjects" else 2)
    for part in (mug, mug_report):
        monkeypatch.setattr(part, "EXPRESSIONS", EXPRESSIONS[:4])
    frames = sorted((root / "subjects3" / FOUR[0].key).iterdir())
    if fault == "no face":
        for frame in frames:
            frame.write_bytes(encoded(GREY))
    elif fault == "damaged":
        frames[4].write_bytes(frames[4].read_bytes()[:500])
    elif fault == "one frame":
        for frame in frames[1:]:
            frame.unlink()
    code, out, _err = run("data", "check", "mug")
    found, skipped = {"none": (4, ""), "51 subjects": (4, ""), "no face": (3, "no face found"),
                      "damaged": (3, "frame 4: "), "one frame": (3, "1 JPEG frames")}[fault]  # fmt: skip
    assert code == (fault != "none")
    assert f"faces found in {found} of " in out and "2 subjects, " in out and " frames" in out
    assert ("SKIPPED: " in out) is bool(skipped) and skipped in out
    assert ("WRONG: 2 subjects, not 3" in out) is (fault == "51 subjects")
    assert run("data", "check", "mug")[:2] == (code, out), "the finished cache says the same"


def test_a_run_from_first_step_to_verified_record(run, tiny):
    assert run(*TRAIN, "--stop-after", "0")[0] == 75
    assert run("ship", *SELECT)[0] == 2
    code, out, _err = run(*TRAIN)
    assert code == 0 and "done" in out
    assert run("ship", *SELECT)[0] == 0
    assert run(*EVALUATE)[0] == 0
    assert run("evaluate", "--preset", "any", "--dataset", "sprites-procedural", "--model", "mean-frame")[0] == 0
    assert run(*EVALUATE, "--quick", "--out", tiny / "mine.json")[0] == 0
    assert json.loads((tiny / "mine.json").read_text())["schema"] == 1
    assert run("verify")[0] == 0
    assert run("reevaluate", "--tolerance", "1e-6")[0] == 0


def test_verify_prints_the_scorecard_and_fails_where_nothing_is_recorded(run, tiny):
    code, out, err = run("verify")
    assert code == 1 and "36.76" in out and "not run" in out and "FAULT no record under" in err
    results = tiny / "results"
    records.write(records.record_path(*NAMES, results), result(NAMES), results)
    assert run("verify")[0] == 0


PRINTED = records.document(tables.PAPER)
SPOILT = [
    json.dumps(PRINTED | {"table-1": [{**PRINTED["table-1"][0], **wrong}]})
    for wrong in ({"value": "0.9"}, {"dataset": "mars"}, {"metric": "xyz"}, {"key": "ssim"}, {"spread": "a"},
                  {"model": 3}, {"value": float("nan")})
]  # fmt: skip


@pytest.mark.parametrize("content", ["", "{", "\x00", None, "{}", "[]", '{"table-1": [{}]}', '{"table-1": 3}', *SPOILT])
def test_damaged_numbers_of_the_paper_are_named(run, tiny, monkeypatch, content):
    path = tiny / "paper.json"
    path.write_text(content) if content is not None else path.mkdir()
    monkeypatch.setattr(tables, "PAPER", path)
    tables.paper.cache_clear()
    code, _out, err = run("verify")
    tables.paper.cache_clear()
    assert code == 2 and err.startswith("RecordError: paper.json") and "  next: remove " in err


def test_verify_as_json(run, tiny):
    _code, out, _err = run("verify", "--json")
    rows = json.loads(out)
    assert {"paper", "ours", "verdict", "quantity"} <= set(rows[0])


@pytest.mark.parametrize("fault", ["edited", "unlisted", "without origin", "gone", "no json"])
def test_verify_fails_on_a_faulty_record(run, tiny, fault):
    results, path = tiny / "results", records.record_path(*NAMES, tiny / "results")
    records.write(path, result(NAMES, origin={"commit": ""} if fault == "without origin" else None), results)
    if fault == "edited":
        path.write_text(path.read_text().replace("0.9", "0.98"))
    elif fault == "unlisted":
        (results / "SHA256SUMS").unlink()
    elif fault == "gone":
        path.unlink()
    elif fault == "no json":
        path.write_text("{")
    code, _out, err = run("verify")
    assert code == 1 and err.startswith("FAULT ") and "Traceback" not in err


@pytest.mark.parametrize("damage", ["truncated", "of other settings", "renamed", "empty"])
def test_a_damaged_checkpoint(run, tiny, damage):
    folder = run_folder(Path("runs"), TINY, 0)
    run_tiny(folder, TINY, stop_after=0)
    (state,) = folder.glob("state-*")
    if damage == "truncated":
        (state / "model.safetensors").write_bytes((state / "model.safetensors").read_bytes()[:1000])
    elif damage == "of other settings":
        shutil.rmtree(folder)
        run_tiny(folder, tiny_config(steps=3), stop_after=0)
    elif damage == "renamed":
        state.rename(folder / "state-00000009")
    else:
        shutil.rmtree(state)
        state.mkdir()
    for words in (TRAIN, ("ship", *SELECT)):
        code, _out, err = run(*words)
        assert code == 2 and err.startswith("CheckpointError: ") and "next:" in err


def test_a_full_disk_while_training(run, tiny, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda number: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    code, _out, err = run(*TRAIN)
    assert code == 2 and "No space left on device" in err and "run the same command again" in err
    monkeypatch.undo()


@pytest.mark.parametrize("kind", ["weights", "card", "swapped"])
def test_damaged_weights(run, tiny, kind):
    run_tiny(run_folder(Path("runs"), TINY, 0), TINY)
    run("ship", *SELECT)
    path = records.weights_path(*NAMES)
    if kind == "weights":
        path.write_bytes(path.read_bytes()[:-1])
    elif kind == "card":
        path.with_suffix(".json").unlink()
    else:
        known = json.loads(path.with_suffix(".json").read_text())
        path.write_bytes(b"other")
        path.with_suffix(".json").write_text(json.dumps(known | {"sha256": checkpoint.digest(b"other")}))
    code, _out, err = run(*EVALUATE)
    assert code == 2 and err.startswith("CheckpointError: ") and "  next: remove " in err


@pytest.mark.parametrize("place", ["file/run", "\0"])
def test_a_place_that_cannot_be_written(run, tiny, place):
    (tiny / "file").write_text("")
    code, _out, err = run("evaluate", "--preset", "any", "--model", "copy-first", "--out", place)
    assert code == 2 and "Traceback" not in err


def process(*words, **variables):
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment)


def test_a_real_process_ends_with_code_two_and_no_traceback(tmp_path):
    words = ("-m", "hamrepro", "data", "check", "sprites")
    ended = process(*words, HAMREPRO_LPC=str(tmp_path / "nowhere"))
    assert ended.returncode == 2
    assert ended.stderr.startswith("DataError: ") and "Traceback" not in ended.stderr


def test_a_folder_whose_name_is_no_text_can_be_named(tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/r\xff")
    ended = process(
        "-m", "hamrepro", *TRAIN, "--stop-after", "0", "--runs", folder, PYTHONIOENCODING="utf-8:strict", PYTHONUTF8="0"
    )
    assert ended.returncode == 75 and "Traceback" not in ended.stderr


def test_closed_error_output_stops_nothing(tmp_path):
    command = [sys.executable, "-m", "hamrepro", *TRAIN, "--stop-after", "0", "--runs", str(tmp_path)]
    ended = subprocess.run(["sh", "-c", 'exec "$@" 2>&-', "sh", *command], env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert ended.returncode == 75


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (ModuleNotFoundError("no", name="pandas"), 'pip install "hamrepro[tables]"'),
        (MemoryError(), "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "--preset laptop"),
    ],
)
def test_what_the_machine_lacks_is_named(run, monkeypatch, fault, said):
    def fail():
        raise fault

    monkeypatch.setattr(command_line, "app", fail)
    code, _, told = run("verify")
    assert code == 2 and said in told and "Traceback" not in told


def test_other_faults_are_not_hidden(run, monkeypatch):
    for fault in (RuntimeError("unsupported memory format"), ModuleNotFoundError("no", name="hamrepro.nothing")):
        monkeypatch.setattr(command_line, "app", lambda fault=fault: (_ for _ in ()).throw(fault))
        with pytest.raises(type(fault)):
            run("verify")


def test_the_command_line_needs_nothing_of_the_notebooks():
    unwanted = {"jupyter", "matplotlib", "pandas", "pooch", "torch"}
    ended = process("-c", f"import sys, hamrepro.__main__; print(sorted({unwanted} & set(sys.modules)))")
    assert ended.stdout.strip() == "[]"


def test_no_faces_are_drawn_in_an_empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HAMREPRO_CACHE", str(tmp_path))
    assert not face_sources.drawn()


@pytest.mark.parametrize("model", ["copy-source", "shuffled-motion"])
def test_a_row_of_table_2_alone_asks_for_protocols(run, model):
    code, _out, err = run("evaluate", "--preset", "any", "--model", model)
    assert code == 2 and "--protocols" in err


@pytest.mark.parametrize("verb", [EVALUATE, ("bench", "--only", "flow"), ("quality", *SELECT)])
@pytest.mark.parametrize("place", ["/dev/null", "pipe", "other.json"])
def test_where_to_write_is_looked_at_before_the_work(run, tmp_path, monkeypatch, verb, place):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "other.json").write_text(json.dumps({"schema": 1, "metrics": {}, "provenance": {}, "kind": "x"}))
    monkeypatch.setattr("hamrepro.shipping.evaluate_shipped", None)
    monkeypatch.setattr("hamrepro.bench.SECTIONS", {"flow": None})
    monkeypatch.setattr("hamrepro.time_to_quality.time_to_quality", None)
    code, _out, err = run(*verb, "--out", tmp_path / place)
    assert code == 2 and err.startswith("RecordError: ") and "another --out" in err


def test_a_place_that_fails_is_named_without_traceback(run, tiny, monkeypatch):
    def fails(*words, **options):
        raise NotADirectoryError(20, "Not a directory", "/dev/null/lpc")

    monkeypatch.setattr("hamrepro.datasets.load", fails)
    code, _out, err = run(*TRAIN)
    assert code == 2 and err.startswith("ConfigError: ") and "/dev/null/lpc" in err


def test_help_lists_every_name(run):
    said = "".join(run("train", "--help")[1].replace("│", "").split())
    assert all(name in said for name in (*PRESETS, *DATASETS, *MODELS))


@pytest.mark.parametrize("more", [(), ("--protocols",)])
def test_own_clips_have_no_record(run, tmp_path, more):
    code, _out, err = run("evaluate", "--preset", "any", "--model", "copy-first", "--dataset", f"own:{tmp_path}", *more)
    assert code == 2 and err.startswith("ConfigError: own:") and "a data set of tables" in err
