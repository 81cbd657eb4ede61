"""Command line: `python -m hamrepro`."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from hamrepro import scale_commands
from hamrepro.errors import ConfigError, HamreproError
from hamrepro.options import Dataset, Device, Model, Preset, Runs, Seed

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
data = typer.Typer(no_args_is_help=True, help="Fetch and check data sets.")
app.add_typer(data, name="data")
app.add_typer(scale_commands.app)


def seconds(duration: str) -> float:
    """`90`, `90s`, `9m`, `2h` in seconds.

    Raises:
        ConfigError: anything else.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", duration)
    if not found:
        raise ConfigError(f"duration {duration!r}", "a number with s, m or h, as in 9m")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


@data.command()
def fetch(dataset: str = "sprites") -> None:
    """Download the pinned LPC sheets; files already right are kept."""
    from hamrepro.sheets import fetch as fetch_sheets

    if dataset != "sprites":
        raise ConfigError(f"{dataset!r} cannot be fetched", "sprites", f"python -m hamrepro data check {dataset}")
    typer.echo(fetch_sheets())


@data.command()
def check(dataset: str) -> None:
    """Print the sha256 of every block of a data set; exit 0 only where all are as expected."""
    from hamrepro.datasets import check as check_blocks

    blocks = check_blocks(dataset)
    for block, digest, expected, right in blocks:
        typer.echo(f"{'ok ' if right else 'BAD'} {digest} {block}" + ("" if right else f" (expected {expected})"))
    if not all(right for *_, right in blocks):
        raise typer.Exit(1)


@app.command()
def train(
    preset: Preset = "laptop",
    dataset: Dataset = "sprites",
    model: Model = "halo-sp",
    seed: Seed = 0,
    runs: Runs = Path("runs"),
    device: Device = "cpu",
    stop_after: Annotated[str | None, typer.Option(help="save and stop after this long, as in 9m")] = None,
) -> None:
    """Train one model, or go on with it. Exit 0 when all steps are done, 75 when stopped early."""
    from hamrepro.config import configure
    from hamrepro.datasets import load
    from hamrepro.train import run_folder
    from hamrepro.train import train as train_model

    config = configure(preset, dataset, model)
    folder = run_folder(runs, config, seed)
    limit = None if stop_after is None else seconds(stop_after)
    done = train_model(config, seed, load(dataset, "train"), folder, device=device, stop_after=limit)[1]
    typer.echo(f"{folder}: {'done' if done else 'stopped; the same command goes on'}")
    if not done:
        raise typer.Exit(75)


@app.command()
def ship(
    preset: Preset = "laptop",
    dataset: Dataset = "sprites",
    model: Model = "halo-sp",
    seed: Seed = 0,
    runs: Runs = Path("runs"),
) -> None:
    """Turn a finished run into shipped weights: float16, with a card that says what they are."""
    from hamrepro.shipping import ship as ship_run

    typer.echo(ship_run(preset, dataset, model, seed, runs))


@app.command()
def judge(
    dataset: Dataset = "sprites",
    seed: Seed = 0,
    device: Device = "cpu",
    blur: Annotated[bool, typer.Option(help="the second judge, trained with blur, noise and brightness")] = False,
    weights: Annotated[Path | None, typer.Option(help="folder of weights; default: data/weights")] = None,
) -> None:
    """Train the judge of a data set, examine it on real test clips, ship it with its card. Exit 1 below its gate."""
    from hamrepro.judging import ship_judge
    from hamrepro.records import WEIGHTS

    path, card = ship_judge(dataset, blur=blur, seed=seed, device=device, weights=weights or WEIGHTS)
    for reading, found in card["test"].items():
        shown = ("accuracy", "h_y_given_x", "h_y", "calibration_error")
        scores = "  ".join(f"{name} {found[name]:.5f}" for name in shown)
        typer.echo(f"{reading:9} {scores}")
    typer.echo(path)
    if card["below_gate"]:
        typer.echo(f"refuses to score: {'; '.join(card['below_gate'])}", err=True)
        raise typer.Exit(1)


@app.command()
def evaluate(
    preset: Preset = "laptop",
    dataset: Dataset = "sprites",
    model: Model = "halo-sp",
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="where to write; default: the record under data/results")] = None,
    quick: Annotated[bool, typer.Option(help="only the fixed share of the test clips")] = False,
    protocols: Annotated[bool, typer.Option("--protocols", help="Table 2, added to the record of Table 1")] = False,
    draws: Annotated[int, typer.Option(min=1, help="of the random code, with --protocols")] = 5,
    device: Device = "cpu",
) -> None:
    """Score shipped weights, or a trivial row, on the test set and write the record."""
    from hamrepro.judging import judge_shipped
    from hamrepro.shipping import evaluate_shipped, record

    if protocols:
        result = judge_shipped(preset, dataset, model, seed, quick=quick, draws=draws, device=device)
    else:
        result = evaluate_shipped(preset, dataset, model, seed, quick=quick, device=device)
    typer.echo(record(result, out))


@app.command()
def reevaluate(
    quick: Annotated[bool, typer.Option(help="only the fixed share of the test clips, seed 0")] = False,
    tolerance: float = 1e-3,
) -> None:
    """Recompute every record from its shipped weights and compare; rewrites nothing."""
    from hamrepro.shipping import compare_all

    rows = compare_all(quick=quick, tolerance=tolerance)
    if not all(right for *_, right in rows):
        raise typer.Exit(1)


@app.command()
def retrain(
    preset: Preset = "laptop",
    runs: Runs = Path("runs"),
    device: Device = "cpu",
    stop_after: Annotated[str | None, typer.Option(help="stop after this long, as in 8h; resumable")] = None,
) -> None:
    """Train every model of every table from scratch, all seeds; what is done is skipped."""
    from hamrepro.reproduce import retrain as retrain_all

    if not retrain_all(preset, runs, device, None if stop_after is None else seconds(stop_after)):
        raise typer.Exit(75)


@app.command()
def reproduce() -> None:
    """A short live training, shipped weights against their records on the fixed share, the scorecard."""
    from hamrepro.reproduce import reproduce as reproduce_all

    if not reproduce_all():
        raise typer.Exit(1)


@app.command()
def render() -> None:
    """Draw every committed figure again from the shipped weights, into book/_static/figures."""
    from hamrepro.figures import render as render_figures

    for path in render_figures():
        typer.echo(path)


@app.command()
def verify(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Print the scorecard; exit 1 where a record is missing its origin or was edited."""
    from hamrepro.records import faults
    from hamrepro.tables import scorecard

    table = scorecard()
    typer.echo(json.dumps(table.to_dict("records"), indent=1) if as_json else table.to_string(index=False))
    found = faults()
    for fault in found:
        typer.echo(f"FAULT {fault}", err=True)
    if found:
        raise typer.Exit(1)


def main() -> None:
    """Run a command; a typed error is printed without traceback and ends with code 2."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # huge pages: torch reads it at its first allocation
    try:
        app()
    except HamreproError as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
