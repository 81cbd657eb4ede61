"""The two long verbs: reproduce in minutes, retrain in a night."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from hamrepro import checkpoint
from hamrepro.cycles import BRIEF, FIRST_CYCLE, LONG, NO_MMD, ONE_CYCLE, RUNNING_AVERAGES, SECOND_CYCLE, SHORT
from hamrepro.datasets import load
from hamrepro.errors import MissingDataError
from hamrepro.face_sources import drawn
from hamrepro.judging import recompute
from hamrepro.presets import IN_CYCLES, NARROW, OF_LAPTOP, UNSHIFTED, WIDE, configure
from hamrepro.reevaluation import compare_all
from hamrepro.tables import scorecard, table_1
from hamrepro.train import run_folder, train

ABLATED = ("sp", "u", "elliptic", "linear", "gru")
OF_CYCLES = {FIRST_CYCLE, SECOND_CYCLE, SHORT, NO_MMD, LONG, RUNNING_AVERAGES, UNSHIFTED, NARROW}  # the recipe's


def _each(*variants: str) -> tuple[str, ...]:
    return tuple(f"{model}+{variant}" for variant in variants for model in ("halo-sp", "halo-u"))


#             data set               models                  seeds
EXPERIMENTS: tuple[tuple[str, tuple[str, ...], tuple[int, ...]], ...] = (
    ("sprites",            _each(SECOND_CYCLE), (0, 1, 2)),
    ("sprites",            ("halo-sp", "halo-u"), (0, 1, 2)),
    ("sprites",            (f"halo-sp+{LONG}", f"halo-sp+{LONG}+{SECOND_CYCLE}", "halo-u+k9"), (0,)),
    ("sprites",            ("dsvae", "s3vae", "cdsvae", "skd", "mocogan"), (0,)),
    ("sprites",            tuple(f"halo-{family}+{BRIEF}" for family in ABLATED), (0,)),
    ("sprites",            _each(FIRST_CYCLE, SHORT, NO_MMD), (0,)),
    ("sprites",            tuple(f"halo-sp+{WIDE}+{cycle}" for cycle in (FIRST_CYCLE, SHORT, NO_MMD)), (0,)),
    ("sprites",            (f"halo-sp+{WIDE}", f"dsvae+{WIDE}"), (0,)),
    ("sprites",            _each(ONE_CYCLE), (0,)),
    ("sprites-procedural", ("halo-sp", "halo-u"), (0,)),
    ("faces-procedural",   ("halo-sp", "halo-u", "dsvae", "s3vae", "mocogan"), (0,)),
    ("faces-procedural",   _each(FIRST_CYCLE, SECOND_CYCLE, RUNNING_AVERAGES, UNSHIFTED, NARROW), (0,)),
)  # fmt: skip


def _in_minutes(names: tuple[str, str, str, int]) -> bool:
    """Whether a record is compared here: of seed 0, and on faces only where they need not be drawn first."""
    ready = names[1] != "faces-procedural" or drawn()
    if not ready:
        print(f"skipped {'/'.join(map(str, names))}: faces not drawn yet; python -m hamrepro data check {names[1]}")
    return ready and names[3] == 0


def _minus_elbo(row: dict[str, float]) -> float:
    """The bound itself, whatever the weight of its KL terms was in the loss, nats a clip."""
    return row["kl_position"] + row["kl_momentum"] + row["kl_content"] - row["reconstruction"]


def reproduce(runs: Path = Path("runs", "reproduce")) -> bool:
    """A live training of preset `smoke`, then the shipped seed-0 weights against their records, HALO-H judged too.

    The real sheets and the drawn faces are used where they are at hand, procedural Sprites always. Writes to `runs`.

    Returns:
        Whether the training improved the bound and every recomputed metric matches its record.
    """
    config = configure("smoke", "sprites-procedural", "halo-sp")
    folder = run_folder(runs, config, 0)
    with checkpoint.lock(folder):
        for state in folder.glob(checkpoint.STATES):
            shutil.rmtree(state, ignore_errors=True)
    print(f"1. A live training: {config.training.steps} steps of preset smoke on procedural Sprites", flush=True)
    if not train(config, 0, load("sprites-procedural", "train"), folder)[1]:
        raise KeyboardInterrupt
    bounds = [_minus_elbo(json.loads(line)) for line in (folder / "stats.jsonl").read_text().splitlines()]
    print(f"   minus ELBO: {bounds[0]:.0f} nats a clip at first, {bounds[-1]:.0f} at the end", flush=True)
    print("2. Shipped weights of seed 0, scored again on the fixed share of the test clips", flush=True)
    rows = compare_all(quick=True, tolerance=1e-3, wanted=_in_minutes, judged=lambda names: names[2] == "halo-sp")
    print("3. The scorecard\n")
    print(scorecard().to_string(index=False))
    return bounds[-1] < bounds[0] and bool(rows) and all(right for *_, right in rows)


def retrain(preset: str, runs: Path, device: str = "cpu", stop_after: float | None = None) -> bool:
    """Train, evaluate and judge every model of every table; finished ones are skipped, a stopped one goes on.

    The judges are the shipped ones. Weights and records go to `<runs>/<preset>/weights` and `results`, never over
    what is shipped.

    Returns:
        Whether everything is done.
    """
    began, jobs = time.monotonic(), [(d, m, s) for d, models, seeds in EXPERIMENTS for m in models for s in seeds]
    jobs = [job for job in jobs if preset in IN_CYCLES or not OF_CYCLES & {*job[1].split("+")}]
    jobs = [job for job in jobs if preset == "laptop" or not OF_LAPTOP & {*job[1].split("+")}]
    weights, results = runs / preset / "weights", runs / preset / "results"
    for number, (dataset, model, seed) in enumerate(jobs, 1):
        print(f"[{number} of {len(jobs)}] {preset} {dataset} {model} seed {seed}", flush=True)
        try:
            load(dataset, "train")
        except MissingDataError as error:
            print(f"   not run: {error}", flush=True)
            continue
        left = None if stop_after is None else max(1.0, stop_after - (time.monotonic() - began))
        places = {"runs": runs, "weights": weights, "results": results}
        if not recompute(preset, dataset, model, seed, **places, device=device, stop_after=left, keep=True):
            return False
        print(table_1(preset, dataset, results=results).to_string(), flush=True)
    return True
