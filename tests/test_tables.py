"""Tables: what a cell says, why it says nothing, and a scorecard with a row for every printed number."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from test_records import entry, result, write

from hamrepro import records, tables
from hamrepro.tables import Cell, paper, scorecard, table_1, verdict

KEY = "ssim/clip/1-16"


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


def fill(results, values, model="halo-sp", preset="laptop", key=KEY, dataset="sprites"):
    for seed, value in enumerate(values):
        write(results, result((preset, dataset, model, seed), {key: entry(value)}))


def cell(results, model="halo-sp", key=KEY, dataset="sprites", **options):
    return Cell("laptop", dataset, model, key, results=results, **options)


def test_one_seed(results):
    fill(results, [0.9644])
    assert cell(results).text() == "0.964 (1)"
    assert cell(results).text(1) == "1.0 (1)"
    assert cell(results).spread == 0


def test_several_seeds(results):
    fill(results, [0.95, 0.96, 0.97])
    found = cell(results)
    assert found.text() == "0.960 ± 0.010 (3)"
    assert found.interval() == "0.950 to 0.970"
    assert (found.seeds, found.n) == ([0, 1, 2], 4)


@pytest.mark.parametrize(
    ("dataset", "reason"),
    [("mug", "not run: needs the MUG licence"), ("sprites", "not run: no record of preset laptop")],
)
def test_nothing_run_says_why(results, dataset, reason):
    found = cell(results, dataset=dataset)
    assert (found.text(), found.mean, found.interval()) == (reason, None, "")


def test_rows_of_mug_name_the_commands_that_fill_them(results):
    table = table_1("laptop", "mug", results=results)
    assert (table[["SSIM", "PSNR", "MSE"]] == "not run: needs the MUG licence").all(axis=None)
    assert table.loc["HALO, H", "SSIM, paper"] == "0.797"
    for model, row in table["to fill it"].items():
        verbs = [words.split() for words in row.split(" && ")]
        assert [words[words.index("hamrepro") + 1] for words in verbs] == (
            ["train", "ship", "evaluate"] if "HALO" in model else ["evaluate"]
        )
        assert all(words[0] == "HAMREPRO_MUG=<folder" and "mug" in words for words in verbs)
    fill(results, [0.8], dataset="mug")
    assert table_1("laptop", "mug", results=results).loc["HALO, H", "SSIM"] == "0.800 (1)"
    assert "to fill it" not in table_1("laptop", "faces-procedural", results=results)


def test_a_metric_a_model_has_not_is_not_applicable(results):
    fill(results, [0.9])
    assert cell(results, key="ssim/clip/1-8").text() == "not applicable"


def test_what_a_judged_model_is_not_asked_for_is_not_applicable(results):
    fill(results, [0.9], key="accuracy/A/3way")
    assert cell(results, key="accuracy/A-category/9way").text() == "not applicable: not asked for"
    assert cell(results, key="accuracy/A-bank/9way").text() == "not applicable: asked under A"
    assert cell(results, key="accuracy/B/9way").text() == "not run: no accuracy under B"


def test_a_protocol_nobody_scored_is_not_run(results):
    fill(results, [0.9])
    assert cell(results, key="accuracy/A/9way").text() == "not run: no accuracy under A"
    assert cell(results, key="ssim/strict/1-16").text() == "not run: no ssim under strict"


def test_a_null_says_why(results):
    write(
        results,
        result(("laptop", "sprites", "halo-sp", 0), {KEY: {"value": None, "ci95": None, "n": 4, "why": "no pixels"}}),
    )
    assert cell(results).text() == "not applicable: no pixels"


def test_a_metric_some_seeds_have_is_theirs(results):
    fill(results, [0.9, 0.92])
    write(results, result(("laptop", "sprites", "halo-sp", 2), {"other": entry(1.0)}))
    assert cell(results).text() == "0.910 ± 0.014 (2)"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_edited_seed_refuses_the_cell(results, seed):
    fill(results, [0.95, 0.96, 0.97])
    path = records.record_path("laptop", "sprites", "halo-sp", seed, results)
    path.write_text(path.read_text().replace("0.9", "0.99"))
    assert cell(results).text().startswith(f"refused: laptop/sprites/halo-sp/seed{seed}.json was edited")
    assert (cell(results).mean, cell(results).interval(), cell(results).seeds) == (None, "", [])


def test_the_fixed_share_is_a_part_of_its_own(results):
    write(results, result(("laptop", "sprites", "halo-sp", 0), subset={KEY: entry(0.5)}))
    assert cell(results, part="subset").text() == "0.500 (1, 4 clips)"
    assert cell(results).text().startswith("not ") and cell(results, part="shown").text() == "0.500 (1, 4 clips)"
    fill(results, [0.25])
    assert cell(results, part="shown").text() == "0.250 (1)"


@pytest.mark.parametrize(
    ("printed", "ours", "metric", "tolerance", "expected"),
    [
        (0.982, 0.982, "ssim", 0.0, "reached"),
        (0.982, 0.990, "ssim", 0.0, "reached"),
        (0.982, 0.980, "ssim", 0.005, "within tolerance"),
        (0.982, 0.970, "ssim", 0.005, "missed"),
        (0.0005, 0.0004, "mse", 0.0, "reached"),
        (0.0005, 0.0006, "mse", 0.0002, "within tolerance"),
        (0.0005, 0.0021, "mse", 0.0002, "missed"),
        (36.76, 29.2, "psnr", 1.096, "missed"),
        (0.011, 0.002, "h_y_given_x", 0.0, "reached"),
        (2.009, 2.19, "h_y", 0.0, "reached"),
        (0.994, None, "accuracy", 0.1, "not run"),
    ],
)
def test_verdict(printed, ours, metric, tolerance, expected):
    assert verdict(printed, ours, metric, tolerance) == expected


def printed():
    return [row for name, rows in paper().items() if name.startswith("table") for row in rows]


def test_the_scorecard_has_a_row_for_every_printed_number(results):
    card = scorecard(results=results)
    assert len(card) == len(printed()) == sum(len(rows) for name, rows in paper().items() if name.startswith("table"))
    for row, (_, shown) in zip(printed(), card.iterrows(), strict=True):
        assert shown["quantity"] == row["key"]
        assert shown["paper"] == f"{row['value']:.{row['digits']}f}"
        assert shown["verdict"] == "not run" and shown["ours"].startswith("not run: ")


def test_the_paper_s_numbers_are_well_formed():
    for row in printed():
        assert row["metric"] in tables.HIGHER and row["key"].split("/")[0] == row["metric"]
        assert row["dataset"] in tables.DATASETS
        assert len(row["key"].split("/")) == 3
    keys = [(row["dataset"], row["model"], row["key"]) for row in printed()]
    assert len(keys) == len(set(keys))


def test_the_scorecard_judges(results):
    fill(results, [0.985])
    fill(results, [0.93, 0.94], model="halo-u")
    rows = scorecard(results=results).set_index(["data", "model", "quantity"])
    good, near = rows.loc[("Sprites", "HALO, H", KEY)], rows.loc[("Sprites", "HALO, skew-H", KEY)]
    assert (good["ours"], good["verdict"], good["preset"], good["n"]) == ("0.985 (1)", "reached", "laptop", 4)
    assert (near["ours"], near["verdict"]) == ("0.935 ± 0.007 (2)", "within tolerance")
    assert (near["seeds"], near["95 %"], near["hardware"]) == (2, "0.930 to 0.940", "x")
    absent = rows.loc[("MUG", "HALO, H", KEY)]
    assert (absent["seeds"], absent["hardware"], absent["preset"], absent["verdict"]) == ("", "", "", "not run")


def test_an_edited_record_has_no_verdict(results):
    fill(results, [0.99, 0.99])
    path = records.record_path("laptop", "sprites", "halo-sp", 1, results)
    path.write_text(path.read_text() + " ")
    row = scorecard(results=results).set_index(["data", "model", "quantity"]).loc[("Sprites", "HALO, H", KEY)]
    assert row["ours"].startswith("refused") and row["verdict"] == "not run"


def test_the_scorecard_is_plain_json(results):
    fill(results, [0.985])
    json.dumps(scorecard(results=results).to_dict("records"), allow_nan=False)


def test_table_1(results):
    fill(results, [0.95, 0.97])
    fill(results, [0.4], model="copy-first", preset="any")
    table = table_1(results=results)
    assert table.loc["HALO, H", ["SSIM, paper", "SSIM", "SSIM, 95 %"]].tolist() == [
        "0.982",
        "0.960 ± 0.014 (2)",
        "0.950 to 0.970",
    ]
    assert table.loc["first frame repeated", "SSIM"] == "0.400 (1)"
    assert table.loc["HALO, skew-H", "SSIM"] == "not run: no record of preset laptop"
    assert table.loc["HALO, H", "PSNR, paper"] == "36.76"
    assert list(table.index)[-1] == "ground truth"


@pytest.mark.parametrize("conditioning", ["clip", "strict"])
@pytest.mark.parametrize("span", ["1-8", "9-16", "1-16"])
def test_table_1_asks_for_its_key(results, conditioning, span):
    fill(results, [0.5], key=f"ssim/{conditioning}/{span}")
    table = table_1(conditioning=conditioning, span=span, results=results)
    assert table.loc["HALO, H", "SSIM"] == "0.500 (1)"


def test_one_seed_alone(results):
    fill(results, [0.95, 0.97])
    names = ("laptop", "sprites", "halo-sp", "ssim/clip/1-16", "metrics", results)
    assert [Cell(*names, seed=number).text() for number in (0, 1)] == ["0.950 (1)", "0.970 (1)"]
    assert Cell(*names, seed=2).text() == "not run: no record of preset laptop"


def test_a_reason_stands_once_a_row():
    rows = [["0.9 (1)", "not run: no x", "0.1", "not run: no y"], ["not applicable: no z", "", "refused: edited", "1"]]
    short = [["0.9 (1)", "not run: no x", "0.1", "not run"], ["not applicable: no z", "", "refused", "1"]]
    assert tables.briefly(pd.DataFrame(rows)).to_numpy().tolist() == short


def test_a_share_of_the_clips_stands_once_a_column():
    rows = {
        "A": ["0.9 (1, 288 clips)", "0.8 (1, 288 clips)", "not run"],
        "B": ["0.9 (1)", "0.8 (1, 288 clips)", "·"],
        "n": [288, 288, 0],
    }
    table = tables.briefly(pd.DataFrame(rows))
    assert list(table) == ["A (1, 288 clips)", "B", "n"]
    assert table.iloc[:, 0].tolist() == ["0.9", "0.8", "not run"]
    assert table["B"].tolist() == rows["B"]


def test_stand_ins_are_named():
    assert all("stand-in" in name for key, name in tables.DATASETS.items() if key.endswith("procedural"))
