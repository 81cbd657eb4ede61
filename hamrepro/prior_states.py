"""States from the prior in training: a share of them, and where in the cycle each one begins. Deviation D19."""

from __future__ import annotations

import torch
from torch import Tensor

from hamrepro.dynamics import PhaseSpace


def some_from_prior(state: PhaseSpace, share: float, noise: torch.Generator) -> tuple[PhaseSpace, Tensor]:
    """A share of the states (B, d) replaced by draws from N(0, I), and which they are (B,) bool.

    The numbers are drawn on the CPU whatever the device, and as many whatever the share.
    """
    batch, d = state.q.shape
    free = torch.rand(batch, generator=noise) < share
    drawn = torch.randn(batch, 2 * d, generator=noise)
    free, drawn = (part.to(state.q.device, non_blocking=True) for part in (free, drawn))
    pairs = zip(PhaseSpace.from_state(drawn), state, strict=True)
    return PhaseSpace(*(torch.where(free[:, None], *pair) for pair in pairs)), free


@torch.no_grad()
@torch.autocast("cpu", enabled=False)
@torch.autocast("cuda", enabled=False)
def best_phase(means: Tensor, clips: Tensor, columns: Tensor) -> Tensor:
    """Of all ways to begin a cycle, the one the drawn frames fit best: their frame numbers in it, (B, n).

    In float32 whatever the run computes in: phases differ by less than bfloat16 can tell of such sums.

    Args:
        means: frames drawn (B, n, 3, 64, 64). clips: one period of each cycle (B, T, 3, 64, 64).
        columns: which of T the frames drawn would be if the cycle began where the clip does (B, n).
    """
    frames = clips.shape[1]
    drawn, real = means.flatten(2), clips.flatten(2)
    errors = real.square().sum(-1)[:, None] - 2 * drawn @ real.mT
    shifted = (columns[:, None] + torch.arange(frames, device=columns.device)[:, None]) % frames
    rows = torch.arange(len(clips), device=columns.device)[:, None, None]
    part = torch.arange(columns.shape[1], device=columns.device)
    best = errors[rows, part, shifted].sum(-1).argmin(1)
    return shifted[rows[:, 0, 0], best]
