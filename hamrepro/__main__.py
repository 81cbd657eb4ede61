"""Command line: `python -m hamrepro`."""

from __future__ import annotations

import json
import os
import re
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from hamrepro import data_commands, scale_commands
from hamrepro.errors import ConfigError, HamreproError
from hamrepro.options import Dataset, Device, Model, Out, Preset, Quick, Runs, Seed, StopAfter, exit_unless

EXTRAS = ("pandas", "matplotlib", "torchvision")  # what the library does without

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(data_commands.app, name="data")
app.add_typer(scale_commands.app)


@app.command()
def train(
    preset: Preset = "laptop",
    dataset: Dataset = "sprites",
    model: Model = "halo-sp",
    seed: Seed = 0,
    runs: Runs = Path("runs"),
    device: Device = "cpu",
    stop_after: StopAfter = None,
) -> None:
    """Train one model, or go on with it. Exit 0 when all steps are done, 75 when stopped early."""
    from hamrepro.continuation import train_all_cycles
    from hamrepro.datasets import actions, load
    from hamrepro.presets import configure
    from hamrepro.train import run_folder

    config, clips = configure(preset, dataset, model, actions(dataset)), load(dataset, "train")
    done = train_all_cycles(config, seed, clips, runs, device=device, stop_after=stop_after)[1]
    folder = run_folder(runs, config, seed)
    typer.echo(f"{folder}: {'done' if done else 'stopped; the same command goes on'}")
    exit_unless(done, 75)


@app.command()
def animate(
    preset: Preset = "laptop",
    dataset: Dataset = "sprites",
    model: Model = "halo-sp",
    seed: Seed = 0,
    runs: Runs = Path("runs"),
    split: Annotated[str, typer.Option(help="of the clips shown: test, validation, fit or train")] = "test",
    out: Annotated[Path | None, typer.Option(help="where to write; default: animations in the run's folder")] = None,
) -> None:
    """Write GIFs of a finished run: motions swapped between clips, single images moved by every operator."""
    from hamrepro.animation import animate as animate_clips
    from hamrepro.datasets import actions, load
    from hamrepro.presets import configure
    from hamrepro.shipping import load_run
    from hamrepro.train import run_folder

    config, clips = configure(preset, dataset, model, actions(dataset)), load(dataset, split)
    network, folder = load_run(config, seed, runs, clips), run_folder(runs, config, seed)
    for path in animate_clips(network, clips, out or folder / "animations"):
        typer.echo(path)


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
    exit_unless(not card["below_gate"])


@app.command()
def evaluate(
    preset: Preset = "laptop",
    dataset: Dataset = "sprites",
    model: Model = "halo-sp",
    seed: Seed = 0,
    out: Out = None,
    quick: Quick = False,
    protocols: Annotated[bool, typer.Option("--protocols", help="Table 2, added to the record of Table 1")] = False,
    draws: Annotated[int, typer.Option(min=1, help="of the random code, with --protocols")] = 5,
    device: Device = "cpu",
) -> None:
    """Score shipped weights, or a trivial row, on the test set and write the record."""
    from hamrepro import controls
    from hamrepro import evaluate as generation
    from hamrepro.judging import judge_shipped
    from hamrepro.shipping import evaluate_shipped, record, require_room

    require_room(preset, dataset, model, seed, out)
    if model in {*controls.TRIVIAL} - {*generation.TRIVIAL} and not protocols:
        raise ConfigError(f"{model} has no row in Table 1", "a row of Table 2", "the same command with --protocols")
    if protocols:
        result = judge_shipped(preset, dataset, model, seed, quick=quick, draws=draws, device=device)
    else:
        result = evaluate_shipped(preset, dataset, model, seed, quick=quick, device=device)
    typer.echo(record(result, out))


@app.command()
def reevaluate(
    quick: Quick = False,
    tolerance: Annotated[float, typer.Option(min=0, max=1)] = 1e-3,
) -> None:
    """Recompute every record from its shipped weights and compare; Table 2 on the fixed share. Rewrites nothing."""
    from hamrepro.reevaluation import compare_all

    rows = compare_all(quick=quick, tolerance=tolerance, judged=lambda names: True)
    exit_unless(bool(rows) and all(right for *_, right in rows))


@app.command()
def retrain(
    preset: Preset = "laptop",
    runs: Runs = Path("runs"),
    device: Device = "cpu",
    stop_after: StopAfter = None,
) -> None:
    """Train every model of every table from scratch, all seeds; what is done is skipped."""
    from hamrepro.reproduce import retrain as retrain_all

    exit_unless(retrain_all(preset, runs, device, stop_after), 75)


@app.command()
def reproduce() -> None:
    """A short live training, shipped weights against their records on the fixed share, the scorecard."""
    from hamrepro.reproduce import reproduce as reproduce_all

    exit_unless(reproduce_all())


@app.command()
def render() -> None:
    """Draw every committed figure again, into book/figures: schematics, and clips of the shipped weights."""
    from hamrepro.figures import render as render_figures
    from hamrepro.schematics import render as render_schematics

    for path in render_schematics() + render_figures():
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
    exit_unless(not found)


def main() -> None:
    """Run a command; a typed error is printed without traceback and ends with code 2."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # huge pages: torch reads it at its first allocation
    if sys.stderr is None:  # closed by who called
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):  # a path may be no text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
        return
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who read has gone: nothing is left to say
        sys.exit(1)
    except OSError as error:
        fault = ConfigError(str(error), "files and folders that can be read and written", "look at them")
    except HamreproError as error:
        fault = error
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        fault = ConfigError(f"{error.name} is not installed", "the extra that has it", 'pip install "hamrepro[tables]"')
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not re.search("out of memory|allocate memory", str(error)):
            raise
        given = f"out of memory: {str(error).strip().splitlines()[0][:160]}" if str(error) else "out of memory"
        fault = ConfigError(given, "room for this preset", "--preset laptop, or fewer clips")
    typer.echo(f"{type(fault).__name__}: {fault}", err=True)
    if not fault.next_step:
        typer.echo(f"  next: python -m hamrepro {sys.argv[1]} --help", err=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
