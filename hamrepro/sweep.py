"""Sweeps of seeds, models and data sets over a cluster, through submitit: the same folders and records as by hand."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from hamrepro import records
from hamrepro.checkpoint import unwritable
from hamrepro.continuation import train_all_cycles
from hamrepro.datasets import load
from hamrepro.errors import ConfigError, InUseError
from hamrepro.presets import configure
from hamrepro.shipping import evaluate_shipped, record, ship
from hamrepro.tables import table_1

CLUSTERS = ("slurm", "local")
LEAVE = 150.0  # seconds a training ends before its job's limit; submitit's warning comes 90 before it
POLL = 5.0  # seconds between looks at a job


class Job(NamedTuple):
    """One training, evaluated to a record of its own. What is done is skipped, what was stopped goes on.

    Attributes:
        runs: where the run, the weights and the record go, `<runs>/<preset>/`, as with `hamrepro retrain`.
        stop_after: seconds after which the training saves and ends. cpus: threads.
    """

    preset: str
    dataset: str
    model: str
    seed: int
    runs: Path
    device: str = "cpu"
    stop_after: float | None = None
    cpus: int = 1

    def __call__(self) -> bool:
        """Train, ship, evaluate, record; whether all of it is done."""
        torch.set_num_threads(self.cpus)
        weights, results = self.runs / self.preset / "weights", self.runs / self.preset / "results"
        names = (self.preset, self.dataset, self.model, self.seed)
        if records.record_path(*names, results).exists():
            return bool(records.read(*names, results))
        config = configure(*names[:3])
        clips, began, waiting = load(self.dataset, "train"), time.monotonic(), True
        while waiting:
            left = None if self.stop_after is None else max(1.0, self.stop_after - (time.monotonic() - began))
            options = {"weights": weights, "device": self.device, "stop_after": left}
            try:
                done, waiting = train_all_cycles(config, self.seed, clips, self.runs, **options)[1], False
            except InUseError:  # another job trains the cycle that both of them begin with
                time.sleep(POLL)
        if not done:
            return False
        ship(*names, self.runs, weights)
        record(evaluate_shipped(*names, device=self.device, weights=weights), results=results)
        return True

    def checkpoint(self) -> Any:
        """Called by submitit at its signal, USR2: the same job is queued again, and resumes."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def jobs(
    preset: str, datasets: Sequence[str], models: Sequence[str], seeds: Sequence[int], runs: Path, **options: Any
) -> list[Job]:
    """Every combination.

    Raises:
        ConfigError: an unknown name, before anything is submitted.
    """
    combinations = list(dict.fromkeys(itertools.product(datasets, models, seeds)))
    for dataset, model, _ in combinations:
        configure(preset, dataset, model)
    return [Job(preset, *names, Path(os.path.abspath(runs)), **options) for names in combinations]


def submit(todo: Sequence[Job], folder: Path, cluster: str, parallel: int, **parameters: Any) -> Iterator[Any]:
    """Hand jobs to `slurm` as one array, or run them here as processes (`local`), `parallel` at a time.

    Args:
        folder: where submitit leaves its files and each job's output.
        parameters: of `submitit.AutoExecutor.update_parameters`, as `timeout_min` or `slurm_partition`.

    Yields:
        submitit's jobs, as they are submitted.

    Raises:
        ConfigError: submitit is missing, or there is no such cluster here. CheckpointError: nothing can be written.
    """
    if cluster not in CLUSTERS:
        raise ConfigError(f"cluster {cluster!r}", " or ".join(CLUSTERS), "--cluster local")
    try:
        import submitit
    except ImportError as error:
        raise ConfigError("submitit is not installed", "the extra `scale`", 'pip install "hamrepro[scale]"') from error
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
        if cluster == "slurm":
            parameters |= {"slurm_array_parallelism": parallel}
        executor.update_parameters(**parameters)
        if cluster == "slurm":
            with executor.batch():
                submitted = [executor.submit(job) for job in todo]
    except (RuntimeError, NotImplementedError, NameError, ValueError, submitit.core.utils.FailedJobError) as error:
        raise ConfigError(f"cluster {cluster!r}: {error}", "slurm, or local", "--cluster local") from error
    except OSError as error:
        raise unwritable(folder, error) from error
    if cluster == "slurm":
        yield from submitted
        return
    for first in range(0, len(todo), parallel):
        running = [executor.submit(job) for job in todo[first : first + parallel]]
        yield from running
        for job in running:
            job.wait()


def outcome(handle: Any, cluster: str) -> str:
    """Wait for one of submitit's jobs: `done`, `stopped ...`, or `failed: ` and the last it wrote.

    SLURM is asked for its queue. submitit asks for its accounts, which a cluster need not keep; then a job that ended
    without a result would be waited for for ever.
    """

    def over() -> bool:
        if cluster != "slurm":
            return handle.done()
        queue = ["squeue", "--me", "--noheader", "--array", "--format=%i"]
        listed = subprocess.run(queue, capture_output=True, text=True)
        return listed.returncode == 0 and handle.job_id not in listed.stdout.split()

    result = handle.paths.result_pickle
    while not result.exists() and not over():
        time.sleep(POLL)
    if not result.exists():
        time.sleep(POLL)  # a shared file system may be late
    if result.exists() and handle.exception() is None:
        return "done" if handle.result() else "stopped; the same command goes on"
    lines = [line.strip() for line in (handle.stderr() or "").splitlines()]
    said = [line for line in lines if line and not line.startswith(("srun:", "submitit "))]
    named = [number for number, line in enumerate(said) if re.match(r"[\w.]+(Error|Exception|Interrupt)\b", line)]
    return f"failed: {'; '.join(said[named[-1] if named else -1 :]) or 'it wrote nothing'}"


@contextmanager
def _ended_with_this(handles: Sequence[Any], cluster: str) -> Iterator[None]:
    """Jobs that run here get a SIGTERM where this process does: they save, and the same sweep goes on with them."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for handle in handles if cluster == "local" else ():
            if not handle.done():
                os.kill(int(handle.job_id), signal.SIGTERM)


def sweep(
    preset: str,
    datasets: Sequence[str],
    models: Sequence[str],
    seeds: Sequence[int],
    runs: Path,
    *,
    device: str = "cpu",
    cluster: str = "slurm",
    parallel: int = 8,
    hours: float = 12,
    cpus: int = 1,
    memory: float | None = None,
    partition: str | None = None,
) -> list[str]:
    """Submit every combination, wait, and print Table 1 of what there is then. Jobs that run here end with the sweep.

    Args:
        hours, cpus, memory: of a job; memory in GB, where the cluster has no rule of its own.

    Returns:
        What became of each job, see `outcome`; the same call goes on with those that are not done.

    Raises:
        ConfigError: an unknown name or cluster, or submitit is missing.
    """
    limits = {"stop_after": 3600 * hours - LEAVE, "cpus": cpus}
    todo = jobs(preset, datasets, models, seeds, runs, device=device, **limits)
    parameters: dict[str, Any] = {"timeout_min": max(1, round(60 * hours)), "name": "hamrepro"}
    if cluster == "slurm":  # from SLURM 22.05 on, srun has to be told what sbatch was
        parameters |= {"cpus_per_task": cpus, "slurm_srun_args": [f"--cpus-per-task={cpus}"]}
        parameters |= {"mem_gb": memory} if memory else {}
        parameters |= {"slurm_partition": partition} if partition else {}
        parameters |= {"gpus_per_node": 1} if device.startswith("cuda") else {}
    states: list[str] = []
    submitted: list[Any] = []
    with _ended_with_this(submitted, cluster):
        for handle in submit(todo, runs / preset / "jobs", cluster, parallel, **parameters):
            submitted.append(handle)
        for job, handle in zip(todo, submitted, strict=True):
            states.append(outcome(handle, cluster))
            print(f"{job.dataset} {job.model} seed {job.seed}: {states[-1]}", flush=True)
    for dataset in datasets:
        print(table_1(preset, dataset, results=runs / preset / "results").to_string(), flush=True)
    return states
