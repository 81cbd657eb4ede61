"""SHA256SUMS: the hash of every record beside it, in the format of `sha256sum`, so that an edit is seen."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Set
from hashlib import sha256
from pathlib import Path

from hamrepro.checkpoint import write_atomically
from hamrepro.errors import RecordError
from hamrepro.places import read_whole, restore

SUMS = "SHA256SUMS"
Sums = Mapping[str, Set[str]]


def sums(results: Path) -> Sums:
    """Hashes by name: one each, and a second one where a write was cut short.

    Raises:
        RecordError: the list cannot be read.
    """
    listing, found = results / SUMS, {}
    if not os.path.exists(listing):
        return {}
    try:
        lines = read_whole(listing).decode().splitlines()
    except (OSError, ValueError) as error:
        raise RecordError(f"{listing} cannot be read: {error}", "the records' hashes", restore(listing)) from error
    for line in filter(None, lines):
        digest, _, name = line.partition("  ")
        inside = name.isprintable() and not name.startswith("/") and ".." not in name.split("/")
        if not re.fullmatch(r"[0-9a-f]{64}", digest) or not name or not inside:
            expected = "a hash, two blanks, the name of a record beside it"
            raise RecordError(f"{listing}: {line[:80]!r}", expected, restore(listing))
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
    write_atomically(results / SUMS, "".join(f"{digest}  {name}\n" for name, digest in lines).encode())


def require_unedited(path: Path, results: Path) -> None:
    """A `RecordError` for a record that cannot be read, or whose hash is not listed."""
    name = path.relative_to(results).as_posix()
    for _ in range(2):  # between list and file another process may have replaced both
        listed = sums(results).get(name)
        try:
            found = sha256(read_whole(path)).hexdigest()
        except OSError as error:
            given = f"{name} cannot be read: {error.strerror}"
            raise RecordError(given, "an untouched record", restore(path)) from error
        if found in (listed or ()):
            return
    if listed is None:
        again = f"{restore(results / SUMS)}, or remove it"
        raise RecordError(f"{name} is not listed in SHA256SUMS", "records alone", again)
    given = f"{name} was edited: its hash is not the one in SHA256SUMS"
    raise RecordError(given, "an untouched record", f"{restore(path)}; or remove it and evaluate again")
