"""The compact cache of cropped faces: built once, atomic, resumable, the same bytes every time."""

from __future__ import annotations

import ast
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from filelock import FileLock
from tqdm import tqdm

from hamrepro.errors import DataError
from hamrepro.face_crops import SIDE, Variant, crop, decode, face_box
from hamrepro.face_manifest import Manifest, read_manifest, seal

SCHEMA = 1


@dataclass(frozen=True)
class Source:
    """A take before cropping, from a folder or drawn.

    Attributes:
        key: sorts and identifies the take. subject, expression: its labels.
        length: number of raw frames.
        read: given frame numbers, the bytes of their JPEG files.
    """

    key: str
    subject: str
    expression: str
    length: int
    read: Callable[[Sequence[int]], Iterable[bytes]]


def code_sha256(*modules: str) -> str:
    """Hash of the modules' code without comments, docstrings and layout: what other code drew is drawn again."""
    digest = hashlib.sha256()
    for module in modules:
        package, _, name = module.rpartition(".")
        tree = ast.parse(resources.files(package).joinpath(f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
                node.body = node.body[1:]
        digest.update(ast.dump(tree).encode())
    return digest.hexdigest()


def crop_take(source: Source, variant: Variant) -> tuple[np.ndarray, Manifest]:
    """Faces of one take, uint8 (F, 64, 64, 3), and its line of the manifest. F = 0 with a `reason` when left out,
    `expected` where the protocol says so. A `DataError` where its files are gone or may not be read."""
    line: Manifest = {
        "key": source.key,
        "subject": source.subject,
        "expression": source.expression,
        "raw_frames": source.length,
        "frames": 0,
    }
    none = np.zeros((0, SIDE, SIDE, 3), np.uint8)
    kept = variant.kept(source.length)
    if not kept:
        return none, line | {
            "expected": True,
            "reason": f"too short: {source.length} frames, variant {variant.name} needs "
            f"{max(variant.shortest, 1)} and 16 after every {variant.step}-th is kept",
        }
    digest, pictures = hashlib.sha256(), []
    try:
        for number, data in zip(kept, source.read(kept), strict=True):
            digest.update(data)
            pictures.append(decode(data, f"frame {number}"))
    except DataError as error:
        return none, line | {"reason": error.given}
    except OSError as error:  # it may pass, and a take that is left out stays out
        again = "run the same command again once they are: it goes on"
        raise DataError(f"{source.key} cannot be read: {error}", "files you may read, in their place", again) from error
    if len({picture.shape for picture in pictures}) > 1:
        return none, line | {"reason": "frames of different sizes"}
    box = face_box([pictures[round(p * (len(pictures) - 1))] for p in variant.probes], variant.margin)
    if box is None:
        return none, line | {"reason": "no face found"}
    faces = np.stack([crop(picture, box) for picture in pictures])
    return faces, line | {
        "frames": len(faces),
        "box": [box.left, box.top, box.side],
        "source_sha256": digest.hexdigest(),
        "sha256": hashlib.sha256(faces.tobytes()).hexdigest(),
    }


def build(
    folder: Path,
    identity: Manifest,
    sources: Sequence[Source],
    variant: Variant,
    workers: int = 1,
    progress: bool = True,
) -> Manifest:
    """Crop every take into `folder`, or find it done. Killed at any moment, the next call goes on and ends
    with the same bytes: each take is a file of its own until all are packed, and the manifest comes last.

    Args:
        identity: what the cache is made of; part of the manifest.
        workers: processes.

    Returns:
        The manifest.

    Raises:
        DataError: the folder cannot be written, or no take is left.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            done = read_manifest(folder)
            return done if done is not None else _fill(folder, identity, sources, variant, workers, progress)
    except OSError as error:
        given = f"cannot write to {folder}: {error.strerror or error}"
        raise DataError(given, "a cache folder with free space", "set HAMREPRO_CACHE to another one") from error


def _part(folder: Path, source: Source) -> Path:
    return folder / "parts" / f"{hashlib.sha256(source.key.encode()).hexdigest()[:24]}.npz"


def _read_part(folder: Path, source: Source, name: str) -> np.ndarray:
    try:
        with np.load(_part(folder, source)) as part:
            return part[name]
    except (BadZipFile, EOFError, ValueError, KeyError, zlib.error) as error:
        part = _part(folder, source)
        again = f"remove {part} and run the command again"
        raise DataError(f"damaged {part} ({error})", "a take as it was stored", again) from error


def _crop_into(source: Source, *, folder: Path, variant: Variant) -> None:
    part = _part(folder, source)
    if part.exists():
        return
    faces, line = crop_take(source, variant)
    unfinished = part.with_suffix(f".{os.getpid()}.tmp")
    with open(unfinished, "wb") as file:
        np.savez(file, faces=faces, line=np.array(json.dumps(line)))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(part)


def _fill(
    folder: Path, identity: Manifest, sources: Sequence[Source], variant: Variant, workers: int, progress: bool
) -> Manifest:
    (folder / "parts").mkdir(exist_ok=True)
    work = partial(_crop_into, folder=folder, variant=variant)
    bar = partial(
        tqdm, total=len(sources), desc=f"faces to {folder.name}", unit="take", file=sys.stderr,
        disable=None if progress else True,
    )  # fmt: skip
    if workers > 1:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(bar(pool.map(work, sources, chunksize=18)))
    else:
        for source in bar(sources):
            work(source)
    return _pack(folder, identity, sources)


def _pack(folder: Path, identity: Manifest, sources: Sequence[Source]) -> Manifest:
    """Join the takes' files into frames.npy, then write the manifest, then drop the parts."""
    lines: list[Manifest] = [json.loads(str(_read_part(folder, source, "line"))) for source in sources]
    total = sum(line["frames"] for line in lines)
    if not total:
        reasons = sorted({line["reason"] for line in lines})[:3]
        given = f"no take is left of {len(lines)} ({'; '.join(reasons)})"
        raise DataError(given, "takes with frontal faces", "look at the frames, or choose another variant")
    unfinished, digest, at = folder / "frames.tmp.npy", hashlib.sha256(), 0
    with open(unfinished, "wb") as file:  # not a map of it: there a full disk ends the process
        shape = {"descr": "|u1", "fortran_order": False, "shape": (total, SIDE, SIDE, 3)}
        np.lib.format.write_array_header_1_0(file, shape)
        for source, line in zip(sources, lines, strict=True):
            faces = _read_part(folder, source, "faces").tobytes()
            file.write(faces)
            digest.update(faces)
            line["offset"], at = at, at + line["frames"]
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / "frames.npy")
    manifest: Manifest = {
        "schema": SCHEMA,
        **identity,
        "sha256": digest.hexdigest(),
        "takes": [line for line in lines if line["frames"]],
        "skipped": [
            {name: line.get(name, False) for name in ("key", "reason", "expected")}
            for line in lines if not line["frames"]
        ],
    }  # fmt: skip
    draft = folder / "manifest.tmp"
    sealed = manifest | {"seal": seal(manifest)}
    draft.write_text(json.dumps(sealed, indent=1, ensure_ascii=False), encoding="utf-8")
    draft.replace(folder / "manifest.json")
    shutil.rmtree(folder / "parts", ignore_errors=True)
    return manifest
