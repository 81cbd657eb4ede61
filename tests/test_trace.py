"""The trace: nothing of the paper is missing from code, tests and book, and nothing is invented."""

from __future__ import annotations

import ast
import re

import pytest

from hamrepro import trace
from hamrepro.docstrings import documented, modules, reference, source
from hamrepro.records import ROOT

WHOLE = trace.trace()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Paper: Eq. (8), (13). Deviation D5.", {"Eq. (8)", "Eq. (13)"}),
        ("Eqs. (1)-(3), Figure 4.", {"Eq. (1)", "Eq. (2)", "Eq. (3)", "Figure 4"}),
        ("Definitions 1 and 5, Tables 3–5", {"Definition 1", "Definition 5", "Table 3", "Table 4", "Table 5"}),
        ("Table 2 (a), (b)", {"Table 2"}),
        ("Paper: Table 1, whose four rows", {"Table 1"}),
        ("Section 4.1, Appendix A.3.2, version 2", set()),
    ],
)
def test_citations_are_read(text, expected):
    assert trace.cited(text) == expected


def test_a_claim_ends_with_its_sentence():
    assert trace.claimed("What. Paper: Eq. (7), Definition 6. Not Table 1.\n\nNor Eq. (3).") == {
        "Eq. (7)",
        "Definition 6",
    }
    assert trace.claimed("Paper: Eqs. (11),\n(12). More") == {"Eq. (11)", "Eq. (12)"}
    assert not trace.claimed("The model of Figure 1.")


def test_the_paper_has_these_parts():
    assert len(trace.PARTS) == 25 + 8 + 5 + 9 == len(WHOLE)
    assert {"Eq. (25)", "Definition 8", "Table 5", "Figure 9"} <= set(trace.PARTS)


@pytest.mark.parametrize("part", trace.PARTS)
def test_every_part_has_an_object(part):
    assert any(entry.name for entry in WHOLE.loc[part, "objects"]), f"no object's docstring says Paper: {part}"


@pytest.mark.parametrize("part", trace.PARTS)
def test_every_part_has_a_test(part):
    assert WHOLE.loc[part, "tests"], f"no test uses {[entry.label for entry in WHOLE.loc[part, 'objects']]}"


@pytest.mark.parametrize("part", trace.PARTS)
def test_every_part_has_a_chapter(part):
    if WHOLE.loc[part, "chapter"] is None and not list((ROOT / "book").glob("10_*.py")):
        pytest.skip("the chapters 07 to 10 are not written yet")
    assert WHOLE.loc[part, "chapter"], f"no chapter has the anchor of {part}"


def test_nothing_is_invented():
    assert not trace.invented()


def test_every_deviation_is_named_in_code():
    assert not trace.unused_deviations()


@pytest.fixture
def small(tmp_path):
    """A library of one module, with a test and a chapter."""
    for folder in ("hamrepro", "tests", "book"):
        (tmp_path / folder).mkdir()
    (tmp_path / "book" / "12_deviations.py").write_text("# (d1)=\n# **D1. One.** Words.\n# **D2. Two.** Words.\n")
    (tmp_path / "book" / "02_elbo.py").write_text("# (eq-7)=\n# :name: paper-figure-1\n")
    (tmp_path / "tests" / "test_energy.py").write_text(
        "from hamrepro import energy\n\ndef made():\n    return energy.of(1)\n\n"
        "def test_made():\n    assert made()\n\ndef test_other():\n    assert True\n"
    )

    def write(docstring):
        text = f'"""Energy."""\n\ndef of(state: int) -> int:\n    """{docstring}"""\n'
        (tmp_path / "hamrepro" / "energy.py").write_text(text)
        return tmp_path

    return write


def test_a_part_leads_to_object_test_and_chapter(small):
    row = trace.trace(small("Energy of a state. Paper: Eq. (7). Deviation D1.")).loc["Eq. (7)"]
    assert [(entry.label, entry.summary) for entry in row["objects"]] == [("energy.of", "Energy of a state")]
    assert row["tests"] == ["test_energy.py::test_made"], "through the helper; the other test does not use it"
    assert row["chapter"] == ("02_elbo", "eq-7")


@pytest.mark.parametrize(
    ("docstring", "wrong"),
    [
        ("Paper: Eq. (99).", "energy.of names Eq. (99)"),
        ("Like Table 6.", "energy.of names Table 6"),
        ("Paper: Figures 8-10.", "energy.of names Figure 10"),
        ("Deviation D99.", "energy.of names D99"),
        ("Deviations D1, D2 and D3", "energy.of names D3"),
    ],
)
def test_inventions_are_found(small, docstring, wrong):
    assert trace.invented(small(docstring)) == [wrong]


def test_unused_deviations_are_found(small):
    assert trace.unused_deviations(small("Deviation D2.")) == ["D1"]


def test_decisions_lead_to_the_objects_they_shaped(small):
    page = trace.decisions(small("Energy. Deviation D2."))
    assert re.findall(r"#(d\d+)", page) == ["d1", "d2"]
    assert page.count("energy.of") == 2 and page.index("energy.of") > page.index("#d2")


def test_the_page_links_to_places_that_exist():
    page = trace.page()
    known = {entry.label for entry in documented()}
    labels = re.findall(r'15_reference\.html#([\w.]+)"', page)
    assert labels and set(labels) <= known
    for stem, anchor in re.findall(r'href="(\d\d_\w+)\.html#((?:eq|def|paper)[\w-]+)"', page):
        assert re.search(rf"\({anchor}\)=|:name: {anchor}$", (ROOT / "book" / f"{stem}.py").read_text(), re.M)


def test_the_reference_holds_every_public_name():
    text = reference(*modules())
    public = [e for e in documented() if not any(word.startswith("_") for word in e.name.split("."))]
    assert re.findall(r'<dt id="([^"]*)"', text) == [entry.label for entry in public]
    assert "<b>flow_powers</b>(generators: Tensor, frames: int) -&gt; Tensor" in text
    assert "<b>PhaseSpace</b>(q: Tensor, p: Tensor)" in text


def test_code_on_a_page_is_the_code_that_runs_without_its_docstring():
    shown = source("halo.Halo.positions")
    assert shown.startswith("```python\ndef positions(self") and shown.endswith("\n```") and '"""' not in shown
    assert shown.count("\n") == 3  # fence, two lines of code, fence


@pytest.mark.parametrize(
    "label", [*[entry.label for entry in documented() if entry.name][::17], "pixelart.draw_layers"]
)
def test_code_of_anything_documented_can_be_shown_and_read(label):
    code = source(label).removeprefix("```python\n").removesuffix("\n```")
    assert code.startswith(("class ", "def ", "@"))
    ast.parse(code if ":\n" in code else f"{code} pass")  # of an exception nothing but its docstring is left


@pytest.mark.parametrize("label", ["halo.Halo.nothing", "nothing.Halo", "halo"])
def test_code_of_nothing_is_not_shown(label):
    with pytest.raises(KeyError):
        source(label)
