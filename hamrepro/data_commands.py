"""Commands of the data sets: `data fetch`, `data check`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from hamrepro.errors import ConfigError
from hamrepro.options import exit_unless

app = typer.Typer(no_args_is_help=True, help="Fetch and check data sets.")


@app.command()
def fetch(dataset: Annotated[str, typer.Argument()] = "sprites") -> None:
    """Download the pinned LPC sheets; files already right are kept."""
    from hamrepro.sheets import fetch as fetch_sheets

    if dataset != "sprites":
        raise ConfigError(f"{dataset!r} cannot be fetched", "sprites", f"python -m hamrepro data check {dataset}")
    typer.echo(fetch_sheets())


@app.command()
def check(dataset: str) -> None:
    """Print what a data set holds, the sha256 of every block; exit 0 only where all is as expected."""
    from hamrepro.datasets import check as check_blocks

    if dataset == "faces-procedural":
        from hamrepro.face_sources import prepare

        prepare(dataset, workers=os.cpu_count() or 1)
    faults = _check_folder() if dataset == "mug" else False
    blocks = check_blocks(dataset)
    for block, digest, expected, right in blocks:
        typer.echo(f"{'ok ' if right else 'BAD'} {digest} {block}" + ("" if right else f" (expected {expected})"))
    exit_unless(not faults and all(right for *_, right in blocks))


def _check_folder() -> bool:
    """Print what the licensed folder holds and what became of it. True where results would not be MUG's."""
    from hamrepro.face_sources import prepare
    from hamrepro.mug import check as check_folder
    from hamrepro.mug_report import line

    report = check_folder()
    typer.echo("\n".join(report.lines()))
    manifest = prepare("mug", workers=os.cpu_count() or 1)[0]
    typer.echo(f"faces found in {len(manifest['takes'])} of {len(report.takes)} takes")
    for skip in manifest["skipped"]:
        typer.echo(line(skip["key"], skip["reason"], skip["expected"]))
    return bool(report.faults) or not all(skip["expected"] for skip in manifest["skipped"])
