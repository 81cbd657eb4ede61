"""Which takes train and which test: splits of faces stored as rules, not as lists."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from hamrepro.errors import ConfigError

SPLITS = ("train", "fit", "validation", "test")
PARTITIONS = ("take", "subject")
TEST_SUBJECTS, VALIDATION_SUBJECTS, ALL_SUBJECTS = 16, 4, 52  # 36 / 16 of 52, as TwoStreamVAN's MUG2

Take = tuple[str, str, str]  # (subject, expression, key)


def assign(takes: Sequence[Take], partition: str = "take") -> list[str]:
    """ "fit", "validation" or "test" for every take. "train" means fit and validation together. Deviation D9.

    `take`: 75/25, stratified by subject x expression. In the stratum of subject number r (of the sorted ids) and
    expression number e (alphabetical) with n takes (sorted), `floor(n / 4 + ((r + e) % 4) / 4 + 1 / 8)` takes test,
    never all of them: the takes from position `(r + e) % n` on, cyclically. Over any four neighbouring strata that
    is n takes. Validation: the last remaining take of the strata with (r + e) % 4 == 0 that keep another to fit.

    `subject`: 16 of 52 people test, evenly spaced in the order of ids; of the others, 4 of 36 validate likewise.

    Raises:
        ConfigError: unknown partition.

    >>> assign([("001", "anger", "a"), ("001", "anger", "b"), ("001", "anger", "c")])
    ['fit', 'fit', 'validation']
    """
    if partition == "take":
        return _by_take(takes)
    if partition == "subject":
        return _by_subject(takes)
    raise ConfigError(f"unknown partition {partition!r}", f"one of {', '.join(PARTITIONS)}")


def _by_take(takes: Sequence[Take]) -> list[str]:
    subjects = sorted({take[0] for take in takes})
    expressions = sorted({take[1] for take in takes})
    part: dict[str, str] = {}
    for (subject, expression), stratum in groupby(sorted(takes), key=lambda take: take[:2]):
        keys = [key for _, _, key in stratum]
        turn = subjects.index(subject) + expressions.index(expression)
        count = min((2 * len(keys) + 2 * (turn % 4) + 1) // 8, len(keys) - 1)
        first = turn % len(keys)
        test = {keys[(first + i) % len(keys)] for i in range(count)}
        rest = [key for key in keys if key not in test]
        part |= dict.fromkeys(test, "test") | dict.fromkeys(rest, "fit")
        if turn % 4 == 0 and len(rest) > 1:
            part[rest[-1]] = "validation"
    return [part[key] for _, _, key in takes]


def _by_subject(takes: Sequence[Take]) -> list[str]:
    subjects = sorted({take[0] for take in takes})
    test = _spaced(subjects, round(len(subjects) * TEST_SUBJECTS / ALL_SUBJECTS))
    rest = [subject for subject in subjects if subject not in test]
    held = _spaced(rest, round(len(rest) * VALIDATION_SUBJECTS / (ALL_SUBJECTS - TEST_SUBJECTS)))
    return ["test" if s in test else "validation" if s in held else "fit" for s, _, _ in takes]


def _spaced(names: Sequence[str], count: int) -> set[str]:
    """`count` of the names, evenly spaced."""
    total = len(names)
    return {name for i, name in enumerate(names) if (i + 1) * count // total > i * count // total}
