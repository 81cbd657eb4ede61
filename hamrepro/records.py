"""Results files: one JSON a run, hashed, merged, and the only thing a table reads."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any

from hamrepro import sha256sums
from hamrepro.checkpoint import unwritable, write_atomically
from hamrepro.errors import RecordError
from hamrepro.places import DATA, ROOT, read_whole, restore
from hamrepro.places import read as read_file

RUNS = (ROOT if (ROOT / ".git").exists() else Path()) / "runs"  # a chapter's own folder is no place for them
RESULTS = DATA / "results"
WEIGHTS = DATA / "weights"
SCHEMA = 1
LARGEST = 1 << 26  # bytes of a record
JUDGES = ("judge_sha256", "judge_blur_sha256")
ORIGIN = ("commit", "source_sha256", "data_sha256", "config", "hardware", "versions", "created")


def record_path(preset: str, dataset: str, model: str, seed: int, results: Path = RESULTS) -> Path:
    """data/results/<preset>/<dataset>/<model>/seed<k>.json."""
    return results / preset / dataset / model / f"seed{seed}.json"


def weights_path(preset: str, dataset: str, model: str, seed: int, weights: Path = WEIGHTS) -> Path:
    """data/weights/<preset>-<dataset>-<model>-seed<k>.safetensors; its card has the suffix .json."""
    return weights / f"{preset}-{dataset}-{model}-seed{seed}.safetensors"


def commands(preset: str, dataset: str, model: str) -> str:
    """What makes the record of a model, seed 0; a row without training needs the last verb alone."""
    verbs = ("evaluate",) if preset == "any" else ("train", "ship", "evaluate")
    folder = "HAMREPRO_MUG=<folder with subjects3> " if dataset == "mug" else ""
    names = f"--preset {preset} --dataset {dataset} --model {model}"
    return " && ".join(f"{folder}python -m hamrepro {verb} {names}" for verb in verbs)


def write(path: Path, record: dict[str, Any], results: Path | None = None) -> None:
    """Write a record, or add its metrics to the one that is there, and list its hash in SHA256SUMS.

    Metrics of the same key are replaced, of other weights, data or judge dropped; one that stays names its commit.

    Raises:
        RecordError: the record there is damaged or was edited, or a value is not a number.
    """
    new = {"schema": SCHEMA} | record
    with _alone(results or path.parent):
        if os.path.exists(path):
            old = same_run(path, new, results)
            before, now = old["provenance"], new["provenance"]
            if all(before.get(key) == now.get(key) for key in ("weights_sha256", "data_sha256")):
                since = {"commit": before["commit"]} if before.get("commit") not in (None, now.get("commit")) else {}
                others = [name for name in JUDGES if now.get(name) not in (None, before.get(name))]
                for part in {"metrics", "subset"} & old.keys():
                    kept = {key: since | entry for key, entry in old[part].items() if _judge_of(key) not in others}
                    new[part] = kept | new.get(part, {})
                new["provenance"] = before | now
        data = as_text(new, path.name).encode()
        if results is None:
            write_atomically(path, data)
        else:
            sha256sums.replace(path, data, results)


def _judge_of(key: str) -> str:
    """Name of the hash of the judge that said this; "" where none did."""
    metric = key.partition("/")[0]
    said = metric.startswith(("accuracy", "h_y", "is"))
    return JUDGES["-blur" in metric] if said else ""


def same_run(path: Path, record: dict[str, Any], results: Path | None = None) -> dict[str, Any]:
    """The record that one of this run would be added to.

    Raises:
        RecordError: it was edited, it is no record, or one of another run or kind: it would be lost.
    """
    if not path.is_file():
        raise RecordError(f"{path} is no file", "a new one, or a record of the same run", "another --out")
    old = _parse(path)
    if results is not None:
        sha256sums.require_unedited(path, results)
    if any(old.get(name) != record.get(name) for name in ("kind", "preset", "dataset", "model", "seed")):
        raise RecordError(f"{path} holds something else", "a new file, or a record of the same run", "another --out")
    if wrong := [key for key, entry in _entries(old) if not isinstance(entry, dict)]:
        raise RecordError(f"{path}: {wrong[0]} is no metric", "a value with its interval", "another --out")
    return old


def require_room(path: Path, record: dict[str, Any], results: Path | None = None) -> None:
    """Before long work: whether its record could be written here. See `write` for the arguments.

    Raises:
        RecordError: see `same_run`; a place among the records that is to be a file of one's own; a list of hashes that
            cannot be read. CheckpointError: it cannot be written.
    """
    if results is None and Path(os.path.realpath(path)).is_relative_to(RESULTS.resolve()):
        raise RecordError(f"{path} lies among the records", "a file elsewhere", "another --out, or none")
    if os.path.exists(path):
        same_run(path, record, results)
    if results is not None:
        sha256sums.sums(results)
    require_folder(path.parent)


def require_folder(folder: Path) -> None:
    """Before long work: a `CheckpointError` where nothing can be written to a folder, which is made where missing."""
    trial = folder / f".hamrepro-{os.getpid()}.trial"
    write_atomically(trial, b"")
    trial.unlink(missing_ok=True)


def as_text(record: dict[str, Any], name: str) -> str:
    """A record as the JSON of its file.

    Raises:
        RecordError: a value is not a number.
    """
    try:
        return json.dumps(record, indent=1, allow_nan=False) + "\n"
    except (ValueError, TypeError) as error:
        raise RecordError(
            f"{name}: a value is NaN or infinite, or none of JSON: {error}", "numbers, or null"
        ) from error


@contextmanager
def _alone(results: Path) -> Iterator[None]:
    """Evaluations side by side share one list of hashes, or one file: they write in turn."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(results, os.O_RDONLY)
    except OSError as error:
        raise unwritable(results, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _parse(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(read_file(path, LARGEST))
        if (
            record["schema"] != SCHEMA
            or not isinstance(record["metrics"], dict)
            or not isinstance(record.get("subset", {}), dict)
            or not isinstance(record["provenance"], dict)
        ):
            raise KeyError("schema, metrics, provenance")
        return record
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        again = f"{restore(path)}, or name another --out"
        raise RecordError(f"{path} is no results file: {error}", f"schema {SCHEMA}", again) from error


def _entries(record: dict[str, Any]) -> list[tuple[str, Any]]:
    return [item for part in ("metrics", "subset") for item in record.get(part, {}).items()]


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict) or "value" not in entry:
        return False
    if entry["value"] is None:
        return True
    interval = entry.get("ci95")
    numbers = [entry["value"], entry.get("n"), *(interval if isinstance(interval, list) else [])]
    return len(numbers) == 4 and all(isinstance(number, int | float) and isfinite(number) for number in numbers)


def document(path: Path) -> Any:
    """What a committed JSON file of `data/` holds; a damaged one is a `RecordError`."""
    try:
        return json.loads(read_whole(path))
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{path.name}: {error}", "the committed file", restore(path)) from error


def read(preset: str, dataset: str, model: str, seed: int, results: Path = RESULTS) -> dict[str, Any]:
    """One record, verified.

    Raises:
        RecordError: missing; edited since its hash was listed; or of another preset, data set, model or seed.
    """
    path = record_path(preset, dataset, model, seed, results)
    name = path.relative_to(results).as_posix()
    if not os.path.exists(path):
        raise RecordError(
            f"no record {name}",
            "a finished evaluation",
            f"python -m hamrepro evaluate --preset {preset} --dataset {dataset} --model {model} --seed {seed}",
        )
    record = _parse(path)
    sha256sums.require_unedited(path, results)
    names = {"preset": preset, "dataset": dataset, "model": model, "seed": seed}
    if any(record.get(key) != value for key, value in names.items()):
        raise RecordError(
            f"{name} says {[record.get(key) for key in names]}", f"{list(names.values())}", "evaluate again"
        )
    if wrong := [key for key, entry in _entries(record) if not _is_entry(entry)]:
        raise RecordError(f"{name}: {wrong[0]} is no metric", "value, ci95 and n, or a value of null", "evaluate again")
    if missing := [key for key in ORIGIN if record["provenance"].get(key) in (None, "")]:
        raise RecordError(f"{name} lacks its origin: {', '.join(missing)}", "a complete provenance", "evaluate again")
    return record


def seed_of(path: Path) -> int | None:
    """The seed whose record a file is by its name; None for any other file."""
    named = re.fullmatch(r"seed(0|[1-9][0-9]*)\.json", path.name)
    return int(named[1]) if named else None


def seeds(preset: str, dataset: str, model: str, results: Path = RESULTS) -> list[int]:
    """Seeds with a record, in order."""
    folder = record_path(preset, dataset, model, 0, results).parent
    return sorted(seed for path in folder.glob("seed*.json") if (seed := seed_of(path)) is not None)


def faults(results: Path = RESULTS) -> list[str]:
    """Every record that is missing, unlisted, edited or without origin, in words. Empty when all is well."""
    found, listed = [], sha256sums.sums(results)
    present = {path.relative_to(results).as_posix() for path in results.rglob("*.json")}
    if not present | set(listed):
        found.append(f"no record under {results}: {restore(results)}, or evaluate again")
    for name in sorted(present | set(listed)):
        place, seed = name.split("/"), seed_of(results / name)
        try:
            if len(place) == 4 and seed is not None:
                read(*place[:3], seed, results)
            elif not (results / name).is_file():
                raise RecordError(f"no file {name}, which SHA256SUMS lists", "", restore(results / name))
            else:
                sha256sums.require_unedited(results / name, results)
        except RecordError as error:
            found.append(str(error))
    return found
