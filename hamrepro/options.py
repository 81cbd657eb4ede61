"""Options that several commands share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from hamrepro.errors import ConfigError
from hamrepro.presets import DATASETS, MODELS, PRESETS

Preset = Annotated[str, typer.Option(help=", ".join(PRESETS))]
Dataset = Annotated[str, typer.Option(help=f"{', '.join(DATASETS)}, own:<folder>")]
Model = Annotated[str, typer.Option(help=f"{', '.join(MODELS)}; variants follow, as in halo-sp+windows-first")]
Seed = Annotated[int, typer.Option(min=0)]
Runs = Annotated[Path, typer.Option(help="folder of the runs")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")]


def seconds(duration: str) -> float:
    """`90`, `90s`, `9m`, `2h` in seconds.

    Raises:
        ConfigError: anything else.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", duration)
    if not found:
        raise ConfigError(f"duration {duration!r}", "a number with s, m or h, as in 9m")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


StopAfter = Annotated[
    float | None, typer.Option(parser=seconds, metavar="DURATION", help="save and stop after this long, as in 9m")
]
Out = Annotated[Path | None, typer.Option(dir_okay=False, help="where to write; default: its place under data/results")]
Quick = Annotated[bool, typer.Option(help="only the fixed share of the test clips")]


def exit_unless(right: bool, code: int = 1) -> None:
    """End with a code where something is not right."""
    if not right:
        raise typer.Exit(code)
