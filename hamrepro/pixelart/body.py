"""The bare figure: limbs, torso, head and face, in the tones of the skin."""

from __future__ import annotations

from itertools import pairwise

from .palettes import RAMP
from .raster import Canvas, Mask, Shape, capsule, ellipse, lerp, shifted, turned
from .skeleton import Limb, Pose

SKIN, EYE = RAMP["skin"], RAMP["eye"]
FAR = 0.28  # brightness lost on the far side
PROFILE = ((-6.5, 3.5), (-4.5, 5.0), (-3.0, 7.6), (0.0, 8.0), (5.0, 6.6), (9.0, 7.0))  # torso: height, half width


def limb(bones: Limb, radii: tuple[float, float, float], grow: float = 0.0) -> list[Shape]:
    """Two tapered capsules along the bones; radii at root, joint and tip, all grown by `grow` pixels."""
    a, b, c = (r + grow for r in radii)
    return [capsule(bones.root, bones.joint, a, b), capsule(bones.joint, bones.tip, b, c)]


def arm(bones: Limb, grow: float = 0.0) -> list[Shape]:
    """Upper arm and forearm."""
    return limb(bones, (3.0, 2.7, 2.3), grow)


def leg(bones: Limb, grow: float = 0.0) -> list[Shape]:
    """Thigh and shin."""
    return limb(bones, (3.9, 3.4, 2.8), grow)


def foot(bones: Limb, side: bool, grow: float = 0.0) -> Shape:
    """The foot: towards the viewer in the front view, towards the left in the side view."""
    x, y = bones.tip
    if side:
        raised = min(bones.lifted, 2.0) * 0.35
        return capsule((x + 0.4, y + 0.6), (x - 2.6, y + 0.9 + raised * 0.6), 2.1 + grow, 1.6 + grow)
    return ellipse((x, y + 0.4), 2.7 + grow, 2.4 + grow)


def hand(bones: Limb) -> Shape:
    """A fist, a little beyond the wrist."""
    return ellipse(lerp(bones.joint, bones.tip, 1.12), 2.6, 2.5)


def torso(pose: Pose, grow: float = 0.0, top: float = -6.0, bottom: float = 7.0) -> Shape:
    """Neck to waist, top and bottom counted from the chest's height."""
    heights = [top, *(k for k, _ in PROFILE if top < k < bottom), bottom]
    (x, y), (hip, _) = pose.chest, pose.hips
    width = 0.8 if pose.side else pose.broad
    return turned([(y + k, x + (hip - x) * max(k, 0.0) / 9.0, half_width(k) * width + grow) for k in heights])


def half_width(height: float) -> float:
    """Half the torso's width at a height counted from the chest, on the straight lines of `PROFILE`."""
    pair = next((pair for pair in pairwise(PROFILE) if height <= pair[1][0]), PROFILE[-2:])
    (k0, w0), (k1, w1) = pair
    return w0 + (w1 - w0) * (height - k0) / (k1 - k0)


def pelvis(pose: Pose, grow: float = 0.0, top: float = -2.5, bottom: float = 2.5) -> Shape:
    """Waist to the top of the thighs, counted from the hips' height."""
    x, y = pose.hips
    w = 5.6 if pose.side else 7.0
    return turned([(y + top, x, w - 0.3 + grow), (y, x, w + grow), (y + bottom, x, w - 0.4 + grow)])


def head(pose: Pose) -> list[Shape]:
    """Skull and jaw."""
    c = pose.head
    if pose.side:
        return [ellipse(shifted(c, 0.5, -1), 8.6, 8.4), ellipse(shifted(c, -1.5, 3.4), 6.4, 6.0)]
    return [ellipse(shifted(c, 0, 3.4), 7.4, 6.0), ellipse(shifted(c, 0, -1), 8.7, 8.4)]


def paint_body(canvas: Canvas, pose: Pose, part: str, pointed: bool) -> Mask | None:
    """Paints one body part; returns the pixels it covers, for hiding what lies behind."""
    if part.startswith("leg"):
        bones = pose.legs[int(part[3])]
        return canvas.paint([*leg(bones), foot(bones, pose.side)], SKIN, dim=FAR if bones.far else 0.0)
    if part.startswith("arm"):
        bones = pose.arms[int(part[3])]
        return canvas.paint([*arm(bones), hand(bones)], SKIN, dim=FAR if bones.far else 0.0)
    if part == "pelvis":
        return canvas.paint([pelvis(pose)], SKIN, inner=None)
    if part == "torso":
        return canvas.paint([torso(pose)], SKIN, inner=None)
    if part == "head":
        return paint_head(canvas, pose, pointed)
    return None


def paint_head(canvas: Canvas, pose: Pose, pointed: bool) -> Mask:
    """Ears, head and face."""
    c = pose.head
    mask = canvas.paint(head(pose), SKIN, dim=-0.12 if pose.side else -0.3)
    if pose.side:
        tip, radius = (shifted(c, 4.5, -1.5), 1.0) if pointed else (shifted(c, 2.5, 1.5), 1.9)
        canvas.paint([capsule(shifted(c, 2.0, 2.5), tip, 1.9, radius)], SKIN)
    else:
        for s in (-1, 1):
            tip, radius = (shifted(c, s * 11.0, -1.5), 0.8) if pointed else (shifted(c, s * 8.6, 1.6), 1.9)
            mask |= canvas.paint([capsule(shifted(c, s * 7.8, 2.5), tip, 1.9, radius)], SKIN, inner=None)
    paint_face(canvas, pose)
    return mask


def paint_face(canvas: Canvas, pose: Pose) -> None:
    """Brows, eyes, nose and mouth, set pixel by pixel."""
    x, y = pose.head[0] + pose.gaze, pose.head[1]
    if pose.side:
        canvas.dot(x - 8.0, y + 3, SKIN, 2, 1, 2)
        canvas.dot(x - 9.0, y + 4, SKIN, 0)
        paint_eye(canvas, x - 5, y + 1, (2, 4), pose.asleep)
        canvas.dot(x - 6, y + 7, SKIN, 1, 3)
        canvas.dot(x - 2, y + 5, SKIN, 2, 2)
        return
    paint_eye(canvas, x - 4.5, y + 1, (4, 2), pose.asleep)
    paint_eye(canvas, x + 3.5, y + 1, (2, 4), pose.asleep)
    canvas.dot(x - 0.5, y + 4, SKIN, 1, 2)
    canvas.dot(x - 1.5, y + 7, SKIN, 1, 4)


def paint_eye(canvas: Canvas, x: float, y: float, tones: tuple[int, int], asleep: bool) -> None:
    """An eye two pixels wide: lash, then iris and white; a line when it is closed."""
    canvas.dot(x, y - 2, SKIN, 1, 2)
    if asleep:
        canvas.dot(x, y + 1, SKIN, 1, 2)
        canvas.dot(x, y + 2, SKIN, 0, 2)
        return
    canvas.dot(x, y, EYE, 0, 2)
    for i, tone in enumerate(tones):
        canvas.dot(x + i, y + 1, EYE, 1 if tone == 2 else 4)
        canvas.dot(x + i, y + 2, EYE, tone if tone == 2 else 3)
