"""Results files: one JSON a run, hashed, merged, and the only thing a table reads."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from hamrepro.checkpoint import write_atomically
from hamrepro.errors import RecordError

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "data" / "results"
WEIGHTS = ROOT / "data" / "weights"
SCHEMA = 1
ORIGIN = ("commit", "source_sha256", "data_sha256", "config", "hardware", "versions", "created")


def record_path(preset: str, dataset: str, model: str, seed: int, results: Path = RESULTS) -> Path:
    """data/results/<preset>/<dataset>/<model>/seed<k>.json."""
    return results / preset / dataset / model / f"seed{seed}.json"


def weights_path(preset: str, dataset: str, model: str, seed: int, weights: Path = WEIGHTS) -> Path:
    """data/weights/<preset>-<dataset>-<model>-seed<k>.safetensors; its card has the suffix .json."""
    return weights / f"{preset}-{dataset}-{model}-seed{seed}.safetensors"


def commit() -> str:
    """The checkout's commit, with `+changes` where the library differs from it; `unknown` outside git."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--", "hamrepro") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


@lru_cache(maxsize=1)
def source_sha256() -> str:
    """Hash of the library's own text, in order of path."""
    files = sorted((ROOT / "hamrepro").rglob("*.py"))
    return sha256(
        b"".join(path.relative_to(ROOT).as_posix().encode() + path.read_bytes() for path in files)
    ).hexdigest()


def origin(**more: Any) -> dict[str, Any]:
    """Provenance common to every record: commit, source, time; `more` adds the run's own."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"commit": commit(), "source_sha256": source_sha256(), "created": now, **more}


def write(path: Path, record: dict[str, Any], results: Path | None = None) -> None:
    """Write a record, or add its metrics to the one that is there, and list its hash in SHA256SUMS.

    Metrics of the same key are replaced; metrics of another model file (`weights_sha256`) are dropped.

    Raises:
        RecordError: the record there is damaged.
    """
    new = {"schema": SCHEMA} | record
    if path.exists():
        old = _parse(path)
        if old.get("provenance", {}).get("weights_sha256") == new["provenance"].get("weights_sha256"):
            for part in ("metrics", "subset"):
                if part in old or part in new:
                    new[part] = old.get(part, {}) | new.get(part, {})
    write_atomically(path, (json.dumps(new, indent=1, allow_nan=False) + "\n").encode())
    if results is not None:
        sums = _sums(results) | {path.relative_to(results).as_posix(): sha256(path.read_bytes()).hexdigest()}
        lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
        write_atomically(results / "SHA256SUMS", lines.encode())


def _sums(results: Path) -> dict[str, str]:
    listing = results / "SHA256SUMS"
    if not listing.exists():
        return {}
    return {name: digest for digest, _, name in (line.partition("  ") for line in listing.read_text().splitlines())}


def _parse(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text())
        if (
            record["schema"] != SCHEMA
            or not isinstance(record["metrics"], dict)
            or not isinstance(record["provenance"], dict)
        ):
            raise KeyError("schema, metrics, provenance")
        return record
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"{path} is no results file: {error}", f"schema {SCHEMA}", f"git checkout -- {path.name}"
        ) from error


def read(preset: str, dataset: str, model: str, seed: int, results: Path = RESULTS) -> dict[str, Any]:
    """One record, verified.

    Raises:
        RecordError: missing; edited since its hash was listed; or of another preset, data set, model or seed.
    """
    path = record_path(preset, dataset, model, seed, results)
    name = path.relative_to(results).as_posix()
    if not path.exists():
        raise RecordError(
            f"no record {name}",
            "a finished evaluation",
            f"python -m hamrepro evaluate --preset {preset} --dataset {dataset} --model {model} --seed {seed}",
        )
    record = _parse(path)
    if _sums(results).get(name) != sha256(path.read_bytes()).hexdigest():
        raise RecordError(
            f"{name} was edited: its hash is not the one in SHA256SUMS",
            "an untouched record",
            f"git checkout -- data/results/{name}",
        )
    names = {"preset": preset, "dataset": dataset, "model": model, "seed": seed}
    if any(record.get(key) != value for key, value in names.items()):
        raise RecordError(
            f"{name} says {[record.get(key) for key in names]}", f"{list(names.values())}", "evaluate again"
        )
    if missing := [key for key in ORIGIN if key not in record["provenance"]]:
        raise RecordError(f"{name} lacks its origin: {', '.join(missing)}", "a complete provenance", "evaluate again")
    return record


def seeds(preset: str, dataset: str, model: str, results: Path = RESULTS) -> list[int]:
    """Seeds with a record, in order."""
    return sorted(
        int(path.stem[4:]) for path in record_path(preset, dataset, model, 0, results).parent.glob("seed*.json")
    )


def faults(results: Path = RESULTS) -> list[str]:
    """Every record that is missing, unlisted, edited or without origin, in words. Empty when all is well."""
    found, listed = [], _sums(results)
    present = {path.relative_to(results).as_posix() for path in results.rglob("seed*.json")}
    for name in sorted(present | set(listed)):
        parts = name.split("/")
        if len(parts) != 4:
            continue
        try:
            read(parts[0], parts[1], parts[2], int(parts[3][4:-5]), results)
        except RecordError as error:
            found.append(str(error))
    return found
