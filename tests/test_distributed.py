"""Two processes under torchrun see the clips of one, and their losses, weights and statistics are its own.

Compared in float64, where twenty steps do not blow up what rounding began. As a program under torchrun:
`tests/test_distributed.py FOLDER` trains the tiny model there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import TinyClips, run_tiny, tiny_config

import hamrepro.batches as batches
import hamrepro.train as loop
from hamrepro import checkpoint, continuation, shipping
from hamrepro.distributed import Processes
from hamrepro.errors import CheckpointError, ConfigError
from hamrepro.models import build

STEPS, BATCHES = 20, 2


class Seen(TinyClips):
    """Writes down which clips are asked for."""

    def __init__(self):
        super().__init__(12)
        self.asked = []

    def clips(self, index, start=None, frames=None):
        self.asked.append(index.tolist())
        return super().clips(index, start, frames)


def config(steps=STEPS):
    return tiny_config(model="halo-u+adam", steps=steps, batch=8, checkpoint_every=10, population_batches=BATCHES)


def work(folder):
    """The tiny training with everything in float64; which clips it asked for."""
    seen, before = Seen(), (loop.LOG_EVERY, batches.normalise)
    loop.LOG_EVERY, batches.normalise = 1, lambda clips: clips.double() / 127.5 - 1
    torch.set_default_dtype(torch.float64)
    try:
        run_tiny(folder, config(), seen)
    finally:
        torch.set_default_dtype(torch.float32)
        loop.LOG_EVERY, batches.normalise = before
    return seen.asked


def cycles(folder):
    """Two cycles of three steps, a save of the first process taking a while."""
    first = replace(tiny_config(model="halo-u", steps=3, batch=4), model="halo-u+first-cycle")
    second = replace(first, model="halo-u", training=replace(first.training, continues=first.model))
    save = checkpoint.save_state
    checkpoint.save_state = lambda *given: (time.sleep(1), save(*given))
    for module in (continuation, shipping):
        module.continued = lambda config: first if config.training.continues else None
    assert continuation.train_all_cycles(second, 0, TinyClips(), folder, weights=folder / "weights")[1]


def onset(folder):
    """Four steps, in the last two of which there is an adversary."""
    one = tiny_config(model="halo-u", steps=4, batch=4, content_adversary=7.0, adversary_prior=True, onset=0.5)
    run_tiny(folder, one, TinyClips())


def torchrun(folder, *words):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.run([*command, __file__, str(folder), *words], capture_output=True, text=True, timeout=500)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One training on one process and on two."""
    folder = tmp_path_factory.mktemp("runs")
    asked = work(folder / "one")
    done = torchrun(folder / "two")
    assert done.returncode == 0, done.stderr
    return folder, asked


def rows(path):
    return [json.loads(line) for line in (path / "stats.jsonl").read_text().splitlines()]


def test_the_same_clips_are_seen(runs):
    folder, asked = runs
    shares = [json.loads((folder / f"two-rank{rank}.json").read_text()) for rank in (0, 1)]
    assert len(asked) == STEPS + BATCHES
    assert [first + second for first, second in zip(*shares, strict=True)] == asked


def test_the_same_loss_over_twenty_steps(runs):
    folder, _ = runs
    one, two = rows(folder / "one"), rows(folder / "two")
    assert [row["step"] for row in two] == list(range(1, STEPS + 1))
    for name in ("loss", "reconstruction", "kl_position", "kl_momentum", "kl_content"):
        for row, other in zip(one, two, strict=True):
            assert other[name] == pytest.approx(row[name], rel=1e-6), (name, row["step"])


def test_weights_and_statistics_are_those_of_one_process(runs):
    """A bias before a batch norm has a gradient of rounding alone, which Adam makes steps of; the mean follows it."""
    folder, _ = runs
    one, two = (checkpoint.load_latest(folder / name, config().sha256)[0] for name in ("one", "two"))
    assert one.keys() == two.keys()
    off = {name: float((two[name] - value).abs().max()) for name, value in one.items()}
    means = [name for name in off if name.endswith("running_mean")]
    assert len(means) > 10
    for name in means:
        *place, number, _ = name.split(".")
        bias = ".".join([*place, str(int(number) - 1), "bias"])
        assert off.pop(name) <= off[bias] + 1e-9, name
        del off[bias]
    assert not {name: most for name, most in off.items() if most > 1e-8}


def test_the_record_says_how_many_there_were(runs):
    folder, _ = runs
    said = [json.loads((folder / name / "environment.json").read_text())["processes"] for name in ("one", "two")]
    assert said == [1, 2]


def test_another_number_of_processes_is_refused(runs):
    folder, _ = runs
    with pytest.raises(CheckpointError, match="trained by 2 processes, not 1") as caught:
        run_tiny(folder / "two", config(), Seen())
    assert "--nproc-per-node 2" in caught.value.next_step
    assert len(rows(folder / "two")) == STEPS


def test_a_second_cycle_begins_with_what_the_first_saved(tmp_path):
    done = torchrun(tmp_path, "cycles")
    assert done.returncode == 0, done.stderr
    states = sorted(path.parent.parent.name for path in tmp_path.rglob("state-*3"))
    assert states == ["halo-u", "halo-u+first-cycle"]


def test_an_adversary_that_sets_in_later_is_waited_for(tmp_path):
    done = torchrun(tmp_path, "onset")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path)[-1]["content_adversary"] > 0


@pytest.mark.parametrize("name", ["s3vae", "cdsvae", "skd", "mocogan"])
def test_models_that_compare_clips_are_refused(name):
    with pytest.raises(ConfigError, match="on 2 processes"):
        Processes(0, 2).loss(build(tiny_config(model=name), 0))


def test_shares_are_equal_and_have_statistics():
    assert [Processes(rank, 3).rows(6) for rank in range(3)] == [slice(0, 2), slice(2, 4), slice(4, 6)]
    for batch, size in ((7, 2), (2, 2), (8, 3)):
        with pytest.raises(ConfigError, match="clips on"):
            Processes(0, size).rows(batch)


if __name__ == "__main__":
    import os

    torch.set_num_threads(1)
    target = Path(sys.argv[1])
    if "cycles" in sys.argv:
        cycles(target)
    elif "onset" in sys.argv:
        onset(target)
    else:
        seen = work(target)
        target.with_name(f"{target.name}-rank{os.environ['RANK']}.json").write_text(json.dumps(seen))
