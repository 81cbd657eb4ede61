"""Commands of speed and scale: `bench`, `quality`, `sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hamrepro.options import Dataset, Device, Model, Out, Preset, Runs, StopAfter, exit_unless

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def bench(
    only: Annotated[list[str] | None, typer.Option(help="a section, repeatable; default: all of them")] = None,
    preset: Preset = "laptop",
    device: Device = "cpu",
    rounds: Annotated[int, typer.Option(min=1, help="turns of each race")] = 5,
    clips: Annotated[int, typer.Option(min=2, help="clips of a training step")] = 24,
    out: Out = None,
) -> None:
    """Measure speed beside the slow reference and keep it in the record of this machine."""
    from hamrepro.bench import bench as bench_all
    from hamrepro.bench import entries_of, rows
    from hamrepro.benchmarks import Conditions
    from hamrepro.precision import choose_device

    on = Conditions(choose_device(device), preset, rounds=rounds, clips=clips)
    path = bench_all(on, only or (), out)
    for name, row in rows(entries_of(path)).items():
        ratio = f"   {row['ratio']} x {row['slow reference']}" if row["ratio"] else ""
        typer.echo(f"{name:52} {row['median']:>14}  n {row['n']}{ratio}")
    typer.echo(path)


@app.command()
def quality(
    preset: Preset = "laptop",
    dataset: Dataset = "sprites",
    model: Model = "halo-sp",
    target: Annotated[list[str] | None, typer.Option(help="repeatable; default: ssim/clip/1-8>=0.95")] = None,
    runs: Annotated[int, typer.Option(min=1, help="seeds 0, 1, ...")] = 3,
    device: Device = "cpu",
    every: Annotated[int, typer.Option(min=1, help="steps between looks, which are not timed")] = 100,
    steps: Annotated[int | None, typer.Option(min=1, help="of one run; default: the preset's first cycle")] = None,
    stop_after: StopAfter = None,
    out: Out = None,
) -> None:
    """Seconds of training to a quality on validation characters, kept in this machine's benchmark record."""
    from hamrepro.bench import keep, require_room, rows
    from hamrepro.precision import choose_device
    from hamrepro.time_to_quality import time_to_quality

    place = choose_device(device)
    require_room(place, out)
    targets, options = target or ["ssim/clip/1-8>=0.95"], {"every": every, "steps": steps, "stop_after": stop_after}
    entries = time_to_quality(preset, dataset, model, targets, runs, device=device, **options)
    for name, row in rows(entries).items():
        typer.echo(f"{name}: {row['median']} ({row['quartiles']}), n {row['n']}")
    typer.echo(keep(entries, place, out))


@app.command()
def sweep(
    preset: Preset = "laptop",
    dataset: Annotated[list[str] | None, typer.Option(help="repeatable; default: sprites")] = None,
    model: Annotated[list[str] | None, typer.Option(help="repeatable; default: halo-sp and halo-u")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="0, 1, ...")] = 3,
    runs: Runs = Path("runs"),
    device: Device = "cpu",
    cluster: Annotated[str, typer.Option(help="slurm, or local")] = "slurm",
    parallel: Annotated[int, typer.Option(min=1, help="jobs at a time")] = 8,
    hours: Annotated[float, typer.Option(min=0.1, max=8760, help="limit of a job; the rest is done later")] = 12,
    cpus: Annotated[int, typer.Option(min=1, help="of a job, as threads")] = 1,
    memory: Annotated[float | None, typer.Option(help="GB of a job; default: the cluster's")] = None,
    partition: Annotated[str | None, typer.Option(help="of SLURM")] = None,
) -> None:
    """Train and evaluate every combination as jobs of a cluster. Exit 1 where one failed, 75 where one was stopped."""
    from hamrepro.sweep import sweep as sweep_all

    datasets, models = dataset or ["sprites"], model or ["halo-sp", "halo-u"]
    options = {"device": device, "cluster": cluster, "parallel": parallel, "hours": hours}
    options |= {"cpus": cpus, "memory": memory, "partition": partition}
    states = sweep_all(preset, datasets, models, range(seeds), runs, **options)
    exit_unless(not any(state.startswith("failed") for state in states))
    exit_unless(set(states) == {"done"}, 75)
