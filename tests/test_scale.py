"""Time to quality and sweeps: what is timed, what is submitted, and that a stopped job goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import NamedTuple

import pytest
import torch
from tiny import TinyClips, tiny_config
from typer.testing import CliRunner

import hamrepro.sweep as sweep
import hamrepro.time_to_quality as quality
from hamrepro import checkpoint, provenance, records
from hamrepro.errors import CheckpointError, ConfigError, InUseError, RecordError
from hamrepro.scale_commands import app
from hamrepro.train import run_folder


@pytest.fixture
def looks(monkeypatch):
    """Scores that rise by .1 a look, on tiny clips."""
    monkeypatch.setattr(quality, "load", lambda name, split: TinyClips())
    monkeypatch.setattr(quality, "configure", lambda *names: tiny_config(steps=8))
    seen = []

    def score(generate, clip_set, index, conditioning, *, frames, device, label):
        seen.append((conditioning, frames))
        return {"ssim": torch.full((len(index), frames), 0.1 * len(seen), dtype=torch.float64)}

    monkeypatch.setattr(quality, "score_frames", score)
    return seen


def test_a_run_ends_where_the_target_is_met(looks):
    found = quality.time_to_quality("smoke", "sprites", "halo-u", ["ssim/strict/1-8>=0.25"], runs=1, every=2)
    entry = found["quality/ssim/strict/1-8>=0.25 smoke sprites halo-u"]
    assert entry["runs"][0]["steps"] == 6 and looks == [("strict", 8)] * 3
    assert 0 < entry["value"] == entry["runs"][0]["seconds"] and entry["n"] == 1


def test_a_target_not_met_is_no_number(looks):
    (entry,) = quality.time_to_quality("smoke", "sprites", "halo-u", ["ssim/clip/1-16>=2"], 1, every=3).values()
    assert entry["value"] is None and entry["why"] and entry["runs"][0]["best"] == pytest.approx(0.3)


def test_one_run_serves_several_targets_and_ends_with_the_last(looks):
    targets = ["ssim/clip/1-8>=0.15", "ssim/clip/1-16>=0.35"]
    found = quality.time_to_quality("smoke", "sprites", "halo-u", targets, 1, every=2)
    steps = [found[f"quality/{target} smoke sprites halo-u"]["runs"][0]["steps"] for target in targets]
    assert steps == [4, 8] and looks == [("clip", 16)] * 4


def test_a_run_is_given_up_after_so_long(looks):
    (entry,) = quality.time_to_quality(
        "smoke", "sprites", "halo-u", ["ssim/clip/1-8>=2"], 1, every=1, stop_after=0.0
    ).values()
    assert entry["value"] is None and entry["stop_after"] == 0.0 and len(looks) == 1


def test_a_run_that_a_signal_stops_measures_nothing(looks, monkeypatch):
    monkeypatch.setattr(quality, "train", lambda *given, **options: (None, False))
    with pytest.raises(KeyboardInterrupt):
        quality.time_to_quality("smoke", "sprites-procedural", "halo-u", ["ssim/clip/1-8>=0.5"], 1)


def test_a_shorter_cycle_is_an_entry_of_its_own(looks):
    found = quality.time_to_quality("smoke", "sprites", "halo-u", ["ssim/clip/1-8>=0.15"], 1, every=2, steps=4)
    entry = found["quality/ssim/clip/1-8>=0.15 smoke sprites halo-u, 4 steps"]
    assert entry["steps"] == entry["runs"][0]["steps"] == 4


@pytest.mark.parametrize("target", ["ssim", "ssim/clip/1-8", "mse/clip/1-8>=1", "ssim/all/1-8>=1", "ssim/clip/1-8>=x"])
def test_an_unreadable_target_is_refused(target):
    with pytest.raises(ConfigError, match="target"):
        quality.time_to_quality("smoke", "sprites", "halo-u", [target])


def test_what_generates_nothing_has_no_quality():
    with pytest.raises(ConfigError, match="mocogan has no ssim"):
        quality.time_to_quality("smoke", "sprites-procedural", "mocogan")


def test_jobs_that_cannot_be_written_are_named(tmp_path):
    pytest.importorskip("submitit")
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot write"):
        list(sweep.submit([], tmp_path / "file" / "jobs", "local", 1))


def test_a_cluster_that_does_not_answer_is_named(tmp_path, monkeypatch):
    submitit = pytest.importorskip("submitit")

    class Silent:
        def __init__(self, **_):
            pass

        def update_parameters(self, **_):
            raise submitit.core.utils.FailedJobError("sbatch: fatal: Could not establish a configuration source")

    monkeypatch.setattr(submitit, "AutoExecutor", Silent)
    with pytest.raises(ConfigError, match="configuration source"):
        list(sweep.submit([], tmp_path, "slurm", 1))


def test_every_combination_is_a_job(tmp_path):
    todo = sweep.jobs("smoke", ["sprites-procedural"], ["halo-sp", "halo-u"], [0, 1, 2, 1], tmp_path, device="cpu")
    assert [(job.model, job.seed) for job in todo] == [(m, s) for m in ("halo-sp", "halo-u") for s in range(3)]
    with pytest.raises(ConfigError, match="unknown model"):
        sweep.jobs("smoke", ["sprites"], ["halo-x"], [0], tmp_path)


def test_a_job_leaves_what_hand_work_leaves_and_is_skipped_when_done(tmp_path, monkeypatch):
    calls, waited, left = [], [], []
    monkeypatch.setattr(sweep, "POLL", 0.0)

    def trained(config, seed, clips, runs, *, weights, device, stop_after):
        left.append(stop_after)
        if not waited:  # another job trains there
            waited.append(time.sleep(0.02))
            raise InUseError("busy")
        calls.append(run_folder(runs, config, seed))
        return None, len(calls) > 1

    result = {"preset": "smoke", "dataset": "sprites-procedural", "model": "halo-u", "seed": 1, "metrics": {},
              "provenance": provenance.origin(config={}, hardware="h", versions={}, data_sha256="d")}  # fmt: skip
    monkeypatch.setattr(sweep, "train_all_cycles", trained)
    monkeypatch.setattr(sweep, "load", lambda *names: TinyClips())
    monkeypatch.setattr(sweep, "ship", lambda *names: calls.append("ship"))
    monkeypatch.setattr(sweep, "evaluate_shipped", lambda *names, **options: result)
    job = sweep.Job("smoke", "sprites-procedural", "halo-u", 1, tmp_path, stop_after=100)
    folder = tmp_path / "smoke" / "sprites-procedural" / "halo-u" / "seed1"
    assert job() is False and calls == [folder]
    assert left[1] < left[0] - 0.02  # what it waited counts
    assert job() is True and calls == [folder, folder, "ship"]
    path = records.record_path(*job[:4], tmp_path / "smoke" / "results")
    assert json.loads(path.read_text())["seed"] == 1
    assert job() is True and len(calls) == 3
    path.write_text(path.read_text()[:100])
    with pytest.raises(RecordError):
        job()


class Tiny(NamedTuple):
    """A job of seconds; the second call goes on where the first was stopped."""

    folder: str
    stop_after: float | None = None

    def __call__(self):
        import sys
        from pathlib import Path

        sys.path.insert(0, str(Path(__file__).parent))
        from tiny import run_tiny, tiny_config

        return run_tiny(Path(self.folder), tiny_config(steps=4), stop_after=self.stop_after)


def test_jobs_run_through_submitits_local_executor(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    from tiny import run_tiny, state_bytes

    monkeypatch.setenv("PYTHONPATH", str(records.ROOT) + ":" + str(records.ROOT / "tests"), prepend=":")
    folders = [str(tmp_path / name) for name in ("a", "b")]
    options = {"cluster": "local", "parallel": 2, "timeout_min": 5}
    for stop, done in ((0.0, False), (None, True)):
        todo = [Tiny(folder, stop) for folder in folders]
        assert [handle.result() for handle in sweep.submit(todo, tmp_path / "jobs", **options)] == [done] * 2
    run_tiny(tmp_path / "whole", tiny_config(steps=4))
    assert {state_bytes(tmp_path / name) for name in ("a", "b")} == {state_bytes(tmp_path / "whole")}


def test_a_job_that_is_taken_off_the_machine_is_submitted_again(tmp_path):
    pytest.importorskip("submitit")
    job = sweep.Job("smoke", "sprites", "halo-u", 0, tmp_path)
    assert job.checkpoint().function == job


def test_no_cluster_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="cluster 'slurm'"):
        list(sweep.submit([], tmp_path, "slurm", 1, timeout_min=1))


def test_jobs_that_run_here_end_with_the_sweep(tmp_path):
    pytest.importorskip("submitit")
    words = [sys.executable, "-m", "hamrepro", "sweep", "--preset", "laptop", "--dataset", "sprites-procedural"]
    words += ["--model", "halo-u", "--seeds", "1", "--cluster", "local", "--runs", str(tmp_path)]
    begun = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    folder = tmp_path / "laptop" / "sprites-procedural" / "halo-u+first-cycle" / "seed0"
    until(lambda: (folder / "stats.jsonl").exists())  # made before the first step
    begun.terminate()
    assert begun.wait(60) == 128 + signal.SIGTERM
    until(lambda: list(folder.glob("state-*")))
    until(lambda: free(folder))


def until(found, seconds=120):
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def free(folder):
    with suppress(CheckpointError), checkpoint.lock(folder):
        return True
    return False


@pytest.mark.parametrize("cluster", ["", "debug", "SLURM"])
def test_other_clusters_are_refused(tmp_path, cluster):
    with pytest.raises(ConfigError, match="cluster"):
        list(sweep.submit([], tmp_path, cluster, 1))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("x\nhamrepro.errors.DataError: a\n  expected: b\n  next: c\n",
         "hamrepro.errors.DataError: a; expected: b; next: c"),
        ("ValueError: first\nduring it\nKeyError: 'second'\n", "KeyError: 'second'"),
        ("srun: error: killed\nKilled\n", "Killed"),
        ("", "it wrote nothing"),
    ],
)  # fmt: skip
def test_a_job_that_failed_says_all_of_its_fault(tmp_path, monkeypatch, said, told):
    monkeypatch.setattr(sweep, "POLL", 0.0)
    paths = type("Paths", (), {"result_pickle": tmp_path / "none"})
    handle = type("Handle", (), {"paths": paths, "done": lambda self: True, "stderr": lambda self: said})()
    assert sweep.outcome(handle, "local") == f"failed: {told}"


@pytest.mark.parametrize(("states", "code"), [(["done"], 0), (["done", "stopped; x"], 75), (["failed: x", "done"], 1)])
def test_how_a_sweep_ends(monkeypatch, states, code):
    monkeypatch.setattr(sweep, "sweep", lambda *names, **options: states)
    assert CliRunner().invoke(app, ["sweep"]).exit_code == code
