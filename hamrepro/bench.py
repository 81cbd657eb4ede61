"""`hamrepro bench`: every measurement of speed in one record, and the rows of its table."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from hamrepro import benchmarks, growth_benchmarks, lever_benchmarks, provenance, records, training_benchmarks
from hamrepro.benchmarks import Conditions, Entries
from hamrepro.errors import ConfigError, RecordError
from hamrepro.presets import configure
from hamrepro.timing import hardware, roofline
from hamrepro.train import environment

SECTIONS: dict[str, Callable[[Conditions], Entries]] = {
    "roofline": lambda on: roofline(on.device, on.rounds),
    "flow": benchmarks.flow,
    "blocks": benchmarks.blocks,
    "rollout": benchmarks.rollout,
    "batch": benchmarks.batch,
    "data": benchmarks.data,
    "step": training_benchmarks.step,
    "levers": lever_benchmarks.levers,
    "others": lever_benchmarks.others,
    "compiled": lever_benchmarks.compiled,
    "evaluation": training_benchmarks.evaluation,
    "saving": training_benchmarks.saving,
    "memory": growth_benchmarks.memory,
    "growth": growth_benchmarks.growth,
}
# Least ratios to the slow reference on any machine; the guard holds a machine's record instead, of as many threads.
FLOORS = {
    "flow/d=12 K=6 T=8/forward+backward": 6.0,  # with one thread 13
    "blocks/d=12 K=6 T=8": 3.0,
    "batch/48 clips, against Pillow": 2.0,
}
FALL = 0.8  # share of it to which a ratio may fall


def bench_path(device: torch.device, results: Path = records.RESULTS) -> Path:
    """data/results/bench/<hardware>.json of the machine at hand."""
    return results / "bench" / f"{hardware(device)[0]}.json"


def held(name: str, device: torch.device, results: Path = records.RESULTS) -> float:
    """What a ratio may not fall below: 80 % of this machine's record, or of what any machine should have.

    A record counts where it was made with as many threads: a second one may hasten one way and not the other.
    """
    path = bench_path(device, results)
    alike = path.exists() and json.loads(path.read_text())["provenance"]["threads"] == torch.get_num_threads()
    entry = entries_of(path).get(name, {}) if alike else {}
    return FALL * (entry["ratio"]["value"] if "ratio" in entry else FLOORS[name])


def keep(entries: Entries, device: torch.device, out: Path | None = None, results: Path = records.RESULTS) -> Path:
    """Add measurements to this machine's record, or to a file of one's own; those of the same name are replaced."""
    path = bench_path(device, results) if out is None else out
    made = environment("", device) | {"hardware": hardware(device)[1]}
    del made["precision"]
    origin = provenance.origin(data_sha256="none", config={}, **made)
    records.write(path, {"kind": "bench", "metrics": entries, "provenance": origin}, results if out is None else None)
    return path


def require_room(device: torch.device, out: Path | None = None, results: Path = records.RESULTS) -> None:
    """Before long work: `records.require_room` for where `keep` would put it."""
    path = bench_path(device, results) if out is None else out
    records.require_room(path, {"kind": "bench"}, results if out is None else None)
    if path.exists():
        entries_of(path)


def bench(
    on: Conditions, sections: Sequence[str] = (), out: Path | None = None, results: Path = records.RESULTS
) -> Path:
    """Run some sections, or all, and keep what they give after each; returns the record's path.

    Raises:
        ConfigError: an unknown section or preset. DataError: no checkout. RecordError, CheckpointError: see
            `require_room`.
    """
    if unknown := [name for name in sections if name not in SECTIONS]:
        raise ConfigError(f"unknown section {unknown[0]!r}", f"one of {', '.join(SECTIONS)}")
    configure(on.preset, "sprites", "halo-sp")
    require_room(on.device, out, results)
    path = bench_path(on.device, results) if out is None else out
    for name in tqdm(sections or list(SECTIONS), desc="bench", unit="section"):
        keep(SECTIONS[name](on), on.device, out, results)
    return path


SCALES = {
    "s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "B": ((1e9, "GB"), (1e6, "MB"), (1, "B")),
    "FLOP/s": ((1e12, "TFLOP/s"), (1e9, "GFLOP/s")),
    "B/s": ((1e12, "TB/s"), (1e9, "GB/s")),
}


def shown(value: float | None, unit: str) -> str:
    """A value with the unit that suits it.

    >>> shown(0.0123, "s"), shown(29e6, "B"), shown(None, "s")
    ('12.3 ms', '29 MB', 'not run')
    """
    if value is None:
        return "not run"
    scales = SCALES.get(unit, ((1, unit),))
    scale, name = next(((scale, name) for scale, name in scales if value >= scale), scales[-1])
    return f"{value / scale:.3g} {name}"


def entries_of(path: Path) -> Entries:
    """The measurements of a record.

    Raises:
        RecordError: no record, or a damaged one.
    """
    try:
        entries = json.loads(path.read_text())["metrics"]
        rows(entries)
        return entries
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise RecordError(f"{path.name}: {error}", "a record of a benchmark", "python -m hamrepro bench") from error


def rows(entries: Entries) -> dict[str, dict[str, str]]:
    """Per measurement: median, quartiles, number of turns, the slow reference, the ratio with its quartiles."""
    found = {}
    for name, entry in entries.items():
        unit, ratio, other = entry["unit"], entry.get("ratio"), entry.get("reference")
        why = entry.get("why", "")
        found[name] = {
            "median": why if why and entry["n"] else shown(entry["value"], unit) + (f": {why}" if why else ""),
            "quartiles": " to ".join(shown(value, unit) for value in entry.get("iqr", ())),
            "n": str(entry["n"]),
            "slow reference": shown(other["value"], unit) if other else "",
            "ratio": f"{ratio['value']:.2f} ({ratio['iqr'][0]:.2f} to {ratio['iqr'][1]:.2f})" if ratio else "",
        }
    return found
