"""The library's shape: imports go down, files stay short, everything public says what it is.

Inside a layer modules may import each other where no circle closes; from a lower layer they may never look up.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "hamrepro"
LAYERS = (
    ("bounds", "config", "cycles", "presets", "errors", "places", "randomness", "_torchvision"),
    ("symplectic", "lie_groups", "gaussian", "metrics"),
    ("networks", "dynamics", "free_dynamics", "tuning", "conservation"),
    ("elbo", "linear_gaussian", "discrepancy", "adversary", "prior_states", "halo", "baselines", "models"),
    ("windows", "sheets", "layers", "sprites", "pixelart", "facs", "face_crops", "face_manifest", "face_cache",
     "face_sources", "face_splits", "faces", "mug", "mug_report", "clip_files", "clip_folder", "datasets", "batches"),
    ("checkpoint", "optimiser", "precision", "allocator", "distributed", "signals", "population", "train"),
    ("augmentation", "judges", "calibration", "protocols", "controls", "disentanglement", "aggregate_posterior",
     "fitted_prior", "leakage", "swap_truth", "evaluate", "provenance", "sha256sums", "records", "timing", "benchmarks",
     "training_benchmarks", "growth_benchmarks", "lever_benchmarks"),
    ("cells", "tables", "strips", "figures", "animation", "curves", "shipping", "judging", "reevaluation", "schematics",
     "docstrings", "trace", "evidence", "claims", "costs", "bench", "time_to_quality", "sweep", "continuation"),
    ("reproduce", "options", "data_commands", "scale_commands", "__main__"),
)  # fmt: skip
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
LIMIT = 250
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)
NOTEBOOK_STACK = ("pooch", "skimage", "matplotlib", "pandas", "IPython", "jupyter", "papermill", "seaborn")


def name_of(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def unit(module):
    """The first name after the package: `hamrepro.facs.hair` is part of `facs`."""
    return module.removeprefix("hamrepro").lstrip(".").split(".")[0]


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_units(path):
    """Units of this package that a file imports, at any depth of nesting, typing-only imports included."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {unit(alias.name) for alias in node.names if alias.name.split(".")[0] == "hamrepro"}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                folder = path.parent if node.level == 1 else path.parents[node.level - 1]
                module = ".".join(["hamrepro", *folder.relative_to(PACKAGE).parts, *([module] if module else [])])
            if module == "hamrepro":
                found |= {alias.name for alias in node.names if not alias.name.startswith("__")}
            elif module.startswith("hamrepro."):
                found.add(unit(module))
    return found - {""}


@cache
def graph():
    """Unit of the package -> the units it imports."""
    edges = {}
    for path in FILES:
        if path != PACKAGE / "__init__.py":
            edges.setdefault(path.relative_to(PACKAGE).with_suffix("").parts[0], set()).update(imported_units(path))
    return {name: targets - {name} for name, targets in edges.items()}


def test_every_module_has_a_layer():
    assert set(graph()) <= set(LEVEL), "a new module takes its place in LAYERS"


@pytest.mark.parametrize("name", sorted(graph()))
def test_imports_never_go_up(name):
    upward = {target for target in graph()[name] if LEVEL.get(target, 99) > LEVEL.get(name, 99)}
    assert not upward, f"{name} imports {upward}"


def test_no_circles():
    assert list(TopologicalSorter(graph()).static_order())


def test_the_check_sees_imports(tmp_path):
    probe = tmp_path / "probe.py"
    lines = ["from hamrepro import train", "import hamrepro.facs.hair", "from hamrepro.halo import Halo"]
    probe.write_text("\n    ".join(["def f():", *lines]))
    assert imported_units(probe) == {"train", "facs", "halo"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LIMIT


def public_parts(path):
    """Public functions, classes and methods of a file, with a printable name.

    Not the properties that a class's docstring explains under its attributes.
    """

    def walk(node, prefix):
        parts = (c for c in node.body if isinstance(c, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef))
        for child in parts:
            explained = re.search(rf"\b{child.name}\b", (prefix and ast.get_docstring(node)) or "")
            if child.name.startswith("_") or (explained and child.decorator_list):
                continue
            yield f"{prefix}{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from walk(child, f"{prefix}{child.name}.")

    return walk(tree(path), "")


def is_stub(node):
    """A Protocol's verb: its body is `...`, its class says what it is."""
    return isinstance(node.body[0], ast.Expr) and getattr(node.body[0].value, "value", None) is Ellipsis


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_everything_public_has_a_docstring(path):
    assert ast.get_docstring(tree(path)), "the module itself"
    missing = [
        name
        for name, node in public_parts(path)
        if not ast.get_docstring(node) and not is_stub(node) and name.split(".")[-1] != "forward"
    ]
    assert not missing


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_everything_is_typed(path):
    bare = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            untyped = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
            if untyped or (node.returns is None and node.name != "__init__"):
                bare.append(f"{node.name}({', '.join(untyped)})")
    assert not bare


def test_importing_needs_nothing_of_the_notebooks():
    """In a fresh interpreter: neither the package nor its training and evaluation path load plotting or downloads."""
    modules = ("metrics", "train", "evaluate", "__main__")
    lines = ["import sys, hamrepro", *(f"import hamrepro.{name}" for name in modules)]
    lines.append(f"sys.exit(', '.join(sorted(set({NOTEBOOK_STACK!r}) & set(sys.modules))) or 0)")
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert done.returncode == 0, done.stderr
