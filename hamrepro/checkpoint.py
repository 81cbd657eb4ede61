"""Checkpoints that survive a kill: written aside, hashed, moved into place; the newest valid one is loaded."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from hamrepro.errors import CheckpointError, InUseError, NonFiniteError
from hamrepro.places import read_whole, restore

FORMAT = 2
KEEP = 2
STATES = "state-" + 8 * "[0-9]"  # names of saved states, and of nothing that a person put beside them
ORIGIN = ("data_sha256", "seed", "train_seconds", "environment")
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError)
State = tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Any]]  # model, optimiser, meta


def digest(data: bytes) -> str:
    """sha256 of bytes, in hexadecimal."""
    return sha256(data).hexdigest()


def tensors(model: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers of a model, on the CPU, contiguous, detached."""
    return {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold a run's folder, made where missing; the lock ends with the process, however it ends.

    What a killed process left half-written is removed.

    Raises:
        CheckpointError: another process holds it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / ".lock", "w")  # noqa: SIM115
    except OSError as error:
        raise unwritable(folder, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InUseError(f"{folder} is in use by another process", "one process a run", "wait for it") from error
        for leftover in folder.glob(".*.tmp"):
            with suppress(OSError):  # a link, or another user's: it is in nobody's way
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        yield


def unwritable(path: Path, error: OSError) -> CheckpointError:
    """The error of a full disk, a read-only or a missing folder."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    cure = "free some space" if full else "look at the folder, or choose another"
    given, expected = f"cannot write {path}: {error.strerror or error}", "a writable folder with room"
    return CheckpointError(given, expected, f"{cure}, and run the same command again")


def _settle(folder: Path) -> None:
    """Names, too, must reach the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_finite(*parts: dict[str, Tensor]) -> list[str]:
    return [name for part in parts for name, value in part.items() if not value.isfinite().all()]


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that the old content or the new is there, never a part.

    Raises:
        CheckpointError: the disk is full, the folder read-only or gone; the old file is untouched.
    """
    aside = path.with_name(f".{path.name[:99]}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(aside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
        _settle(path.parent)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def save_state(
    folder: Path, step: int, model: dict[str, Tensor], optimiser: dict[str, Tensor], meta: dict[str, Any]
) -> Path:
    """Save `state-<step>` in a run's folder: model.safetensors, optimiser.safetensors, meta.json.

    The folder appears under its final name only when everything in it is on disk; older states beyond
    the newest two up to this step are removed afterwards.

    Raises:
        NonFiniteError: NaN or infinity in a tensor; nothing is written. CheckpointError: it cannot be written.
        Earlier states are untouched by either.
    """
    if bad := _not_finite(model, optimiser):
        raise NonFiniteError(
            f"step {step}: {bad[0]} and {len(bad) - 1} more tensors are not finite",
            "finite weights and moments",
            f"the checkpoint before is untouched in {folder}; lower the learning rate, or use precision float32",
        )
    final, aside = folder / f"state-{step:08d}", folder / f".state-{step:08d}.{os.getpid()}.tmp"
    parts = {"model.safetensors": save(model), "optimiser.safetensors": save(optimiser)}
    meta = {"format": FORMAT, "step": step, "sha256": {name: digest(data) for name, data in parts.items()}} | meta
    parts["meta.json"] = json.dumps(meta | {"meta_sha256": _seal(meta)}, indent=1).encode()
    try:
        shutil.rmtree(aside, ignore_errors=True)
        for name, data in parts.items():
            write_atomically(aside / name, data)
        shutil.rmtree(final, ignore_errors=True)
        os.replace(aside, final)
        _settle(folder)
    except (OSError, CheckpointError) as error:
        shutil.rmtree(aside, ignore_errors=True)
        if isinstance(error, CheckpointError):
            raise
        raise unwritable(final, error) from error
    # A later state that is still there could not be read: it must not push out the ones that can.
    for old in [path for path in sorted(folder.glob(STATES)) if path <= final][:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def _seal(meta: dict[str, Any]) -> str:
    return digest(
        json.dumps({key: value for key, value in meta.items() if key != "meta_sha256"}, sort_keys=True).encode()
    )


def load_state(path: Path, config_sha256: str) -> State:
    """Model, optimiser and meta of one saved state, verified.

    Raises:
        CheckpointError: missing, truncated, altered, of another format or of other settings.
    """
    try:
        meta = json.loads(read_whole(path / "meta.json"))
        if meta.get("format") != FORMAT:
            raise CheckpointError(f"{path}: format {meta.get('format')}", f"format {FORMAT}", "train again")
        if meta.get("config_sha256") != config_sha256:
            raise CheckpointError(
                f"{path} was made with other settings ({str(meta.get('config_sha256'))[:12]})",
                f"settings {config_sha256[:12]}",
                "use another --runs folder, or delete this run",
            )
        if meta["meta_sha256"] != _seal(meta) or path.name != f"state-{meta['step']:08d}":
            raise CheckpointError(f"{path / 'meta.json'} was altered", "the file as it was saved", "delete this state")
        if missing := [key for key in ORIGIN if key not in meta] or not isinstance(meta["environment"], dict):
            raise CheckpointError(f"{path} lacks its origin: {missing}", ", ".join(ORIGIN), "delete this state")
        tensors = []
        for name in ("model.safetensors", "optimiser.safetensors"):
            data = read_whole(path / name)
            if digest(data) != meta["sha256"][name]:
                raise CheckpointError(
                    f"{path / name} does not match its hash", meta["sha256"][name][:12], "delete this state"
                )
            tensors.append(load(data))
        if bad := _not_finite(*tensors):
            raise CheckpointError(f"{path}: {bad[0]} is not finite", "finite weights and moments", "delete this state")
        return tensors[0], tensors[1], meta
    except UNREADABLE as error:
        locked = isinstance(error, PermissionError)
        again = "look at its permissions, and resume" if locked else "delete this state and resume"
        raise CheckpointError(f"{path} cannot be read: {error}", "a saved state", again) from error


def load_latest(folder: Path, config_sha256: str) -> State | None:
    """The newest state that verifies, or None where there is none; damaged ones are named and passed over.

    Raises:
        CheckpointError: states exist, none of them verifies.
    """
    states = sorted(folder.glob(STATES), reverse=True) if os.path.isdir(folder) else []
    faults = []
    for path in states:
        try:
            return load_state(path, config_sha256)
        except CheckpointError as error:
            faults.append(error)
            print(f"skipped: {error}")
    if faults:
        raise CheckpointError(
            f"none of the {len(states)} states in {folder} can be used; newest: {faults[0].given}",
            faults[0].expected,
            f"another --runs folder, or delete {folder} to start again",
        )
    return None


def save_weights(path: Path, model: dict[str, Tensor], card: dict[str, Any]) -> None:
    """Weights for shipping: float16 safetensors, and a JSON card beside it naming what they are.

    Raises:
        NonFiniteError: a weight is beyond float16. CheckpointError: cannot be written.
    """
    half = {name: value.half() if value.is_floating_point() else value for name, value in model.items()}
    if bad := _not_finite(half):
        raise NonFiniteError(f"{path.name}: {bad[0]} is not finite in float16", "weights below 65504", "train again")
    data, named = save({name: value.contiguous() for name, value in half.items()}), path.with_suffix(".json")
    new = card | {"sha256": digest(data)}
    with suppress(CheckpointError):  # until the weights are replaced, the card is of the old and of the new ones
        write_atomically(named, json.dumps(load_weights(path)[1] | {"next": new}, indent=1).encode() + b"\n")
    write_atomically(path, data)
    write_atomically(named, json.dumps(new, indent=1).encode() + b"\n")


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Shipped weights as float32, and their card, verified.

    Raises:
        CheckpointError: missing, not what the card says, or not finite.
    """
    try:
        card = json.loads(read_whole(path.with_suffix(".json")))
        data, new = read_whole(path), card.pop("next", {})
        found = digest(data)
        if found not in (card.get("sha256"), new.get("sha256")):
            raise CheckpointError(f"{path} does not match its card", str(card.get("sha256"))[:12], restore(path))
        weights = {name: value.float() if value.dtype == torch.float16 else value for name, value in load(data).items()}
        if bad := _not_finite(weights):
            raise CheckpointError(f"{path}: {bad[0]} is not finite", "finite weights", restore(path))
        return weights, card if found == card.get("sha256") else new
    except UNREADABLE as error:
        raise CheckpointError(f"{path} cannot be read: {error}", "weights and their card", restore(path)) from error
