"""Typed errors: every message says what was given, what was expected and what to run next."""

from __future__ import annotations


class HamreproError(Exception):
    """A fault with a cause the user can act on. The command line prints it and exits with code 2.

    Args:
        given: what was found.
        expected: what would have been right.
        next_step: the command or action to take now.
    """

    def __init__(self, given: str, expected: str = "", next_step: str = "") -> None:
        self.given, self.expected, self.next_step = given, expected, next_step
        parts = [given]
        if expected:
            parts.append(f"  expected: {expected}")
        if next_step:
            parts.append(f"  next: {next_step}")
        super().__init__("\n".join(parts))


class DataError(HamreproError):
    """A data folder, sheet, image or clip is missing, damaged or of the wrong kind."""


class MissingDataError(DataError):
    """Data that nobody put or named here: what needs them is left out where the rest can do without."""


class ConfigError(HamreproError):
    """An unknown name or an impossible combination of settings."""


class ShapeError(HamreproError):
    """A tensor of the wrong rank, size, type or range."""


class CheckpointError(HamreproError):
    """A saved state or a weights file is missing, damaged or belongs to another configuration."""


class InUseError(CheckpointError):
    """Another process trains in this folder."""


class NonFiniteError(HamreproError):
    """Training met NaN or infinity; the last good checkpoint is named."""


class RecordError(HamreproError):
    """A results file is missing, edited by hand, or of another preset, data set or model."""


class JudgeError(HamreproError):
    """A judge is missing, of other data, below its gate, or met clips it cannot answer to."""
