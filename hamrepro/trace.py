"""The trace: every equation, definition, table and figure of the paper to code, test and chapter, read off docstrings.

A docstring claims a part of the paper by a sentence that begins with `Paper:`, and a decision by the word and its
number. Nothing is imported or executed: the text of the library, of its tests and of the chapters is all that is read.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from hamrepro.docstrings import Documented, documented
from hamrepro.places import ROOT

COUNTS = {"Eq.": 25, "Definition": 8, "Table": 5, "Figure": 9}  # of the paper, version 1
PARTS = tuple(f"{kind} ({n})" if kind == "Eq." else f"{kind} {n}" for kind, last in COUNTS.items()
              for n in range(1, last + 1))  # fmt: skip
_NUMBER = r"\(?\d+\)?(?: \([a-d]\)(?:, \([a-d]\))*)?"
_CITATION = re.compile(rf"\b(Eq|Definition|Table|Figure)s?\.?\s+({_NUMBER}(?:(?:,\s+|\s+and\s+|\s*[-–]\s*){_NUMBER})*)")
_DEVIATION = re.compile(r"\bDeviations?:?\s+((?:D\d+(?:,\s+|\s+and\s+)?)+)")
_ANCHOR = re.compile(r"^#? ?\(((?:eq|def)-\d+|paper-(?:table|figure)-\d+)\)=|:name: (paper-(?:table|figure)-\d+)", re.M)
_KINDS = {"eq": "Eq. ({})", "def": "Definition {}", "table": "Table {}", "figure": "Figure {}"}


def cited(text: str) -> set[str]:
    """Parts of the paper that a text names, under the names of `PARTS`; ranges are spelt out.

    >>> sorted(cited("Eqs. (8), (13). Figures 2, 6-8, Table 2 (a)"))
    ['Eq. (13)', 'Eq. (8)', 'Figure 2', 'Figure 6', 'Figure 7', 'Figure 8', 'Table 2']
    """
    found = set()
    for kind, numbers in _CITATION.findall(text):
        name = "Eq. ({})" if kind == "Eq" else f"{kind} {{}}"
        for first, last in re.findall(r"(\d+)\)?(?:\s*[-–]\s*\(?(\d+))?", numbers):
            found |= {name.format(number) for number in range(int(first), int(last or first) + 1)}
    return found


def claimed(docstring: str) -> set[str]:
    """Parts that a docstring claims: those named between `Paper:` and the end of that sentence.

    >>> claimed("Loss. Paper: Eq. (17). Unlike Table 9.") == {"Eq. (17)"}
    True
    """
    sentences = re.findall(r"Paper:\s(.*?)(?:(?<!Eq)(?<!Eqs)\.(?:\s|$)|\n\s*\n|$)", docstring, re.S)
    return set().union(*(cited(" ".join(sentence.split())) for sentence in sentences), set())


def deviations(text: str) -> set[str]:
    """Deviations that a text names: {"D1", ...}."""
    return {number for found in _DEVIATION.findall(text) for number in re.findall(r"D\d+", found)}


def _words(node: ast.AST) -> set[str]:
    nodes = list(ast.walk(node))
    words = {n.id for n in nodes if isinstance(n, ast.Name)} | {n.attr for n in nodes if isinstance(n, ast.Attribute)}
    return words | {n.arg for n in nodes if isinstance(n, ast.arg)}


def _imported(tree: ast.Module) -> set[str]:
    """Modules of the library that a test file imports."""
    found = set()
    for node in (n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module):
        package, _, module = node.module.partition(".")
        if package == "hamrepro":
            found |= {module} if module else {alias.name for alias in node.names}
    return found


class _Test(NamedTuple):
    file: str
    name: str
    words: set[str]
    modules: set[str]


@lru_cache(maxsize=8)
def _tests(root: Path) -> tuple[_Test, ...]:
    """Every test function, with the names it uses, those of helpers and fixtures of its file included."""
    found = []
    for path in sorted((root / "tests").glob("test_*.py")):
        tree = ast.parse(path.read_text())
        local = {n.name: _words(n) for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        for name in (name for name in local if name.startswith("test_")):
            words, queue = set(), [name]
            while queue:
                fresh = local[queue.pop()] - words
                words |= fresh
                queue += [word for word in fresh if word in local]
            found.append(_Test(path.name, name, words, _imported(tree)))
    return tuple(found)


def exercised_by(entry: Documented, root: Path = ROOT) -> list[str]:
    """Tests that use an object, `test_symplectic.py::test_group_law`: those of its mirror file first.

    A module is tested by whatever its mirror file tests.
    """
    mirror = f"test_{entry.module.split('.')[-1]}.py"
    word = entry.name.split(".")[-1]
    users = [
        (test.file != mirror, f"{test.file}::{test.name}")
        for test in _tests(root)
        if (entry.module in test.modules or test.file == mirror)
        and (word in test.words if word else test.file == mirror)
    ]
    return [name for _, name in sorted(users, key=lambda user: user[0])]


def chapters(root: Path = ROOT) -> dict[str, tuple[str, str]]:
    """Part -> (chapter, anchor) where the book states or shows it."""
    found = {}
    for path in sorted((root / "book").glob("[0-9][0-9]_*.py")):
        for anchor in (a or b for a, b in _ANCHOR.findall(path.read_text())):
            kind, number = anchor.removeprefix("paper-").split("-")
            found[_KINDS[kind].format(number)] = (path.stem, anchor)
    return found


def trace(root: Path = ROOT) -> pd.DataFrame:
    """One row a part of the paper: the objects that claim it, most specific first, their tests, the chapter.

    Columns `objects`, `tests` hold lists of `Documented` and of test names, `chapter` a pair or None.
    """
    places, rows = chapters(root), []
    for part in PARTS:
        owners = [entry for entry in documented(root) if part in claimed(entry.docstring)]
        owners.sort(key=lambda entry: (not entry.name, len(claimed(entry.docstring))))
        tests = [name for entry in owners for name in exercised_by(entry, root)]
        rows.append({"part": part, "objects": owners, "tests": list(dict.fromkeys(tests)), "chapter": places.get(part)})
    return pd.DataFrame(rows).set_index("part")


def _listed(root: Path) -> list[str]:
    """Deviations of the book, in its order."""
    return re.findall(r"^# \*\*(D\d+)\.", (root / "book" / "12_deviations.py").read_text(), re.M)


def invented(root: Path = ROOT) -> list[str]:
    """Citations of what does not exist: parts the paper lacks, deviations the book lacks, in words."""
    listed, wrong = set(_listed(root)), []
    for entry in documented(root):
        unknown = (cited(entry.docstring) - set(PARTS)) | (deviations(entry.docstring) - listed)
        wrong += [f"{entry.label} names {what}" for what in sorted(unknown)]
    return wrong


def unused_deviations(root: Path = ROOT) -> list[str]:
    """Deviations of the book that no docstring names."""
    named = set().union(*(deviations(entry.docstring) for entry in documented(root)))
    return [number for number in _listed(root) if number not in named]


def _link(entry: Documented) -> str:
    return f'<a href="15_reference.html#{entry.label}"><code>{entry.label}</code></a>'


def _html(rows: list[dict[str, Any]]) -> str:
    return pd.DataFrame(rows).to_html(index=False, escape=False, border=0, classes="dataframe trace", justify="left")


def page(root: Path = ROOT) -> str:
    """The trace as an HTML table whose cells lead to the chapters and to the reference."""
    rows = []
    for part, row in trace(root).iterrows():
        owners, (stem, anchor) = row["objects"], row["chapter"] or ("", "")
        tests = [f"<code>{name.split('::')[1]}</code>" for name in row["tests"][:1]]
        rows.append({
            "part": f'<a href="{stem}.html#{anchor}">{part}</a>' if stem else part,
            "in code": "<br>".join(_link(entry) for entry in owners[:4]),
            "what the first is": escape(owners[0].summary) if owners else "",
            "a test": "".join(tests), "tests": len(row["tests"]), "chapter": stem or "none yet",
        })  # fmt: skip
    return _html(rows)


def decisions(root: Path = ROOT) -> str:
    """The deviations as an HTML table: where each is explained, and the objects whose docstrings name it."""
    rows = []
    for number in _listed(root):
        owners = [entry for entry in documented(root) if number in deviations(entry.docstring)]
        place = f'<a href="12_deviations.html#{number.lower()}">{number}</a>'
        rows.append({"decision": place, "in code": "<br>".join(_link(entry) for entry in owners)})
    return _html(rows)
