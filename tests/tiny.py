"""A training of seconds: a handful of clips, the smallest network, and what a run leaves, reduced to a hash.

As a program, `python tests/tiny.py FOLDER KILLS`: kill trainings at random instants until KILLS of them have died,
let them end, kill saves at every call that touches the disk, and print what came of it as JSON. Killed are forks of the
program, so that torch is imported once.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

import hamrepro.train as loop
from hamrepro import checkpoint
from hamrepro.config import RunConfig
from hamrepro.datasets import ClipSet
from hamrepro.presets import configure
from hamrepro.randomness import generator

STEPS, EVERY = 18, 3


class TinyClips:
    """Coloured squares that move: 6 clips of 4 frames."""

    name, split, frames, cyclic = "sprites-procedural", "train", 4, True

    def __init__(self, count: int = 6, identity: str = "tiny") -> None:
        self.sha256 = sha256(identity.encode()).hexdigest()
        self.targets = {"action": torch.arange(count) % 3, "view": torch.arange(count) % 2}
        self.classes = {"action": ("a", "b", "c"), "view": ("left", "right")}
        self.groups = torch.arange(count) % max(1, count // 3)
        self.colours = torch.randint(40, 256, (count, 3), generator=generator(7, "faces"), dtype=torch.uint8)

    def __len__(self) -> int:
        return len(self.groups)

    def clips(self, index: Tensor, start: Tensor | None = None, frames: int | None = None) -> Tensor:
        length = frames or self.frames
        made = torch.zeros(len(index), length, 3, 64, 64, dtype=torch.uint8)
        for row, number in enumerate(index.tolist()):
            first = 0 if start is None else int(start[row])
            for time_ in range(length):
                left = 4 + (9 + 2 * (number % 2)) * ((first + time_) % self.frames)
                top = 8 + 6 * int(self.targets["action"][number])
                made[row, time_, :, top : top + 24, left : left + 20] = self.colours[number][:, None, None]
        return made

    def starts(
        self, index: Tensor, generator: torch.Generator, policy: str = "first", frames: int | None = None
    ) -> Tensor:
        if policy == "first":
            return torch.zeros(len(index), dtype=torch.int64)
        return torch.randint(self.frames, (len(index),), generator=generator)


def tiny_config(
    precision: str = "float32", *, model: str = "halo-u", steps: int = STEPS, **training: object
) -> RunConfig:
    """Preset `smoke` with the narrowest layers."""
    config = configure("smoke", "sprites-procedural", model)
    network = replace(
        config.network,
        encoder_widths=(4,) * 5,
        decoder_widths=(4,) * 5,
        hidden=(16, 16),
        features=16,
        content=8,
        half_dimension=2,
    )
    changes = {
        "steps": steps,
        "batch": 2,
        "decoded_frames": 2,
        "checkpoint_every": EVERY,
        "precision": precision,
    } | training
    return replace(config, network=network, training=replace(config.training, **changes))


def run_tiny(folder: Path, config: RunConfig | None = None, clips: ClipSet | None = None, **options: object) -> bool:
    """Train, or go on, in a folder; whether all steps are done."""
    return loop.train(config or tiny_config(), 0, TinyClips() if clips is None else clips, folder, **options)[1]


def state_bytes(folder: Path) -> str:
    """One hash of weights, buffers and optimiser of the newest state."""
    state = max(folder.glob("state-*"))
    return sha256(
        (state / "model.safetensors").read_bytes() + (state / "optimiser.safetensors").read_bytes()
    ).hexdigest()


def logged(folder: Path) -> list[int]:
    """Steps of the rows of stats.jsonl."""
    return [json.loads(line)["step"] for line in (folder / "stats.jsonl").read_text().splitlines()]


def fork(work: Callable[[], object]) -> int:
    """Run in a child; its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def kill_until_done(folder: Path, precision: str, kills: int) -> dict[str, object]:
    """The same training twice: once left alone, once killed `kills` times; what each ended with."""
    config = tiny_config(precision)
    began = time.monotonic()
    assert os.waitpid(fork(lambda: run_tiny(folder / "whole", config)), 0)[1] == 0
    whole = time.monotonic() - began
    chance, at, run, trial = random.Random(precision), [], folder / "killed0", 0
    while len(at) < kills:
        child = fork(lambda run=run: run_tiny(run, config))
        time.sleep(chance.uniform(0.02, 0.6) * whole)
        os.kill(child, signal.SIGKILL)
        if os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            at.append(max((int(path.name[6:]) for path in run.glob("state-*")), default=0))
        else:  # it was done before the kill: another run takes the rest
            trial += 1
            run = folder / f"killed{trial}"
    ends = []
    for path in sorted(folder.glob("killed*")):
        assert os.waitpid(fork(lambda path=path: run_tiny(path, config)), 0)[1] == 0
        left = [leftover.name for leftover in path.glob(".*.tmp")]
        ends.append({"state": state_bytes(path), "rows": logged(path), "left": left})
    return {"at": at, "whole": state_bytes(folder / "whole"), "rows": logged(folder / "whole"), "ends": ends}


def _die_at(call: int, after: bool) -> None:
    """Make this process kill itself before or after the given call of fsync, replace or rmtree."""
    calls = iter(range(10_000))

    def deadly(function: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*arguments: object, **options: object) -> object:
            last = next(calls) == call
            if last and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*arguments, **options)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return wrapped

    os.fsync, os.replace, shutil.rmtree = deadly(os.fsync), deadly(os.replace), deadly(shutil.rmtree)


def kill_in_save(folder: Path) -> list[dict[str, object]]:
    """Die at every call that touches the disk while state 3 is saved over 1 and 2; what is loaded afterwards."""

    def save(path: Path, step: int) -> None:
        part = {"value": torch.full((4,), float(step))}
        origin = {key: {} for key in checkpoint.ORIGIN}
        checkpoint.save_state(path, step, part, part, {"config_sha256": "tiny"} | origin)

    def work(path: Path, call: int, after: bool) -> None:
        _die_at(call, after)
        save(path, 3)

    found: list[dict[str, object]] = []
    for number in range(1000):
        call, after = divmod(number, 2)
        path = folder / f"save{number}"
        save(path, 1)
        save(path, 2)
        ended = os.waitpid(fork(lambda path=path, call=call, after=after: work(path, call, bool(after))), 0)[1]
        complete = (path / "state-00000003").exists()
        with checkpoint.lock(path):
            weights, _, meta = checkpoint.load_latest(path, "tiny")
        right = bool((weights["value"] == meta["step"]).all())
        found.append(
            {"step": meta["step"], "complete": complete, "right": right, "left": [p.name for p in path.glob(".*.tmp")]}
        )
        if not os.WIFSIGNALED(ended):
            break
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    loop.LOG_EVERY = 2
    root = Path(sys.argv[1])
    run_tiny(root / "warm", tiny_config(steps=1))  # what torch loads late is loaded before the forks
    results = {name: kill_until_done(root / name, name, int(sys.argv[2])) for name in ("float32", "bfloat16")}
    print(json.dumps(results | {"save": kill_in_save(root)}))
