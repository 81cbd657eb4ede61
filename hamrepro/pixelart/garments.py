"""Pants, tops and shoes: the body's own shapes grown by a pixel, cut to length and trimmed."""

from __future__ import annotations

from .body import FAR, foot, leg, pelvis, torso
from .palettes import RAMP
from .raster import Canvas, Mask, Shape, capsule, ellipse, lerp, shifted, stencil, stripe, turned, wedge
from .skeleton import Limb, Pose

PANTS = ("linen", "gold", "scarlet", "teal", "charcoal", "denim")
TOPS = ("crimson", "forest", "steel", "leather", "violet", "navy")


def dimmed(bones: Limb) -> float:
    """Brightness lost by what covers a limb."""
    return FAR if bones.far else 0.0


def paint_pants(canvas: Canvas, pose: Pose, part: str, style: int) -> None:
    """Linen trousers, golden greaves, scarlet harem pants, teal shorts, striped charcoal hose, denim kilt."""
    ramp = RAMP[PANTS[style]]
    if part == "pelvis":
        paint_seat(canvas, pose, style, ramp)
    if not part.startswith("leg"):
        return
    bones = pose.legs[int(part[3])]
    dim = dimmed(bones)
    cuff = lerp(bones.joint, bones.tip, 0.75)
    if style == 0:
        canvas.paint(leg(bones, 0.5), ramp, dim=dim)
    elif style == 1:
        canvas.paint(leg(bones, 0.3), RAMP["mail"], dim=dim)
        canvas.paint([capsule(bones.joint, cuff, 3.5, 3.0)], ramp, dim=dim)
        canvas.paint([ellipse(bones.joint, 3.2, 2.7)], ramp, dim=dim - 0.15)
    elif style == 2:
        knee = lerp(bones.joint, bones.tip, 0.35)
        canvas.paint([capsule(bones.root, knee, 3.9, 4.5), capsule(knee, bones.tip, 4.5, 2.8)], ramp, dim=dim)
    elif style == 3:
        canvas.paint([capsule(bones.root, lerp(bones.root, bones.joint, 0.8), 4.1, 4.2)], ramp, dim=dim)
    elif style == 4:
        canvas.paint(leg(bones, 0.2), ramp, dim=dim)
        for t in (0.55, 0.05, -0.45):
            spot = lerp(bones.joint, bones.tip, t) if t > 0 else lerp(bones.joint, bones.root, -t)
            canvas.recolour(stencil(ellipse(spot, 5.0, 0.6)), RAMP["white"])
    else:
        canvas.paint([capsule(bones.root, bones.joint, 3.7, 3.4)], ramp, dim=dim + 0.2)


def paint_seat(canvas: Canvas, pose: Pose, style: int, ramp: int) -> None:
    """What pants show at the hips."""
    x, y = pose.hips
    if style == 5:
        w = 6.2 if pose.side else 7.6
        lean = sum(b.joint[0] for b in pose.legs) / 2 - x
        hem = (y + 7.0, x + lean * 0.7, w + 1.6)
        cloth = canvas.paint([turned([(y - 3, x, w - 0.6), (y + 1, x, w), hem])], ramp, inner=None)
        canvas.recolour(cloth & stripe(y + 4), RAMP["gold"])
        for k in (-4.5, 0.5, 5.5) if not pose.side else (-2, 2):
            line = capsule((x + k, y - 1), (x + k * 1.2 + lean * 0.7, y + 6), 0.55, 0.55)
            canvas.recolour(stencil(line), RAMP["scarlet"])
        return
    canvas.paint([pelvis(pose, 0.5)], ramp if style != 1 else RAMP["leather"], inner=None)
    canvas.dot(x - 0.5, y + 1.5, ramp if style != 1 else RAMP["leather"], 1, 2 if not pose.side else 1, 2)


def sleeve(bones: Limb, length: float, grow: float, flare: float = 0.0) -> list[Shape]:
    """A sleeve down to `length` of the arm's two bones (0..2), its end widened by `flare`."""
    if length <= 1:
        return [capsule(bones.root, lerp(bones.root, bones.joint, length), 2.8 + grow, 2.6 + grow + flare)]
    end = lerp(bones.joint, bones.tip, length - 1)
    return [
        capsule(bones.root, bones.joint, 2.8 + grow, 2.5 + grow + flare / 2),
        capsule(bones.joint, end, 2.5 + grow + flare / 2, 2.2 + grow + flare),
    ]


def skirt(pose: Pose, length: float, width: float) -> Shape:
    """A hem that falls from the waist and follows the knees."""
    x, y = pose.hips
    w = 6.0 if pose.side else 7.4
    lean = sum(b.joint[0] for b in pose.legs) / 2 - x
    return turned([(y - 3, x, w - 0.4), (y, x, w), (y + length, x + lean * 0.6, w + width)])


def belt(canvas: Canvas, pose: Pose, cloth: Mask, ramp: str, buckle: str) -> None:
    """Two rows at the waist with a buckle in front."""
    x, y = pose.hips
    canvas.recolour(cloth & stripe(y - 2.0, 2), RAMP[ramp])
    canvas.dot(x - (5 if pose.side else 0.5), y - 2, RAMP[buckle], 3, 2, 2)


def paint_tops(canvas: Canvas, pose: Pose, part: str, style: int) -> None:
    """Crimson shirt, forest tunic, plate armour, leather vest, violet robe, navy jacket with a tie."""
    ramp = RAMP[TOPS[style]]
    if part == "torso":
        TORSOS[style](canvas, pose, ramp)
    if not part.startswith("arm") or style == 3:
        return
    bones = pose.arms[int(part[3])]
    dim = dimmed(bones)
    if style == 0:
        canvas.paint(sleeve(bones, 1.4, 0.5), ramp, dim=dim)
        ends = lerp(bones.joint, bones.tip, 0.55), lerp(bones.joint, bones.tip, 0.68)
        canvas.paint([capsule(*ends, 2.6, 2.6)], RAMP["white"], dim=dim)
    elif style == 1:
        canvas.paint(sleeve(bones, 0.75, 0.5, 0.3), ramp, dim=dim)
    elif style == 2:
        canvas.paint(sleeve(bones, 1.45, 0.4), RAMP["mail"], dim=dim)
        canvas.paint(sleeve(bones, 0.35, 1.1), ramp, dim=dim)
        ends = lerp(bones.joint, bones.tip, 0.25), lerp(bones.joint, bones.tip, 0.6)
        canvas.paint([capsule(*ends, 2.9, 2.8)], ramp, dim=dim)
    elif style == 4:
        canvas.paint(sleeve(bones, 1.55, 0.5, 1.3), ramp, dim=dim)
        canvas.recolour(stencil(ellipse(lerp(bones.joint, bones.tip, 0.95), 2.6, 2.6)), RAMP["gold"])
    else:
        canvas.paint(sleeve(bones, 1.6, 0.6), ramp, dim=dim)
        canvas.recolour(stencil(ellipse(lerp(bones.joint, bones.tip, 0.95), 2.0, 2.0)), RAMP["white"])


def shirt(canvas: Canvas, pose: Pose, ramp: int) -> None:
    """Crimson long-sleeved shirt with laces."""
    x, y = pose.chest
    canvas.paint([torso(pose, 0.6, bottom=8.8)], ramp)
    if pose.side:
        canvas.dot(x - 4, y - 3, RAMP["white"], 3, 2, 1)
        return
    canvas.dot(x - 1.5, y - 4, RAMP["white"], 2, 4, 2)
    for k in range(3):
        canvas.dot(x - 0.5, y - 2 + 2 * k, ramp, 0, 2)
        canvas.dot(x - 0.5, y - 1 + 2 * k, RAMP["white"], 2, 2)


def tunic(canvas: Canvas, pose: Pose, ramp: int) -> None:
    """Forest tunic with a short skirt and a belt."""
    x, y = pose.chest
    cloth = canvas.paint([skirt(pose, 5.0, 1.2), torso(pose, 0.5, bottom=8)], ramp)
    belt(canvas, pose, cloth, "leather", "gold")
    canvas.recolour(cloth & stripe(pose.hips[1] + 3.6), RAMP["linen"])
    if not pose.side:
        canvas.dot(x - 1.5, y - 4, RAMP["linen"], 3, 4)
        canvas.dot(x - 0.5, y - 3, RAMP["linen"], 2, 2, 2)


def plate(canvas: Canvas, pose: Pose, ramp: int) -> None:
    """Breastplate with a ridge, tassets and a mail hem."""
    x, y = pose.chest
    canvas.paint([skirt(pose, 2.5, 0.3)], RAMP["mail"])
    cloth = canvas.paint([torso(pose, 0.7, bottom=7)], ramp)
    canvas.recolour(cloth & stripe(y + 5.0, 2), RAMP["gold"])
    if not pose.side:
        canvas.dot(x - 0.5, y - 2, ramp, 4, 1, 7)
        canvas.dot(x + 0.5, y - 2, ramp, 1, 1, 7)
        canvas.dot(x - 2.5, y - 4, RAMP["gold"], 2, 6)


def vest(canvas: Canvas, pose: Pose, ramp: int) -> None:
    """Sleeveless leather vest, open over the chest."""
    x, y = pose.chest
    gap = wedge((x - 5.0 if pose.side else x, y - 7), -0.1, 3.2, 13)
    cloth = canvas.paint([torso(pose, 0.5, -4.5, 8.5)], ramp, within=~gap)
    belt(canvas, pose, cloth, "mail", "steel")


def robe(canvas: Canvas, pose: Pose, ramp: int) -> None:
    """Violet robe with gold trim, open below the belt."""
    x, y = pose.chest
    hx, hy = pose.hips
    gap = wedge((hx - 3.5 if pose.side else hx, hy - 0.5), 0.3, 0.6, 12)
    cloth = canvas.paint([skirt(pose, 9.0, 2.2), torso(pose, 0.7, bottom=8)], ramp, within=~gap)
    belt(canvas, pose, cloth, "gold", "scarlet")
    canvas.recolour(cloth & stripe(hy + 7.6), RAMP["gold"])
    if not pose.side:
        for k in (-1, 1):
            canvas.recolour(stencil(capsule((x + k * 3.0, y - 5), (x + k * 0.5, y + 4), 0.7, 0.7)), RAMP["gold"])


def jacket(canvas: Canvas, pose: Pose, ramp: int) -> None:
    """Navy jacket, white shirt and red tie."""
    x, y = pose.chest
    canvas.paint([torso(pose, 0.7, bottom=10)], ramp)
    if pose.side:
        canvas.recolour(stencil(capsule((x - 5, y - 4), (x - 4, y + 1), 1.6, 1.0)), RAMP["white"])
        return
    canvas.recolour(stencil(capsule((x, y - 5), (x, y + 3), 3.2, 0.6)), RAMP["white"])
    canvas.dot(x - 0.5, y - 3, RAMP["tie"], 2, 2, 6)
    canvas.dot(x - 0.5, y - 2, RAMP["tie"], 1, 2, 1)
    canvas.dot(x + 0.5, y + 4, ramp, 0, 1, 6)
    for k in (4, 7):
        canvas.dot(x - 0.5, y + k, RAMP["gold"], 3)


TORSOS = (shirt, tunic, plate, vest, robe, jacket)


def paint_shoes(canvas: Canvas, pose: Pose, part: str, style: int = 0) -> None:
    """Brown boots with a folded top, the same for everybody: style has no effect."""
    if not part.startswith("leg"):
        return
    bones = pose.legs[int(part[3])]
    top = lerp(bones.tip, bones.joint, 0.18)
    boot = [capsule(top, bones.tip, 3.1, 2.9), foot(bones, pose.side, 0.5)]
    canvas.paint(boot, RAMP["boot"], dim=dimmed(bones) + 0.2)
    canvas.recolour(stencil(ellipse(shifted(top, 0, -1.0), 3.8, 1.2)), RAMP["gold"])
