"""Figures 1 and 5: the framework and the two probabilistic graphs, drawn from the model's own parts and sizes."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from hamrepro.checkpoint import write_atomically
from hamrepro.config import ModelConfig
from hamrepro.figures import FOLDER
from hamrepro.halo import Halo
from hamrepro.presets import configure

INK, SOFT, LINE = "#2e3440", "#5b6472", "#5b6472"
BLUE, ORANGE, GREEN, PURPLE = "#2f6f8f", "#d1603d", "#6a8d3f", "#8b5a9f"

# Who is computed from whom. Double arrows are deterministic: given one state, the flow gives the others.
GENERATION = (("u", "s_1"), ("s_1", "s_2"), ("s_2", "s_T"), ("s_1", "x_1"), ("s_2", "x_2"), ("s_T", "x_T"),
              ("z", "x_1"), ("z", "x_2"), ("z", "x_T"))  # fmt: skip
INFERENCE = (("x_{t-1}", "z"), ("x_t", "z"), ("x_{t+1}", "z"), ("x_t", "q_t"), ("u", "q_t"), ("x_{t-1}", "p_t"),
             ("x_t", "p_t"), ("u", "p_t"), ("q_t", "s_{t-1}"), ("p_t", "s_{t-1}"), ("q_t", "s_{t+1}"),
             ("p_t", "s_{t+1}"))  # fmt: skip
_PLACES = (
    {"u": (4, 27), "s_1": (14, 27), "s_2": (28, 27), "s_T": (42, 27), "x_1": (14, 16), "x_2": (28, 16),
     "x_T": (42, 16), "z": (28, 5)},
    {"u": (85, 35), "q_t": (71, 31), "p_t": (71, 21.5), "s_{t-1}": (56, 26.2), "s_{t+1}": (86, 26.2),
     "x_{t-1}": (57, 12), "x_t": (71, 12), "x_{t+1}": (85, 12), "z": (71, 3.2)},
)  # fmt: skip


def parts(config: ModelConfig) -> dict[str, str]:
    """Names of the model's parts, as the code has them: {"encoder": "Encoder", ...}; nothing is allocated."""
    with torch.device("meta"):
        return {name: type(part).__name__ for name, part in Halo(config).named_children()}


class _Canvas:
    """A page of `width` x `height` units, drawn by matplotlib, saved as the same SVG every time."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(width / 10, height / 10), layout="none")
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(0, height), aspect="equal")
        self.axes.axis("off")

    def text(self, x: float, y: float, text: str, size: float = 9, colour: str = INK, **more: Any) -> None:
        self.axes.text(x, y, text, size=size, color=colour, ha="center", va="center", **more)

    def code(self, x: float, y: float, text: str) -> None:
        self.text(x, y, text, 7.5, BLUE, family="DejaVu Sans Mono")

    def box(self, x: float, y: float, width: float, height: float, edge: str, fill: str = "#f6f8fa") -> None:
        from matplotlib.patches import FancyBboxPatch

        style = "round,pad=0,rounding_size=1"
        corner = (x - width / 2, y - height / 2)
        self.axes.add_patch(FancyBboxPatch(corner, width, height, style, fc=fill, ec=edge, lw=1.1))

    def node(self, x: float, y: float, name: str, seen: bool) -> None:
        from matplotlib.patches import Circle

        self.axes.add_patch(Circle((x, y), 2.7, fc="#dde3ea" if seen else "white", ec=INK, lw=1.1, zorder=3))
        self.text(x, y, f"${name}$", 11, zorder=4)

    def arrow(
        self, start: tuple[float, float], end: tuple[float, float], colour: str = LINE, bend: float = 0, **more: Any
    ) -> None:
        from matplotlib.patches import FancyArrowPatch

        style = {"arrowstyle": "-|>", "mutation_scale": 9, "lw": 1.2, "shrinkA": 0, "shrinkB": 0} | more
        self.axes.add_patch(FancyArrowPatch(start, end, color=colour, connectionstyle=f"arc3,rad={bend}", **style))

    def frames(self, x: float, y: float, count: int, marked: int | None = None) -> None:
        """A strip of frames, each a figure whose arm goes round once."""
        from matplotlib.patches import Circle, Rectangle

        side = 3.0
        for number in range(count):
            left, angle = x + (number - count / 2) * (side + 0.35), 2 * torch.pi * number / count
            edge, width = (ORANGE, 1.8) if number == marked else (LINE, 0.8)
            self.axes.add_patch(Rectangle((left, y - side / 2), side, side, fc="#e9edf2", ec=edge, lw=width))
            middle = left + side / 2
            self.axes.plot([middle, middle], [y - 1.1, y + 0.4], color=BLUE, lw=2, solid_capstyle="butt")
            self.axes.add_patch(Circle((middle, y + 0.75), 0.38, color=BLUE))
            tip = (middle + 1.1 * float(torch.tensor(angle).sin()), y + 0.1 - 0.9 * float(torch.tensor(angle).cos()))
            self.axes.plot([middle, tip[0]], [y + 0.1, tip[1]], color=ORANGE, lw=1.4)

    def svg(self) -> bytes:
        from matplotlib import rc_context

        data = BytesIO()
        with rc_context({"svg.hashsalt": "hamrepro", "svg.fonttype": "path"}):
            self.figure.savefig(data, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
        return data.getvalue()


def framework(preset: str = "paper", dataset: str = "sprites", frames: int = 8) -> bytes:
    """From clip to latent trajectory and back, with the sizes of a preset: SVG. Paper: Figure 1.

    Args:
        frames: T.

    Raises:
        ConfigError: an unknown preset or data set.
    """
    config = configure(preset, dataset, "halo-sp").network
    name, k, d = parts(config), config.actions, config.half_dimension
    with torch.device("meta"):
        window = Halo(config).momentum.window
    page, t = _Canvas(96, 43), min(frames, window + 1) - 1
    page.text(14, 40.6, rf"clip $x_{{1:{frames}}}$, {frames} × 3 × 64 × 64, action $u$", 9, SOFT)
    page.frames(14, 36.8, frames, t)
    page.text(14, 33.6, f"reference frame $t$, drawn from 1..{frames}", 8, ORANGE)
    page.arrow((28, 36.8), (31.4, 36.8))
    page.box(37, 36.8, 11, 6.4, LINE)
    page.text(37, 38.1, rf"$h_{{1:{frames}}}$", 11)
    page.text(37, 36.5, f"{config.features:,} each", 7.5, SOFT)
    page.code(37, 34.9, name["encoder"])
    heads = (("content", "$z$", f"{config.content:,}: the whole clip", 38.6, PURPLE, "#f4eef6"),
             ("position", "$q_t^k$", f"{d} of {k} × {d}: frame $t$, $u$", 30.4, BLUE, "#ecf4f7"),
             ("momentum", "$p_t^k$", f"{d} of {k} × {d}: {window} frames to $t$, $u$", 22.2, BLUE, "#ecf4f7"),
    )  # fmt: skip
    for part, symbol, what, y, edge, fill in heads:
        page.arrow((42.7, 36.8), (47.3, y), bend=0.0)
        page.box(57.5, y, 20, 6.8, edge, fill)
        page.text(57.5, y + 1.9, symbol, 11)
        page.text(57.5, y - 0.1, what, 7.5, SOFT)
        page.code(57.5, y - 2, name[part])
    page.box(40, 8.6, 55, 14.6, LINE, "#fbfcfd")
    page.text(26.3, 14.1, f"phase space of action $k$, ${2 * d}$ dimensions", 8.5)
    page.code(26.3, 12.1, f"{name['operators']}.flow")
    page.text(26.3, 8.6, r"forward   $s_{t+1} = e^{\,H_k}\, s_t$", 9)
    page.text(26.3, 5.9, r"backward   $s_{t-1} = e^{-H_k}\, s_t$", 9)
    page.text(26.3, 3.1, f"$H_k$ one of {k}, {2 * d} × {2 * d}", 7.5, SOFT)
    turns = torch.linspace(0, 2 * torch.pi, 121)
    page.axes.plot(54 + 9.5 * turns.sin(), 8.0 + 4.9 * turns.cos(), color=BLUE, lw=1.2)
    for number in range(frames):
        angle = 2 * torch.pi * torch.tensor((number - t) / frames)
        x, y = float(54 + 9.5 * angle.sin()), float(8.0 + 4.9 * angle.cos())
        page.axes.plot([x], [y], "o", ms=7 if number == t else 4.5, color=ORANGE if number == t else BLUE, zorder=4)
    page.text(54, 8.0, rf"$q_1 \ldots q_{{{frames}}}$", 10)
    page.arrow((54.0, 18.7), (54.0, 13.5), ORANGE)
    page.arrow((67.6, 30.4), (54.6, 13.4), ORANGE, bend=-0.55)
    page.box(84, 26, 19, 8, GREEN, "#f3f6ee")
    page.text(84, 28.2, "mean of every frame", 9)
    page.text(84, 26.0, f"{config.content:,} + {k * d} numbers each", 7.5, SOFT)
    page.code(84, 23.8, name["decoder"])
    page.arrow((67.6, 38.6), (84, 30.2), PURPLE, bend=-0.3)
    page.arrow((67.6, 8.6), (79, 21.8), BLUE, bend=0.25)
    page.text(86, 10.6, f"positions, {k} × {d} a frame", 7.5, SOFT)
    page.text(86, 9.0, "zero but for action $k$", 7.5, SOFT)
    page.arrow((86, 21.8), (86, 18.9))
    page.frames(85.5, 17.1, 5)
    return page.svg()


def graphs() -> bytes:
    """Who is computed from whom, generative model and inference: SVG. Paper: Figure 5.

    Shaded: observed. Double arrows: the flow, which is deterministic.
    """
    page = _Canvas(94, 38)
    for title, x, edges, places in zip(
        ("generative model", "inference"), (28, 57), (GENERATION, INFERENCE), _PLACES, strict=True
    ):
        page.text(x, 36.2, title, 10)
        for start, end in edges:
            one, two = torch.tensor(places[start]).float(), torch.tensor(places[end]).float()
            step = (two - one) / (two - one).norm() * 2.95
            ends = [tuple(point.tolist()) for point in (one + step, two - step)]
            if end.startswith("s") and start != "u":
                page.arrow(*ends, ORANGE, lw=3.2, mutation_scale=11)
                page.arrow(ends[0], tuple((two - 1.6 * step).tolist()), "white", lw=1.1, arrowstyle="-")
            else:
                page.arrow(*ends, bend=0.72 if (start, end) == ("x_t", "q_t") else 0)
        for name, (across, up) in places.items():
            page.node(across, up, name, name[0] in "xu")
    return page.svg()


def render() -> list[Path]:
    """Write both figures into book/figures, where pages that execute nothing find them."""
    made = []
    for number, drawing in ((1, framework()), (5, graphs())):
        path = FOLDER / f"paper-figure-{number}.svg"
        write_atomically(path, drawing)
        made.append(path)
    return made
