"""The claims ledger: one test a claim, verdicts by the stated rule, and verdicts that follow the records."""

from __future__ import annotations

import json

import pytest
import torch
from test_records import entry, result, write

from hamrepro import claims, conservation, evidence, tables
from hamrepro.claims import ledger
from hamrepro.dynamics import HamiltonianOperators
from hamrepro.errors import ShapeError
from hamrepro.evidence import Check, Evidence, verdict
from hamrepro.free_dynamics import FreeLinearOperators

CLAIMS = json.loads(claims.CLAIMS.read_text())
YES, NO, UNSEEN, NEVER = Check(True, ""), Check(False, ""), Check(None, ""), Check(None, "", possible=False)
GOOD = {"ssim": 0.99, "psnr": 40.0, "mse": 1e-4, "accuracy": 1.0, "accuracy-9-16": 1.0, "h_y_given_x": 0.0, "h_y": 2.19}
BAD = {"ssim": 0.1, "psnr": 5.0, "mse": 0.5, "accuracy": 0.1, "accuracy-9-16": 0.0, "h_y_given_x": 2.0, "h_y": 0.1}
LIVE = {"one-operator-each", "needs-labels"}
WEIGHTS = {"reversible", "conserves", "symmetry-groups"}
RELATIVE = {"long-term", "long-trajectories", "h-beats-skew", "like-s3vae", "best-on-mug"}


@pytest.fixture
def look(tmp_path):
    return Evidence(results=tmp_path / "results", weights=tmp_path / "weights")


def fill(look, values, model="halo-sp", dataset="sprites", **changed):
    """A record with every key that a check may read."""
    readings = ("3way", "9way", "6way", "both", "identity", *claims.ATTRIBUTES)
    keys = [f"{m}/{p}/{r}" for m in ("accuracy", "accuracy-9-16", "h_y_given_x", "h_y")
            for p in ("A", "B", "C", "I", "R", "A-category") for r in readings]  # fmt: skip
    spans = ("1-8", "9-16", "1-16")
    keys += [f"{m}/{c}/{s}" for m in ("ssim", "psnr", "mse") for c in ("clip", "strict") for s in spans]
    metrics = {key: entry(values[key.split("/")[0]]) for key in keys} | {k: entry(v) for k, v in changed.items()}
    far = entry(changed.get("far", values["ssim"]))
    subset = {"ssim/clip/1-8": entry(values["ssim"]), "ssim/clip/993-1000": far, "ssim/tuned/993-1000": far}
    subset["in-phase/C/all"] = entry(values["accuracy"])
    preset = "any" if model == "ground-truth" else "laptop"
    write(look.results, result((preset, dataset, model, 0), metrics, subset=subset))


def timed(look, ratio):
    """A machine's record, of one measurement."""
    path = look.results / "bench" / "a-machine.json"
    path.parent.mkdir(parents=True)
    quick = {"value": 0.1, "n": 3, "unit": "s", "ratio": {"value": ratio, "iqr": [ratio - 0.01, ratio + 0.01]}}
    path.write_text(json.dumps({"metrics": {"blocks/d=6 K=3 T=8": quick}}))


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([YES, YES], "reproduced"),
        ([YES, NO], "partly"),
        ([YES, UNSEEN], "partly"),
        ([YES, NEVER], "partly"),
        ([NO, NO], "not reproduced"),
        ([NO, UNSEEN], "not reproduced"),
        ([UNSEEN, NEVER], "not run"),
        ([NEVER, NEVER], "not testable here"),
    ],
)
def test_the_rule(checks, expected):
    assert verdict(checks) == expected


def test_every_claim_has_a_test_and_every_test_a_claim():
    assert [claim["id"] for claim in CLAIMS] == list(claims.TESTS)
    assert all(set(claim) == {"id", "where", "quote", "test"} and all(claim.values()) for claim in CLAIMS)


def test_without_records_nothing_is_claimed(look):
    found = ledger(look)["verdict"]
    assert set(found.drop([*LIVE, "cheaper"])) == {"not run", "not testable here"}
    assert found["cheaper"] == "partly", "counted, not timed"
    assert set(found[list(LIVE)]) == {"reproduced"}
    assert set(found[found == "not testable here"].index) == {"beyond-physics", "best-on-mug"}


@pytest.mark.parametrize("model", ["halo-sp", "ground-truth"])
def test_one_record_alone_is_no_fault(look, model):
    fill(look, GOOD, model)
    assert len(ledger(look)) == len(CLAIMS)


def test_good_records_reproduce(look):
    for model in ("halo-sp", "halo-u", "halo-sp+first-cycle", "halo-u+first-cycle", "ground-truth", "s3vae"):
        fill(look, GOOD, model)
    timed(look, 1.2)
    found = ledger(look)["verdict"].drop([*LIVE, *WEIGHTS, "beyond-physics", "best-on-mug", "h-beats-skew"])
    assert set(found) == {"reproduced"}, found
    assert ledger(look)["verdict"]["h-beats-skew"] == "not reproduced", "equal is not better"


def test_bad_records_do_not(look):
    fill(look, GOOD, "ground-truth")
    for model in ("halo-sp", "halo-u"):
        fill(look, BAD, model)
    found = ledger(look)["verdict"]
    for name in set(found.index) - LIVE - {"cheaper", "control"} - WEIGHTS - RELATIVE - {"beyond-physics"}:
        assert found[name] == "not reproduced", name


@pytest.mark.parametrize(
    ("claim", "records"),
    [
        ("long-term", [("halo-sp", GOOD, {"far": 0.3, "accuracy-9-16/A/3way": 0.5})]),
        ("long-trajectories", [("halo-sp", GOOD, {"ssim/clip/9-16": 0.9})]),
        ("h-beats-skew", [("halo-sp", BAD, {}), ("halo-u", GOOD, {})]),
        ("like-s3vae", [("halo-sp", GOOD, {"accuracy/A/9way": 0.9}), ("s3vae", GOOD, {"accuracy/B/9way": 0.95})]),
    ],
)
def test_comparisons_can_fail(look, claim, records):
    for model, values, changed in records:
        fill(look, values, model, **changed)
    assert ledger(look)["verdict"][claim] == "not reproduced"


def test_mug_is_judged_once_it_is_there(look):
    fill(look, GOOD | {"h_y": 1.79}, dataset="mug")
    for model in ("dsvae", "mocogan", "s3vae"):
        fill(look, BAD, model, dataset="mug")
    found = ledger(look)["verdict"]
    assert found["beyond-physics"] == found["best-on-mug"] == "reproduced"


def test_an_edited_record_proves_nothing(look):
    fill(look, GOOD)
    path = look.results / "laptop" / "sprites" / "halo-sp" / "seed0.json"
    path.write_text(path.read_text().replace("0.99", "1.00"))
    checks = ledger(look).loc["long-trajectories", "evidence"]
    assert checks[0].holds is None and "refused" in checks[0].evidence


def test_evidence_says_how_many(look):
    fill(look, GOOD)
    assert ledger(look).loc["long-trajectories", "evidence"][0].evidence.endswith("= 0.990 (1), n = 4; asked: >= 0.985")


@pytest.mark.parametrize(("ratio", "expected"), [(1.2, "reproduced"), (0.99, "partly")])
def test_blocks_must_be_quicker_too(look, ratio, expected):
    timed(look, ratio)
    assert ledger(look)["verdict"]["cheaper"] == expected


def test_a_weak_baseline_is_no_measure(look):
    fill(look, GOOD)
    fill(look, GOOD, "s3vae", **{"accuracy/B/9way": 0.771})
    assert ledger(look)["verdict"]["like-s3vae"] == "partly"


def test_blocks_cost_less():
    assert claims.multiplications(3, 6) == (3 * 2 * 12**3, 2 * 36**3)
    blocks, whole = claims.multiplications(1, 6)
    assert blocks == whole, "with one action there is nothing to save"


@pytest.mark.parametrize("family", ["sp", "u"])
def test_hamiltonian_flows_keep_what_they_should(family):
    operators = HamiltonianOperators(2, 3, family)
    assert conservation.reversal_error(operators) < 1e-4
    assert conservation.energy_drift(operators, 16) < 1e-4
    assert conservation.symplectic_defect(operators) < 1e-4


def test_others_do_not():
    free = FreeLinearOperators(2, 3)
    with torch.no_grad():
        free.generator += 0.1 * torch.randn_like(free.generator)
    assert conservation.energy_drift(free, 16) > 1e-2 and conservation.symplectic_defect(free) > 1e-3
    growing = HamiltonianOperators(1, 3, "sp")
    with torch.no_grad():
        growing.symmetric.copy_(torch.diag(torch.tensor([1.0, 1, 1, -1, -1, -1])))
    assert conservation.reversal_error(growing, 16) > 1e-2, "a mode that grows e-fold a frame loses what shrinks"
    with pytest.raises(ShapeError):
        conservation.energy_drift(free, 1)


def test_shipped_operators_are_asked():
    recorded = Evidence()
    loose, strict = (recorded.operators(conservation.symplectic_defect, bound, "residual") for bound in (1.0, 0.0))
    for model, easy, hard in zip(evidence.MODELS, loose, strict, strict=True):
        assert (easy.holds, hard.holds) in ((True, False), (None, None))
        assert easy.evidence.startswith(tables.LABELS[model])
