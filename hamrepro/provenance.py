"""Where a record comes from: the commit, the text of the library, the time."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

from hamrepro.datasets import ClipSet
from hamrepro.errors import CheckpointError
from hamrepro.places import ROOT


def commit() -> str:
    """The checkout's commit, with `+changes` where the library differs from it; `unknown` where git has none of it."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "--", "hamrepro/provenance.py")  # else it is somebody else's repository
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


def trained_on(card: dict[str, Any], clip_set: ClipSet) -> bool:
    """Whether the weights with this card were trained on the data that these clips are of."""
    return card.get("data_sha256", clip_set.sha256) == clip_set.sha256


def require_data(card: dict[str, Any], clip_set: ClipSet) -> None:
    """A `CheckpointError` for weights trained on other data than these clips are of."""
    if not trained_on(card, clip_set):
        given = f"weights trained on data {str(card['data_sha256'])[:12]}"
        raise CheckpointError(given, f"{clip_set.name} as it is here, {clip_set.sha256[:12]}", "train on these data")
