"""The loop: resumed anywhere it ends with the same bytes; it stops when asked and saves no NaN."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from tiny import EVERY, STEPS, TinyClips, logged, run_tiny, state_bytes, tiny_config

import hamrepro.train as loop
from hamrepro import checkpoint
from hamrepro.errors import CheckpointError, ConfigError, DataError, NonFiniteError

SHORT = 4
EARLY = tiny_config(steps=SHORT, checkpoint_every=2)


@pytest.fixture(autouse=True)
def _rows_of_two_steps(monkeypatch):
    monkeypatch.setattr(loop, "LOG_EVERY", 2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of four steps left alone."""
    folder = tmp_path_factory.mktemp("whole")
    before, loop.LOG_EVERY = loop.LOG_EVERY, 2
    assert run_tiny(folder, EARLY)
    loop.LOG_EVERY = before
    return folder


@pytest.fixture
def finished(whole, tmp_path):
    """A copy of that run, to spoil."""
    return shutil.copytree(whole, tmp_path / "run")


def test_a_run_leaves_its_files(whole):
    names = {path.name for path in whole.iterdir() if not path.name.startswith(".")}
    assert names == {"config.json", "environment.json", "stats.jsonl", "state-00000002", "state-00000004"}
    assert json.loads((whole / "config.json").read_text()) == json.loads(json.dumps(EARLY.as_dict()))
    assert {"hardware", "versions", "precision", "threads"} <= set(json.loads((whole / "environment.json").read_text()))


def test_rows_itemise_the_bound(whole):
    rows = [json.loads(line) for line in (whole / "stats.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4]
    assert {"seconds", "rate", "loss", "reconstruction", "kl_position", "kl_momentum", "kl_content"} <= set(rows[0])
    assert {f"growth_rate/{k}" for k in range(3)} <= set(rows[0])


def test_two_runs_in_one_process_are_equal(whole, tmp_path):
    assert run_tiny(tmp_path, EARLY)
    assert state_bytes(tmp_path) == state_bytes(whole)


def test_seeds_differ(whole, tmp_path):
    loop.train(EARLY, 1, TinyClips(), tmp_path)
    assert state_bytes(tmp_path) != state_bytes(whole)


@pytest.mark.parametrize("model", ["halo-sp", "halo-u+adam", "halo-u+windows-first", "halo-u+all-frames"])
def test_resumed_after_each_step_it_ends_with_the_same_bytes(tmp_path, model):
    config = tiny_config(model=model, steps=SHORT)
    assert run_tiny(tmp_path / "whole", config)
    stops = 0
    while not run_tiny(tmp_path / "stopped", config, stop_after=0):
        stops += 1
        assert logged(tmp_path / "stopped") == list(range(1, stops + 1))
    assert stops == SHORT - 1
    assert state_bytes(tmp_path / "stopped") == state_bytes(tmp_path / "whole")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch sees")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_on_a_gpu_too_it_ends_with_the_same_bytes(tmp_path, precision):
    config = tiny_config(precision, steps=SHORT)
    assert run_tiny(tmp_path / "whole", config, device="cuda")
    while not run_tiny(tmp_path / "stopped", config, device="cuda", stop_after=0):
        pass
    assert state_bytes(tmp_path / "stopped") == state_bytes(tmp_path / "whole")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("step", [1, 2])
def test_a_signal_finishes_the_step_saves_and_returns(whole, tmp_path, number, step):
    def ask(done, model):
        if done == step:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    assert not run_tiny(tmp_path, EARLY, on_step=ask)
    assert signal.getsignal(number) is before
    saved = checkpoint.load_latest(tmp_path, EARLY.sha256)
    assert saved[2]["step"] == step + 1  # it came while that step was being handed on; the next one is finished
    run_tiny(tmp_path, EARLY)
    assert state_bytes(tmp_path) == state_bytes(whole)
    assert logged(tmp_path) == sorted({2, 4, step + 1})


def test_a_finished_run_is_left_as_it_is(finished):
    before = {path: path.read_bytes() for path in finished.rglob("*.safetensors")}
    assert run_tiny(finished, EARLY)
    assert {path: path.read_bytes() for path in finished.rglob("*.safetensors")} == before
    assert logged(finished) == [2, 4]


def test_rows_beyond_the_resumed_step_are_forgotten(finished, whole):
    shutil.rmtree(finished / "state-00000004")
    with open(finished / "stats.jsonl", "a") as file:
        file.write('{"step": 4, "loss": 1.0}\n{"step": 5, "lo')
    assert run_tiny(finished, EARLY)
    assert logged(finished) == [2, 4]
    assert state_bytes(finished) == state_bytes(whole)


def test_a_damaged_newest_state_is_passed_over(finished, whole, capsys):
    (finished / "state-00000004" / "model.safetensors").write_bytes(b"torn")
    assert run_tiny(finished, EARLY)
    assert "state-00000004" in capsys.readouterr().out
    assert state_bytes(finished) == state_bytes(whole)


def test_a_new_run_forgets_the_rows_of_one_killed_before_its_first_checkpoint(tmp_path):
    (tmp_path / "stats.jsonl").write_text('{"step": 1}\n')
    assert run_tiny(tmp_path, EARLY)
    assert logged(tmp_path) == [2, 4]


def test_precision_is_decided_once(tmp_path, monkeypatch):
    config = tiny_config("auto", steps=SHORT)
    monkeypatch.setattr(loop, "choose_precision", lambda wanted, device: "bfloat16")
    assert not run_tiny(tmp_path, config, stop_after=0)
    monkeypatch.setattr(loop, "choose_precision", lambda wanted, device: pytest.fail("decided again"))
    (tmp_path / "environment.json").write_text("{}")
    assert run_tiny(tmp_path, config)
    assert json.loads((tmp_path / "environment.json").read_text())["precision"] == "bfloat16"


def test_a_folder_in_use_is_refused(finished):
    with open(finished / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(CheckpointError, match="in use by another process"):
            run_tiny(finished, EARLY)
    assert run_tiny(finished, EARLY)


def refusals(folder):
    return {
        "other data": lambda: run_tiny(folder, EARLY, TinyClips(identity="other")),
        "other seed": lambda: loop.train(EARLY, 1, TinyClips(), folder),
        "other settings": lambda: run_tiny(folder, replace(EARLY, training=replace(EARLY.training, batch=3))),
        "other network": lambda: run_tiny(folder, replace(EARLY, network=replace(EARLY.network, content=9))),
    }


@pytest.mark.parametrize("kind", ["other data", "other seed", "other settings", "other network"])
def test_a_folder_of_another_run_is_refused_and_untouched(finished, kind):
    before = state_bytes(finished), logged(finished), (finished / "config.json").read_bytes()
    with pytest.raises(CheckpointError) as caught:
        refusals(finished)[kind]()
    assert caught.value.expected and caught.value.next_step
    assert (state_bytes(finished), logged(finished), (finished / "config.json").read_bytes()) == before


@pytest.mark.parametrize("device", ["gpu", "", "cuda:99", "meta", "cpu:x"])
def test_an_unknown_device_is_refused(tmp_path, device):
    with pytest.raises(ConfigError, match="device"):
        run_tiny(tmp_path / "run", EARLY, device=device)
    assert not (tmp_path / "run").exists()


def test_no_clips_are_refused(tmp_path):
    with pytest.raises(DataError):
        run_tiny(tmp_path, EARLY, TinyClips(0))


def test_a_folder_where_the_rows_should_be_is_refused(tmp_path):
    (tmp_path / "stats.jsonl").mkdir()
    with pytest.raises(CheckpointError, match=r"stats\.jsonl"):
        run_tiny(tmp_path, EARLY)


def test_a_file_where_the_folder_should_be_is_refused(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(CheckpointError, match="cannot write"):
        run_tiny(tmp_path / "runs" / "seed0", EARLY)


def spoil(model, value):
    with torch.no_grad():
        model.decoder[0].weight[0, 0] = value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("step", [2, 3, 4, 6])
def test_what_is_not_finite_stops_the_run_and_is_never_saved(tmp_path, value, step):
    config = tiny_config(steps=STEPS)
    with pytest.raises(NonFiniteError) as caught:
        run_tiny(tmp_path, config, on_step=lambda done, model: spoil(model, value) if done == step else None)
    named = int(caught.value.given.split()[1].rstrip(":"))
    assert step <= named <= step + EVERY
    states = sorted(tmp_path.glob("state-*"))
    good = (step - 1) // EVERY * EVERY  # the state of the spoilt step itself is refused
    assert states[-1:] == ([tmp_path / f"state-{good:08d}"] if good else [])
    if good:
        saved = checkpoint.load_latest(tmp_path, config.sha256)
        assert all(part.isfinite().all() for part in [*saved[0].values(), *saved[1].values()])


def test_the_error_names_step_terms_and_last_good_checkpoint(tmp_path):
    with pytest.raises(NonFiniteError, match=r"(?s)step 4: .*'loss': nan.*state-00000003"):
        run_tiny(tmp_path, on_step=lambda done, model: spoil(model, float("nan")) if done == 4 else None)
    assert run_tiny(tmp_path, tiny_config())  # the fault gone, it goes on from there


def test_a_run_whose_moments_overflow_is_stopped(tmp_path, monkeypatch):
    state = loop.Optimiser.state
    monkeypatch.setattr(
        loop.Optimiser, "state", lambda self: state(self) | {"w/exp_avg_sq": torch.tensor(float("inf"))}
    )
    with pytest.raises(NonFiniteError, match="exp_avg_sq"):
        run_tiny(tmp_path, EARLY)
    assert not list(tmp_path.glob("state-*"))


def test_stop_after_stops_in_time_and_goes_on(tmp_path):
    began = []
    assert not run_tiny(
        tmp_path, tiny_config(steps=1000), stop_after=0.2, on_step=lambda done, model: began.append(done)
    )
    assert began[-1] < 1000
    assert checkpoint.load_latest(tmp_path, tiny_config(steps=1000).sha256)[2]["step"] == began[-1]


def test_seconds_of_training_add_up(tmp_path):
    seconds = []
    for _ in range(3):
        run_tiny(tmp_path, tiny_config(), stop_after=0)
        seconds.append(checkpoint.load_latest(tmp_path, tiny_config().sha256)[2]["train_seconds"])
    assert 0 < seconds[0] < seconds[1] < seconds[2]


def test_the_same_step_is_drawn_whatever_came_before(whole, tmp_path):
    torch.manual_seed(123)  # nothing in a run may look at the global generator
    torch.rand(7)
    assert run_tiny(tmp_path, EARLY, on_step=lambda done, model: torch.rand(done))
    assert state_bytes(tmp_path) == state_bytes(whole)


def test_a_training_in_a_thread_leaves_signals_alone(tmp_path):
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(run_tiny, tmp_path / "run", tiny_config(steps=2)).result()
