"""Joint positions of the figure for every action, view and frame. Pixels, y down, closed cycles of period 8."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from .raster import Point, shifted

FRAMES = 8
MIDDLE = 31.5
SOLE = 58.5  # ankle height of a standing foot; the sole is on row 61
UPPER_ARM, FOREARM, THIGH, SHIN = 6.4, 6.2, 7.2, 7.2


@dataclass(frozen=True)
class Limb:
    """Arm: shoulder, elbow, wrist. Leg: hip, knee, ankle. far: away from the viewer. lifted: pixels off the ground."""

    root: Point
    joint: Point
    tip: Point
    far: bool = False
    lifted: float = 0.0


@dataclass(frozen=True)
class Pose:
    """One frame's skeleton.

    Attributes:
        side: seen from the side, facing the picture's left; else from the front.
        phase: the frame, 0..7.
        order: names of the body parts from back to front.
        asleep: eyes closed.
        swing: pixels by which the upper body moves, against which loose hair lags.
        gaze: pixels by which the face is turned. broad: width of the chest, below 1 where it is turned.
    """

    side: bool
    phase: int
    head: Point
    chest: Point
    hips: Point
    arms: tuple[Limb, ...]
    legs: tuple[Limb, ...]
    order: tuple[str, ...]
    asleep: bool = False
    swing: float = 0.0
    gaze: float = 0.0
    broad: float = 1.0


def bent(root: Point, tip: Point, upper: float, lower: float, bend: float) -> Point:
    """The middle joint of a limb of two bones; bend +1 or -1 says to which side it goes, 0 keeps it straight."""
    dx, dy = tip[0] - root[0], tip[1] - root[1]
    distance = max(sqrt(dx * dx + dy * dy), 0.5)
    along = min(max((distance * distance + upper * upper - lower * lower) / (2 * distance), 0.0), upper)
    across = bend * sqrt(upper * upper - along * along)
    if distance > upper + lower:
        along, across = distance * upper / (upper + lower), 0.0
    return root[0] + (dx * along - dy * across) / distance, root[1] + (dy * along + dx * across) / distance


# Walk. A leg's phases: contact, down, passing, push-off, behind, swing, passing, reach; the other leg is 4 phases on.
BOB = (1, 1, 0, 0, 1, 1, 0, 0)
# Side view: ankle forwards and down, wrist from the shoulder. Front view: ankle down, wrist outwards and down.
STRIDE = ((-6.5, -0.5), (-4.5, 0), (-1, 0), (2.5, 0), (6.0, -1), (5.5, -3.5), (0.5, -3.5), (-4.5, -2))
STEP = (0.5, 0.5, 0.0, -0.6, -1.2, -2.6, -3.2, -1.4)
ARM_SIDE = ((7.5, 8.5), (6, 9.5), (2, 11.2), (-3, 10.5), (-6.5, 8), (-5.5, 9), (-1.5, 10.8), (4, 10.8))
ARM_FRONT = ((3.0, 8.4), (2.6, 9.6), (1.7, 11.2), (0.0, 9.6), (-2.2, 7.0), (-1.2, 8.4), (0.8, 10.8), (2.2, 10.6))

# Spellcast: wrists from the shoulder, outwards and down. Side view: forwards is negative x.
CAST_FRONT = ((1.7, 11.2), (-2.5, 8.5), (-6.0, 4.5), (9.5, 4.5), (11.0, -5.5), (7.0, -12.0), (12.5, 0.0), (7.5, 8.0))
CAST_SIDE = ((0.5, 11.2), (-5.0, 8.0), (-7.0, 4.0), (-11, 2.0), (-12.5, -5.0), (-11.5, -10.5), (-13, -1.0), (-8.0, 7.5))
CAST_LIFT = (0, 1, 1, 0, 0, -1, 0, 0)

# Slash: the striking arm winds up, sweeps across the body and comes back; the other arm balances.
SLASH_FRONT = ((2.2, 10.8), (10.5, 1), (9.5, -7.5), (4.0, -11.5), (-8, 0.5), (-17, 1.0), (-16.5, 7.5), (-6.0, 10.8))
SLASH_BALANCE = ((2.2, 10.8), (0.0, 9), (-3.0, 7.5), (2.0, 10), (0.5, 10.5), (-2.0, 9.5), (-1.0, 10), (1.5, 11))
SLASH_TWIST = (0, -1, -2, -2, 1, 3, 3, 1)
SLASH_SIDE = ((0.5, 11), (9.5, 3), (8, -9.5), (-8.5, -11), (-13.5, -3), (-12, 5.0), (-7.0, 10), (-1.5, 11.5))
SLASH_SIDE_BALANCE = ((0, 11), (-6, 7), (-8.5, 5), (-6, 6.5), (2, 10), (7, 8), (6.5, 9), (3.5, 10.5))
SLASH_LEAN = (0, 1, 1.5, 0, -2, -2.5, -2, -1)
LUNGE = (1, 2, 2.5, 3, 4.5, 4.5, 3.5, 2)


def front_arm(side: int, hand: Point, chest: Point, broad: float, turn: float) -> Limb:
    """An arm seen from the front.

    Args:
        side: -1 on the picture's left, 1 on its right.
        hand: the wrist from the shoulder, outwards and down.
        broad, turn: width of the chest; pixels by which its turning moves the shoulder.
    """
    shoulder = (chest[0] + side * 8.7 * broad + turn, chest[1] - 1.5)
    wrist = shifted(shoulder, side * hand[0], hand[1])
    hangs = hand[1] > 6  # swings towards or away from the viewer: foreshortened rather than bent
    reach = sqrt(hand[0] * hand[0] + hand[1] * hand[1]) / (0.96 * (UPPER_ARM + FOREARM))
    scale = min(reach, 1.0) if hangs else 1.0
    return Limb(shoulder, bent(shoulder, wrist, scale * UPPER_ARM, scale * FOREARM, -side), wrist)


def front(action: str, phase: int) -> Pose:
    """The skeleton seen from the front."""
    bob, twist, wide, steps = 0.0, 0.0, 4.1, (0.0, 0.0)
    hands, behind = (CAST_FRONT[phase], CAST_FRONT[phase]), (False, False)
    if action == "walk":
        bob, other = BOB[phase], (phase + 4) % FRAMES
        steps, hands = (STEP[phase], STEP[other]), (ARM_FRONT[phase], ARM_FRONT[other])
        behind = (phase in (7, 0, 1), other in (7, 0, 1))
    elif action == "spellcast":
        bob, wide = CAST_LIFT[phase], 5.0
    else:
        hands, twist, wide = (SLASH_FRONT[phase], SLASH_BALANCE[phase]), SLASH_TWIST[phase], 3.6 + LUNGE[phase] * 0.5
        bob, behind = float(phase in (4, 5, 6)), (phase == 2, phase in (3, 4, 5, 6, 7))
        steps = (-0.4 * LUNGE[phase], 0.5)
    head, chest = (MIDDLE + twist * 0.5, 23.0 + bob), (MIDDLE + 0.8 * twist, 36.4 + bob)
    hips = (MIDDLE, 45.0 + max(bob, 0.0))
    broad = 1.0 - 0.06 * abs(twist)
    turns = (max(0.5 * twist, 0.0), -0.3 * abs(twist))
    arms = tuple(front_arm(side, hands[i], chest, broad, turns[i]) for i, side in enumerate((-1, 1)))
    legs = []
    for side, step in zip((-1, 1), steps, strict=True):
        root, tip = (hips[0] + side * 3.7, hips[1] + 0.5), (MIDDLE + side * wide, SOLE + min(step, 0.5))
        knee = (root[0] * 0.45 + tip[0] * 0.55 + side * 0.4, (root[1] + tip[1]) / 2 - 0.2 * step)
        legs.append(Limb(root, knee, tip, lifted=-min(step, 0.0), far=step < -1.5))
    at_back = [f"arm{i}" for i in (1, 0) if behind[i]]
    feet = ["leg0", "leg1"] if steps[0] <= steps[1] else ["leg1", "leg0"]
    low = [f"arm{i}" for i in (1, 0) if not behind[i] and hands[i][1] >= 0]
    high = [f"arm{i}" for i in (1, 0) if not behind[i] and hands[i][1] < 0]
    order = ("back", *at_back, *feet, "pelvis", "torso", *low, "head", *high)
    asleep, gaze = action == "spellcast" and phase in (1, 2), float((twist > 1) - (twist < -1))
    return Pose(False, phase, head, chest, hips, arms, tuple(legs), order, asleep, 0.5 * twist, gaze, broad)


def profile(action: str, phase: int) -> Pose:
    """The skeleton seen from its left side, facing the picture's left. Limb 0 is the far one."""
    other = (phase + 4) % FRAMES
    bob, lean = 0.0, 0.0
    feet: tuple[Point, Point] = ((3.0, -0.5), (-2.6, 0.0))
    hands: tuple[Point, Point] = (shifted(CAST_SIDE[phase], -2.5, -1.5), CAST_SIDE[phase])
    if action == "walk":
        bob, lean, feet, hands = BOB[phase], -0.5, (STRIDE[phase], STRIDE[other]), (ARM_SIDE[phase], ARM_SIDE[other])
    elif action == "spellcast":
        bob = CAST_LIFT[phase]
        lean = (0, -0.5, -0.5, -0.5, 0, 0.5, 0, 0)[phase]
    else:
        lean, hands = SLASH_LEAN[phase], (SLASH_SIDE_BALANCE[phase], SLASH_SIDE[phase])
        feet, bob = ((1.6 + 0.8 * LUNGE[phase], -0.5), (-1.6 - 0.9 * LUNGE[phase], 0.0)), float(phase in (4, 5))
    hips, chest = (MIDDLE + 0.5, 45.0 + max(bob, 0.0)), (MIDDLE + 0.5 + lean, 36.4 + bob)
    head = (MIDDLE + lean * 1.2, 23.0 + bob)
    arms, legs = [], []
    for i, (hand, foot) in enumerate(zip(hands, feet, strict=True)):
        shoulder = (chest[0] + (-0.8, 0.6)[i], chest[1] - 1.5)
        wrist = shifted(shoulder, *hand)
        arms.append(Limb(shoulder, bent(shoulder, wrist, UPPER_ARM, FOREARM, -1.0), wrist, far=i == 0))
        root, ankle = (hips[0] + (-0.5, 0.3)[i], hips[1] + 0.5), (MIDDLE + 0.5 + foot[0], SOLE + foot[1])
        legs.append(Limb(root, bent(root, ankle, THIGH, SHIN, 1.0), ankle, far=i == 0, lifted=-foot[1]))
    high = ["arm1"] if hands[1][1] < 0 else []
    low = [] if high else ["arm1"]
    order = ("back", "arm0", "leg0", "leg1", "pelvis", "torso", *low, "head", *high)
    asleep = action == "spellcast" and phase in (1, 2)
    return Pose(True, phase, head, chest, hips, tuple(arms), tuple(legs), order, asleep, lean)
