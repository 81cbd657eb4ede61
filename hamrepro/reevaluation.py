"""Records recomputed from shipped weights, and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hamrepro import controls, evaluate, records
from hamrepro.errors import MissingDataError, RecordError
from hamrepro.judging import judge_shipped
from hamrepro.shipping import evaluate_shipped

Names = tuple[str, str, str, int]
Row = tuple[str, str, float | None, float | None, bool]
GENERATED = ("ssim", "ssim-gain", "psnr", "mse")


def recorded() -> Iterator[Names]:
    """(preset, dataset, model, seed) of every record that can be recomputed here: trivial rows and shipped weights."""
    for path in sorted(records.RESULTS.glob("*/*/*/seed*.json")):
        preset, dataset, model = path.parts[-4:-1]
        seed = records.seed_of(path)
        if seed is None:
            continue
        names, trivial = (preset, dataset, model, seed), {*evaluate.TRIVIAL, *controls.TRIVIAL}
        weights = records.weights_path(*names)
        if model in trivial or weights.exists() or weights.with_suffix(".json").exists():
            yield names


def _of_table_1(key: str, quick: bool) -> bool:
    """Whether a metric is of Table 1; of a quick look, where frames far ahead are left out."""
    metric, how, span = [*key.split("/"), "", ""][:3]
    if metric not in GENERATED or how.startswith("swap"):
        return False
    return not quick or (how in evaluate.CONDITIONINGS and span in evaluate.SPANS)


def _again(
    names: Names, known: dict[str, Any], quick: bool, judged: bool
) -> Iterator[tuple[str, dict[str, Any], set[str]]]:
    """Parts of a record made anew: Table 1, and of Table 2, on the fixed share, the protocols that it has.

    Yields:
        The part, its entries, and the recorded metrics that have to be among them.
    """
    if names[2] not in controls.TRIVIAL or names[2] in evaluate.TRIVIAL:
        now = evaluate_shipped(*names, quick=quick)
        for part in ("subset",) if quick else ("metrics", "subset"):
            yield part, now.get(part, {}), {key for key in known.get(part, {}) if _of_table_1(key, quick)}
    if judged and any(key.startswith("accuracy/") for key in known.get("subset", {})):
        now, told = judge_shipped(*names, quick=True)["subset"], known["subset"].keys()
        wanted = {key for key in told if not _of_table_1(key, quick=False)}
        yield "subset", {key: entry for key, entry in now.items() if key in told}, wanted


def _within(key: str, old: float | None, new: float | None, n: int, tolerance: float) -> bool:
    if old is None or new is None:
        return old is new
    kind = key.split("/")[0]
    if kind in GENERATED:
        allowed = 50 * tolerance if kind == "psnr" else tolerance
    elif kind == "leakage":  # a reader is trained anew, and what it learns hangs on the last bits of what it is given
        allowed = 0.03
    else:  # rounding may turn a clip or two, and a fit by a little
        allowed = max(tolerance, 3 / n) * max(1.0, abs(old))
    return abs(old - new) <= allowed


def compare(names: Names, *, quick: bool, tolerance: float, judged: bool = False) -> list[Row]:
    """Recompute one record from shipped weights: (record, metric, recorded, now, within tolerance) per metric.

    A recorded metric that is no longer computed is one that differs.

    Args:
        quick: Table 1 on the fixed share of the test clips alone. judged: Table 2 too, on that share, one draw.
        tolerance: absolute for SSIM and MSE, 50 times wider for decibels; what a judge says may differ by three clips.

    Raises:
        RecordError: the record is damaged, or lacks a number of Table 1.
    """
    known, rows, name = records.read(*names), [], "/".join(map(str, names))
    for part, entries, wanted in _again(names, known, quick, judged):
        gone = sorted(wanted - entries.keys())
        rows += [(name, f"{part}:{key}", known[part][key]["value"], None, False) for key in gone]
        for key, entry in entries.items():
            if key not in known.get(part, {}):
                again = "python -m hamrepro evaluate --preset {} --dataset {} --model {} --seed {}".format(*names)
                raise RecordError(f"{name} has no {key}", "a complete record", again)
            old, new = known[part][key]["value"], entry["value"]
            rows.append((name, f"{part}:{key}", old, new, _within(key, old, new, entry.get("n") or 1, tolerance)))
    return rows


def compare_all(
    *,
    quick: bool,
    tolerance: float,
    wanted: Callable[[Names], bool] = lambda names: True,
    judged: Callable[[Names], bool] = lambda names: False,
) -> list[Row]:
    """`compare` for every wanted record whose data are at hand, printing one line each; data not at hand are named.

    Raises:
        DataError: data at hand that are damaged, or a variable that names a wrong folder. RecordError: see `compare`.
    """
    rows = []
    for names in recorded():
        if not wanted(names):
            continue
        try:
            found = compare(names, quick=quick, tolerance=tolerance, judged=judged(names))
        except MissingDataError as error:
            print(f"skipped {'/'.join(map(str, names))}: {error.given}")
            continue
        worst = max((abs(old - new) for _, _, old, new, _ in found if None not in (old, new)), default=0.0)
        good = all(right for *_, right in found)
        word, name = "same" if good else "DIFFERS", "/".join(map(str, names))
        print(f"{word} {name}: {len(found)} metrics, largest difference {worst:.1e}", flush=True)
        rows += found
    return rows
