"""Results files: one JSON a run, hashed, merged, and the only thing a table reads."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any

from hamrepro.checkpoint import unwritable, write_atomically
from hamrepro.errors import RecordError

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(__file__).with_name("data").resolve()  # a link in a checkout, a copy where the package is installed
RESULTS = DATA / "results"
WEIGHTS = DATA / "weights"
SCHEMA = 1
JUDGED = ("accuracy", "h_y", "is")  # beginnings of what a judge says
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
    with _alone(results):
        if os.path.exists(path):
            old = _parse(path)
            _unedited(path, results)
            same_run(path, new)
            before, now = old["provenance"], new["provenance"]
            if all(before.get(key) == now.get(key) for key in ("weights_sha256", "data_sha256")):
                since = {"commit": before["commit"]} if before.get("commit") not in (None, now.get("commit")) else {}
                stale = () if now.get("judge_sha256") in (None, before.get("judge_sha256")) else JUDGED
                for part in {"metrics", "subset"} & old.keys():
                    kept = {key: since | entry for key, entry in old[part].items() if not key.startswith(stale)}
                    new[part] = kept | new.get(part, {})
                new["provenance"] = before | now
        text = as_text(new, path.name)
        write_atomically(path, text.encode())
        if results is not None:
            sums = _sums(results) | {path.relative_to(results).as_posix(): sha256(text.encode()).hexdigest()}
            lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
            write_atomically(results / "SHA256SUMS", lines.encode())


def same_run(path: Path, record: dict[str, Any]) -> None:
    """A `RecordError` where a file is no record, or one of another run or kind: it would be lost."""
    old = _parse(path)
    if any(old.get(name) != record.get(name) for name in ("kind", "preset", "dataset", "model", "seed")):
        raise RecordError(f"{path} holds something else", "a new file, or a record of the same run", "another --out")


def as_text(record: dict[str, Any], name: str) -> str:
    """A record as the JSON of its file.

    Raises:
        RecordError: a value is not a number.
    """
    try:
        return json.dumps(record, indent=1, allow_nan=False) + "\n"
    except ValueError as error:
        raise RecordError(f"{name}: a value is NaN or infinite", "numbers, or null", "look at the metrics") from error


@contextmanager
def _alone(results: Path | None) -> Iterator[None]:
    """Evaluations side by side share one list of hashes: they write in turn."""
    if results is None:
        yield
        return
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


def _unedited(path: Path, results: Path | None) -> None:
    if results is None:
        return
    name = path.relative_to(results).as_posix()
    again = f"git checkout -- data/results/{name}"
    try:
        found = sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise RecordError(f"{name} cannot be read: {error.strerror}", "an untouched record", again) from error
    if _sums(results).get(name) != found:
        given = f"{name} was edited: its hash is not the one in SHA256SUMS"
        raise RecordError(given, "an untouched record", again)


def _sums(results: Path) -> dict[str, str]:
    listing = results / "SHA256SUMS"
    if not os.path.exists(listing):
        return {}
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        again = "git checkout -- data/results/SHA256SUMS"
        raise RecordError(f"{listing} cannot be read: {error}", "the records' hashes", again) from error
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines if line)}


def _parse(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text())
        if (
            record["schema"] != SCHEMA
            or not isinstance(record["metrics"], dict)
            or not isinstance(record.get("subset", {}), dict)
            or not isinstance(record["provenance"], dict)
        ):
            raise KeyError("schema, metrics, provenance")
        return record
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        again = f"git checkout -- {path}, or another --out"
        raise RecordError(f"{path} is no results file: {error}", f"schema {SCHEMA}", again) from error


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
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{path.name}: {error}", "the committed file", f"git checkout -- data/{path.name}") from error


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
    _unedited(path, results)
    names = {"preset": preset, "dataset": dataset, "model": model, "seed": seed}
    if any(record.get(key) != value for key, value in names.items()):
        raise RecordError(
            f"{name} says {[record.get(key) for key in names]}", f"{list(names.values())}", "evaluate again"
        )
    entries = [item for part in ("metrics", "subset") for item in record.get(part, {}).items()]
    if wrong := [key for key, entry in entries if not _is_entry(entry)]:
        raise RecordError(f"{name}: {wrong[0]} is no metric", "value, ci95 and n, or a value of null", "evaluate again")
    if missing := [key for key in ORIGIN if record["provenance"].get(key) in (None, "")]:
        raise RecordError(f"{name} lacks its origin: {', '.join(missing)}", "a complete provenance", "evaluate again")
    return record


def seeds(preset: str, dataset: str, model: str, results: Path = RESULTS) -> list[int]:
    """Seeds with a record, in order."""
    folder = record_path(preset, dataset, model, 0, results).parent
    return sorted(int(path.stem[4:]) for path in folder.glob("seed*.json") if path.stem[4:].isdecimal())


def faults(results: Path = RESULTS) -> list[str]:
    """Every record that is missing, unlisted, edited or without origin, in words. Empty when all is well."""
    found, listed = [], _sums(results)
    present = {path.relative_to(results).as_posix() for path in results.rglob("*.json")}
    if not present | set(listed):
        found.append(f"no record under {results}: git checkout -- data/results, or evaluate again")
    for name in sorted(present | set(listed)):
        place = re.fullmatch(r"([^/]+)/([^/]+)/([^/]+)/seed(\d+)\.json", name)
        try:
            if place:
                read(place[1], place[2], place[3], int(place[4]), results)
            elif not (results / name).is_file():
                raise RecordError(f"no file {name}, which SHA256SUMS lists", "", f"git checkout -- data/results/{name}")
            else:
                _unedited(results / name, results)
        except RecordError as error:
            found.append(str(error))
    return found
