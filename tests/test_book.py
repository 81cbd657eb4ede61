"""The book: every chapter is one text and its executed pair, and the pair shows nothing of the machine that ran it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext")
nbformat = pytest.importorskip("nbformat")
yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
SOURCES = sorted(BOOK.glob("[0-9][0-9]_*.py"))
EXPERIMENTS = (
    "05_training", "06_generation", "07_disentanglement", "08_motion_swapping", "09_image_to_sequence",
    "10_unconditional", "11_baselines", "22_ablation",
)  # fmt: skip
FORBIDDEN = re.compile(r"site-packages|/home/|/root/|/tmp/|/Users/|\w*Warning: |Traceback|<[\w.]+ object at 0x")

each = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def text_of(output):
    parts = [output.get("text", ""), *output.get("data", {}).values(), *output.get("traceback", [])]
    return "\n".join(part if isinstance(part, str) else "" for part in parts if not str(part).startswith("iVBOR"))


def read(source):
    return jupytext.read(source), nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def test_there_are_chapters():
    assert SOURCES


def test_one_table_of_contents():
    assert (BOOK / "_toc.yml").resolve() == ROOT / "_toc.yml"


def test_every_chapter_is_in_the_contents_and_exists():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    listed = [contents["root"], *(page["file"] for part in contents["parts"] for page in part["chapters"])]
    assert len(listed) == len(set(listed))
    assert {source.stem for source in SOURCES} <= set(listed)
    for page in listed:
        assert any((BOOK / f"{page}{suffix}").exists() for suffix in (".ipynb", ".md")), page


@each
def test_pair_is_the_same_text(source):
    text, executed = (
        [(cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells]
        for notebook in read(source)
    )
    assert text == executed, f"{source.name} and its notebook differ; run: make notebooks"


@each
def test_pair_was_executed_without_injected_parameters(source):
    _, executed = read(source)
    counts = [cell.execution_count for cell in executed.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not any("injected-parameters" in cell.metadata.get("tags", []) for cell in executed.cells)


@each
def test_outputs_show_no_machine_and_no_warning(source):
    _, executed = read(source)
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.get("text")
            assert not (found := FORBIDDEN.search(text_of(output))), found


@each
def test_cells_are_short(source):
    for cell in jupytext.read(source).cells:
        if cell.cell_type == "code":
            lines = [line for line in cell.source.splitlines() if line.strip()]
            assert sum(not line.startswith(("import ", "from ")) for line in lines) <= 18, cell.source
            assert max((len(line) for line in lines), default=0) <= 112, cell.source


@each
def test_notebook_is_light(source):
    assert source.with_suffix(".ipynb").stat().st_size <= 1_900_000


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments_take_parameters(name):
    source = BOOK / f"{name}.py"
    cells = [cell for cell in jupytext.read(source).cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(cells) == 1
    names = set(re.findall(r"^(\w+) *=", cells[0].source, re.MULTILINE))
    assert {"preset", "dataset", "model", "seed", "recompute"} <= names


def test_the_quick_start_runs():
    """Its Python, block after block: the stand-in and its shipped weights are in every checkout."""
    blocks = re.findall(r"```python\n(.*?)```", (BOOK / "quickstart.md").read_text(), re.DOTALL)
    names = {}
    for block in blocks:
        exec(block, names)
    assert names["animation"].startswith(b"GIF8") and names["made"].shape == (1, 32, 3, 64, 64)


def test_paper_numbers_are_anchored_once():
    anchors = [anchor for source in SOURCES for anchor in re.findall(r"\(((?:eq|def)-\d+)\)=", source.read_text())]
    assert len(anchors) == len(set(anchors))
    missing = {f"eq-{n}" for n in range(1, 26)} | {f"def-{n}" for n in range(1, 9)}
    assert not missing - set(anchors)


@pytest.mark.parametrize("name", [f"table-{n}" for n in range(1, 6)] + [f"figure-{n}" for n in range(1, 10)])
def test_tables_and_figures_of_the_paper_have_their_place(name):
    text = "\n".join(source.read_text() for source in SOURCES)
    assert len(re.findall(rf"\(paper-{name}\)=|:name: paper-{name}$", text, re.MULTILINE)) == 1
