"""The graph behind `make notebooks` and `make reproduce`: what runs again when a text, the code or a record changes.

A chapter's text is `book/NN_name.py`. It is executed in a scratch file through papermill, and only a notebook that
ran to its end replaces another one: `notebooks` refreshes the committed pairs, `reproduce` writes beside them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
BOOK, RUNS, STAGE = ROOT / "book", ROOT / "runs" / "reproduce", ROOT / "_build" / "reproduce"
CHAPTERS = sorted(BOOK.glob("[0-9][0-9]_*.py"))
CODE = sorted(ROOT.glob("hamrepro/**/*.py")) + sorted(ROOT.glob("hamrepro/*.mplstyle"))
RECORDS = sorted(path for path in ROOT.glob("data/**/*") if path.is_file())
DOIT_CONFIG = {"default_tasks": ["notebooks"], "dep_file": ".doit.db.json", "backend": "json", "verbosity": 2}

os.environ.setdefault("OMP_NUM_THREADS", "1")


def execute(source: Path, target: Path) -> None:
    """Run a chapter and write its notebook, without timings or folders of this machine.

    On failure the half-run notebook stays under runs/failed/ and the target is untouched.
    """
    import jupytext
    import nbformat
    import papermill

    scratch = ROOT / "runs" / "failed"
    scratch.mkdir(parents=True, exist_ok=True)
    given, ran = scratch / f"{source.stem}.in.ipynb", scratch / f"{source.stem}.ipynb"
    nbformat.write(jupytext.read(source), given)
    papermill.execute_notebook(
        str(given), str(ran), cwd=str(BOOK), kernel_name="python3", progress_bar=False, log_output=False,
        extra_arguments=["--log-level=40"],
    )  # fmt: skip
    notebook = nbformat.read(ran, 4)
    for metadata in (notebook.metadata, *(cell.metadata for cell in notebook.cells)):
        for key in ("papermill", "execution", "language_info"):
            metadata.pop(key, None)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{source.stem[:2]}-{number:02d}"  # stable: a fresh run changes only what changed
        if cell.metadata.get("tags") == []:
            cell.metadata.pop("tags")
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    given.unlink()
    ran.unlink()


def build() -> None:
    """The book of this run's notebooks, staged so that no tracked file is touched."""
    stage = STAGE / "book"
    shutil.rmtree(STAGE, ignore_errors=True)
    shutil.copytree(BOOK, stage, symlinks=False, ignore=shutil.ignore_patterns("*.py", "*.ipynb", "_toc.yml"))
    shutil.copy(ROOT / "_toc.yml", stage / "_toc.yml")
    for notebook in sorted(RUNS.glob("book/*.ipynb")):
        shutil.copy(notebook, stage / notebook.name)
    program = str(Path(sys.executable).with_name("jupyter-book"))
    options = ["--path-output", str(STAGE), "-W", "-n", "--keep-going"]
    subprocess.run([program, "build", str(stage), *options], cwd=ROOT, check=True)


def _chapters(folder: Path) -> Iterator[dict[str, Any]]:
    for source in CHAPTERS:
        target = folder / f"{source.stem}.ipynb"
        yield {
            "name": source.stem,
            "actions": [(execute, [source, target])],
            "file_dep": [source, *CODE, *RECORDS],
            "targets": [target],
        }


def task_notebooks() -> Iterator[dict[str, Any]]:
    """Refresh the executed pairs book/*.ipynb that are committed."""
    yield from _chapters(BOOK)


def task_execute() -> Iterator[dict[str, Any]]:
    """Execute every chapter into runs/reproduce/book."""
    yield from _chapters(RUNS / "book")


def task_reproduce() -> dict[str, Any]:
    """Build the book of the chapters executed here, into _build/reproduce."""
    executed = [RUNS / "book" / f"{source.stem}.ipynb" for source in CHAPTERS]
    pages = [path for path in BOOK.rglob("*") if path.suffix in {".md", ".bib", ".css", ".png", ".gif", ".svg"}]
    return {
        "actions": [build],
        "task_dep": ["execute"],
        "file_dep": [*executed, *pages, ROOT / "_config.yml", ROOT / "_toc.yml"],
        "targets": [STAGE / "_build" / "html" / "index.html"],
    }
