"""What a setting may be: small predicates that can say in words what they ask for."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite
from typing import NamedTuple

from hamrepro.errors import ConfigError


class Bound(NamedTuple):
    """What is expected, in words, and whether a value is it."""

    expected: str
    holds: Callable[[object], bool]


def whole(least: int, *, optional: bool = False) -> Bound:
    """A whole number >= least; or None, where optional."""
    either = " or None" if optional else ""
    return Bound(
        f"a whole number >= {least}{either}",
        lambda value: (type(value) is int and value >= least) or (optional and value is None),
    )


def number(*, above: float = -inf, optional: bool = False) -> Bound:
    """A finite number > above; or None, where optional."""
    either = " or None" if optional else ""
    return Bound(
        f"a number{'' if above == -inf else f' > {above:g}'}{either}",
        lambda value: (
            (isinstance(value, int | float) and isfinite(value) and value > above) or (optional and value is None)
        ),
    )


share = Bound("a number from 0 to 1", lambda value: isinstance(value, int | float) and 0 <= value <= 1)
weight = Bound("a number >= 0", lambda value: isinstance(value, int | float) and isfinite(value) and value >= 0)
flag = Bound("True or False", lambda value: isinstance(value, bool))
text = Bound("a text", lambda value: isinstance(value, str))
decay = Bound("a number from 0 to below 1", lambda value: isinstance(value, int | float) and 0 <= value < 1)


def among(*words: str) -> Bound:
    """One of the words."""
    return Bound(f"one of {', '.join(words)}", lambda value: value in words)


def numbers(each: Bound, *lengths: int) -> Bound:
    """A tuple of one of the lengths whose every entry keeps to a bound."""
    return Bound(
        f"{' or '.join(map(str, lengths))} entries, each {each.expected}",
        lambda value: isinstance(value, tuple) and len(value) in lengths and all(map(each.holds, value)),
    )


def check(settings: object, bound: Bound, *names: str) -> None:
    """Hold the named settings to a bound.

    Raises:
        ConfigError: one is not within it.
    """
    for name in names:
        value = getattr(settings, name)
        if not bound.holds(value):
            raise ConfigError(f"{name} = {value!r}", bound.expected)
