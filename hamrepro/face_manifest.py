"""A finished cache of faces as it is read: its manifest, sealed, and its frames, hashed."""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hamrepro.errors import DataError
from hamrepro.face_crops import SIDE

Manifest = dict[str, Any]


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a finished cache, None where it is unfinished.

    Raises:
        DataError: finished once, but damaged since.
    """
    path, frames = folder / "manifest.json", folder / "frames.npy"
    if not os.path.exists(path):
        return None
    again = f"remove {folder} and run the command again"
    try:
        manifest: Manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest.pop("seal", None) != seal(manifest):
            raise ValueError("manifest.json was altered")
        total = sum(take["frames"] for take in manifest["takes"])
        shape = np.load(frames, mmap_mode="r").shape
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"damaged cache {folder} ({error})", "frames.npy and manifest.json", again) from error
    if shape != (total, SIDE, SIDE, 3):
        raise DataError(f"{frames} of shape {shape}", f"({total}, {SIDE}, {SIDE}, 3)", again)
    return manifest


def seal(manifest: Manifest) -> str:
    """Hash of a manifest, kept in it: an edit is seen."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def open_frames(folder: Path, manifest: Manifest) -> np.ndarray:
    """Frames of a finished cache, uint8 (F, 64, 64, 3), mapped from disk; read to the end once in a process.

    Raises:
        DataError: they are not the ones that the manifest was written for.
    """
    path = folder / "frames.npy"
    found = _frames_sha256(path, os.stat(path).st_mtime_ns)
    if found != manifest["sha256"]:
        again = f"remove {folder} and run the command again"
        raise DataError(f"{path} was altered: its hash is {found[:12]}", str(manifest["sha256"])[:12], again)
    return np.load(path, mmap_mode="r")


@lru_cache(maxsize=8)
def _frames_sha256(path: Path, changed: int) -> str:
    digest = hashlib.sha256()
    frames = np.load(path, mmap_mode="r")
    for first in range(0, len(frames), 1000):
        digest.update(np.ascontiguousarray(frames[first : first + 1000]))
    return digest.hexdigest()
