"""What lies in a MUG-shaped folder: takes, what was left out and why, and the report of it in text."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hamrepro.facs.expressions import EXPRESSIONS

SUBJECTS = 52  # Paper: Section 4


@dataclass(frozen=True)
class Take:
    """One take: a person, an expression, and its JPEG files in order of their numbers."""

    subject: str
    session: str
    expression: str
    name: str
    frames: tuple[Path, ...]

    @property
    def key(self) -> str:
        """Name that sorts and identifies the take, e.g. `002/happiness/session0/take001`."""
        return "/".join(part for part in (self.subject, self.expression, self.session, self.name) if part)


@dataclass(frozen=True)
class Skip:
    """Something left out. `expected` is True for what the protocol leaves out, False for a fault."""

    path: str
    reason: str
    expected: bool = False


@dataclass(frozen=True)
class Report:
    """What `check` found."""

    root: Path
    takes: tuple[Take, ...]
    skipped: tuple[Skip, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Sorted ids of the people with at least one take."""
        return tuple(sorted({take.subject for take in self.takes}))

    @property
    def frames(self) -> int:
        """Number of JPEG files in the takes kept."""
        return sum(len(take.frames) for take in self.takes)

    @property
    def ok(self) -> bool:
        """True when nothing was left out but what the protocol leaves out."""
        return all(skip.expected for skip in self.skipped)

    @property
    def faults(self) -> tuple[str, ...]:
        """Why results from this folder would not be results on MUG; empty where they would."""
        lost = sum(not skip.expected for skip in self.skipped)
        missing = sorted(set(EXPRESSIONS) - {take.expression for take in self.takes})
        return tuple(
            filter(None, (
                f"{lost} takes or folders skipped" if lost else "",
                f"{len(self.subjects)} subjects, not {SUBJECTS}" if len(self.subjects) != SUBJECTS else "",
                f"no take of {', '.join(missing)}" if missing else "",
            ))
        )  # fmt: skip

    def lines(self) -> Iterator[str]:
        """The report as text, every take left out on a line of its own."""
        root = os.fsencode(self.root).decode(errors="replace")  # what is no text could not be printed
        yield f"{root}: {len(self.subjects)} subjects, {len(self.takes)} takes, {self.frames} frames"
        counts = Counter(take.expression for take in self.takes)
        yield "  " + ", ".join(f"{name} {counts[name]}" for name in EXPRESSIONS)
        yield from (f"  note: {note}" for note in self.notes)
        yield from (line(skip.path, skip.reason, skip.expected) for skip in self.skipped)
        yield from (f"  WRONG: {fault}" for fault in self.faults)


def line(path: str, reason: str, expected: bool) -> str:
    """One thing left out, as printed."""
    return f"  {'left out' if expected else 'SKIPPED'}: {path}: {reason}"
