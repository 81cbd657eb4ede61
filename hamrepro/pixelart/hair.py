"""Six heads of hair, each a set of tapered locks around the skull, in pixels from the head's centre."""

from __future__ import annotations

from .palettes import RAMP
from .raster import Canvas, Mask, Shape, capsule, ellipse, shifted, stencil
from .skeleton import Pose

HAIR = ("green hair", "blue hair", "blond hair", "white hair", "red hair", "purple hair")
Lock = tuple[float, float, float, float, float, float]  # from x, y, to x, y, radius at root and tip
SHORT, MOHAWK = (3, 4), 4  # styles that lie close to the skull; the one whose locks make a single crest
WAVE = (0.0, 0.5, 1.0, 0.5, 0.0, -0.5, -1.0, -0.5)  # of loose hair over the eight frames


def locks(pose: Pose, rows: tuple[Lock, ...], sway: float = 0.0) -> list[Shape]:
    """Locks about the head's centre; their tips are moved by `sway` pixels."""
    c = pose.head
    return [capsule(shifted(c, a, b), shifted(c, d + sway, e), r, s) for a, b, d, e, r, s in rows]


def mirrored(*rows: Lock) -> tuple[Lock, ...]:
    """rows and their mirror images."""
    return tuple(lock for a, b, c, d, r, s in rows for lock in ((a, b, c, d, r, s), (-a, b, -c, d, r, s)))


def face(pose: Pose) -> Mask:
    """The part of the head that the hair on the skull leaves free."""
    if pose.side:
        return stencil(ellipse(shifted(pose.head, -6.0, 5.0), 9.0, 8.4))
    return stencil(ellipse(shifted(pose.head, 0, 5.5), 7.4, 8.0))


def cap(pose: Pose, grow: float, drop: float) -> list[Shape]:
    """The hair that lies on the skull, `grow` pixels thick, down to the nape in the side view."""
    c = pose.head
    if pose.side:
        return [ellipse(shifted(c, 4.5, drop), 4.5 + grow, 6.0), ellipse(shifted(c, 0.5, -1.2), 8.8 + grow, 8.4 + grow)]
    return [ellipse(shifted(c, 0, -1.2), 8.8 + grow, 8.4 + grow)]


def paint_hair(canvas: Canvas, pose: Pose, part: str, style: int) -> None:
    """Green spikes, long blue hair, blond bob, white topknot, red mohawk, purple curls."""
    ramp = RAMP[HAIR[style]]
    sway = WAVE[pose.phase] - 0.5 * pose.swing
    back = BACK[pose.side].get(style, ())
    if part == "back" and back:
        canvas.paint(locks(pose, back, sway), ramp, dim=0.3)
    if part == "head":
        thickness, drop = (0.0, 1.0) if style in SHORT else (0.6, 2.5)
        canvas.paint(cap(pose, thickness, drop), ramp, 1, 0.75 * (style == MOHAWK), ~face(pose))
        shapes = locks(pose, LOCKS[pose.side][style])
        for group in [shapes] if style == MOHAWK else [[shape] for shape in shapes]:
            canvas.paint(group, ramp, 1)


BACK: tuple[dict[int, tuple[Lock, ...]], ...] = (
    {1: mirrored((6, 0, 8.5, 17, 4.0, 2.5)), 2: mirrored((6, 2, 6.5, 7, 4.5, 3.0))},
    {1: ((4, 0, 7, 18, 5, 2.5),), 2: ((4, 2, 4.5, 7, 5, 3.5),), 3: ((7, -6, 11, 6, 2.0, 1.2),)},
)
FRONT: tuple[tuple[Lock, ...], ...] = (
    (
        *mirrored((7, -2, 11, 2, 2.5, 0.7), (7, -5, 11.5, -5, 3.2, 0.7), (5, -7, 8.5, -12, 3.2, 0.7)),
        *((0, -8, 1.5, -13.5, 3.6, 0.7), (5, -6, 6.5, -0.5, 2.2, 0.7), (-5, -6, -6.5, -0.5, 2.2, 0.7)),
        *((-2, -7, -2.5, -1.5, 2.4, 0.7), (2, -7, 2, -1, 2.4, 0.7)),
    ),
    mirrored((7.8, 0, 8.6, 11, 2.2, 1.6), (2.5, -7, 7, -1.5, 3.2, 1.6)),
    (
        *mirrored((7.6, -2, 8.8, 7, 2.8, 2.4), (5.5, -5, 6.2, -0.5, 2.6, 1.4)),
        *((-2, -6, -3.0, -1.5, 2.6, 1.4), (3, -7, 0.6, -1.5, 3.0, 1.4)),
    ),
    (*mirrored((7.6, -1, 8.2, 3, 1.6, 0.8), (2.5, -7, 6.0, -4.5, 3, 1.6)), (0, -9, 0, -11.5, 2.2, 3.0)),
    ((0, -8, 0, -14, 3.2, 2.2), (0, -8, 0.5, -3, 3.0, 1.8)),
    (
        *mirrored((9.5, 2, 9.5, 2.5, 3.4, 3.4), (10, -3.5, 10, -3.5, 4.0, 4.0)),
        *mirrored((7, -9, 7, -9, 4.2, 4.2), (4.8, -4.8, 4.8, -4.5, 2.8, 2.6)),
        *((0, -11, 0, -11, 4.4, 4.4), (0, -5.5, 0, -5, 3.0, 2.8)),
    ),
)
SIDE: tuple[tuple[Lock, ...], ...] = (
    (
        *((5, 2, 11, 5, 3, 0.7), (6, -2, 12.5, -1, 3.6, 0.7), (5, -6, 11, -8, 3.6, 0.7)),
        *((1, -8, 4, -13.5, 3.6, 0.7), (-3, -7, -5, -12.5, 3.2, 0.7), (-5, -6, -9.5, -4, 2.6, 0.7)),
        *((0, -5, -1, 2, 2.2, 0.8), (-4, -6, -5.5, -1, 2.4, 0.7)),
    ),
    ((5, 0, 6.5, 12, 4.6, 2.5), (2, -2, 1.5, 8, 2.6, 1.4), (-2, -6, -7, -2, 3.2, 1.2)),
    ((5, 0, 4.8, 7, 4.6, 3.4), (2.5, -3, 2.5, 6, 2.8, 2.4), (-4, -6, -6.5, -2, 3, 1.8), (-1, -6, -2.5, -2.5, 3, 2)),
    ((2, -5, 6.5, -7, 3, 2), (7, -9, 7.2, -9, 3.0, 3.0), (-3, -6, -6.5, -4, 3, 1), (1, -1, 0.5, 3, 1.6, 0.8)),
    (
        *((8.5, 1, 10.5, 4, 2.0, 1.0), (8, -3, 12, -1.5, 2.8, 1.0), (7, -7, 11.5, -8, 3.0, 1.0)),
        *((4, -9, 7.5, -12.5, 3.2, 1.0), (0.5, -10, 2, -14.5, 3.2, 1.0), (-3, -9, -4, -13.5, 3.0, 1.0)),
        (-6, -6.5, -9.5, -9.0, 2.6, 1.0),
    ),
    (
        *((6, 4, 6, 4, 4.0, 4.0), (9, -1, 9, -1, 4.4, 4.4), (8, -7, 8, -7, 4.4, 4.4), (2, -10, 2, -10, 4.8, 4.8)),
        *((-4.5, -7.5, -4.5, -7.5, 4.2, 4.2), (1.5, 0, 1.5, 0.5, 3.2, 3.0), (-3, -4, -3, -4, 2.8, 2.8)),
    ),
)
LOCKS = (FRONT, SIDE)
