"""SHA256SUMS: the hash of every record beside it, in the format of `sha256sum`, so that an edit is seen."""

from __future__ import annotations

import os
from collections.abc import Mapping, Set
from hashlib import sha256
from pathlib import Path

from hamrepro.checkpoint import write_atomically
from hamrepro.errors import RecordError
from hamrepro.places import restore

Sums = Mapping[str, Set[str]]


def sums(results: Path) -> Sums:
    """Hashes by name: one each, and a second one where a write was cut short.

    Raises:
        RecordError: the list cannot be read.
    """
    listing, found = results / "SHA256SUMS", {}
    if not os.path.exists(listing):
        return {}
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise RecordError(f"{listing} cannot be read: {error}", "the records' hashes", restore(listing)) from error
    for digest, _, name in (line.partition("  ") for line in lines if line):
        found[name] = found.get(name, frozenset()) | {digest}
    return found


def replace(path: Path, data: bytes, results: Path) -> None:
    """Write a record and its hash. Killed at any moment, the old one or the new one is there and listed: until the
    new one is in its place, both hashes are."""
    known, name, digest = sums(results), path.relative_to(results).as_posix(), sha256(data).hexdigest()
    _write(results, {**known, name: known.get(name, frozenset()) | {digest}})
    write_atomically(path, data)
    _write(results, {**known, name: frozenset({digest})})


def _write(results: Path, listed: Sums) -> None:
    lines = sorted((name, digest) for name, digests in listed.items() for digest in digests)
    write_atomically(results / "SHA256SUMS", "".join(f"{digest}  {name}\n" for name, digest in lines).encode())


def require_unedited(path: Path, results: Path) -> None:
    """A `RecordError` for a record that cannot be read, or whose hash is not listed."""
    name, listed = path.relative_to(results).as_posix(), sums(results)
    try:
        found = sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise RecordError(f"{name} cannot be read: {error.strerror}", "an untouched record", restore(path)) from error
    if found not in listed.get(name, ()):
        given = f"{name} was edited: its hash is not the one in SHA256SUMS"
        raise RecordError(given, "an untouched record", restore(path))
