"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Preset = Annotated[str, typer.Option(help="smoke, laptop, paper or official")]
Dataset = Annotated[str, typer.Option(help="sprites, sprites-procedural, faces-procedural or mug")]
Model = Annotated[str, typer.Option(help="halo-sp, halo-u, ...; variants as in halo-sp+windows-first")]
Seed = Annotated[int, typer.Option(min=0)]
Runs = Annotated[Path, typer.Option(help="folder of the runs")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")]
