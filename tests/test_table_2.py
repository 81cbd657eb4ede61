"""Table 2: the paper's numbers beside ours under the protocol they stand for, and under no other."""

from __future__ import annotations

import math

import pytest
from test_records import entry, result, write

from hamrepro.tables import CONTROLS, UNDER_B, table_2a, table_2b


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    scored = {"accuracy/A/9way": 0.99, "accuracy/A/3way": 0.995, "h_y/A/9way": 2.19, "accuracy/B/9way": 0.31}
    content = {"accuracy/A/skin": 0.93, "accuracy-blur/A/skin": 0.97}
    write(folder, result(("laptop", "sprites", "halo-sp", 0), {k: entry(v) for k, v in (scored | content).items()}))
    write(folder, result(("laptop", "sprites", "dsvae", 0), {"accuracy/B/9way": entry(0.9)}))
    why = {"value": None, "ci95": None, "n": 0, "why": "no encoder"}
    write(folder, result(("laptop", "sprites", "mocogan", 0), {"accuracy/B/9way": why}))
    write(folder, result(("any", "sprites", "ground-truth", 0), {"accuracy/R/9way": entry(1.0)}))
    return folder


def test_each_row_stands_under_its_own_protocol(results):
    table = table_2a(results=results)
    assert table.loc[("HALO, H", "A"), ["accuracy, 9way, paper", "accuracy, 9way"]].tolist() == ["0.994", "0.990 (1)"]
    assert table.loc[("HALO, H", "A"), ["H(y), 9way, paper", "H(y), 9way"]].tolist() == ["2.009", "2.190 (1)"]
    assert table.loc[("DSVAE", "B"), ["accuracy, 9way, paper", "accuracy, 9way"]].tolist() == ["0.907", "0.900 (1)"]
    assert table.loc[("HALO, H", "A"), "supervision"].startswith("labels")
    assert table.loc[("ground truth", "R"), "accuracy, 9way"] == "1.000 (1)"
    assert "not run" in table.loc[("S3VAE", "B"), "accuracy, 9way"]


def test_under_one_protocol_no_other_printed_number_is_shown(results):
    table = table_2a(protocol="B", results=results)
    assert len(table) == len(UNDER_B) + len(CONTROLS) + 1
    halo = table.loc[("HALO, H", "B")]
    assert (halo["accuracy, 9way, paper"], halo["accuracy, 9way"]) == ("", "0.310 (1)")
    assert table.loc[("MoCoGAN", "B"), "accuracy, 9way"] == "not applicable: no encoder"
    assert table.loc[("MoCoGAN", "B"), "accuracy, 9way, paper"] == ""  # printed under its own protocol
    assert table.loc[("DSVAE", "B"), "accuracy, 9way, paper"] == "0.907"


@pytest.mark.parametrize(("dataset", "reading", "classes"), [("sprites", "9way", 9), ("faces-procedural", "6way", 6)])
def test_chance(results, dataset, reading, classes):
    chance = table_2a(dataset=dataset, results=results).iloc[-1]
    assert chance.name[0] == "chance"
    assert chance[f"accuracy, {reading}"] == f"{1 / classes:.3f}"
    assert chance[f"H(y), {reading}"] == chance[f"H(y|x), {reading}"] == f"{math.log(classes):.3f}"


def test_content_by_both_judges(results):
    row = table_2b(results=results).loc[("HALO, H", "A")]
    assert [row["skin, paper"], row["skin"], row["skin, blurred"]] == ["0.925", "0.930 (1)", "0.970 (1)"]
    assert row["hair, paper"] == "0.992" and row["hair"] == "not applicable"
    faces = table_2b(dataset="faces-procedural", results=results)
    assert faces.loc[("HALO, H", "A"), "identity, paper"] == "0.998"
