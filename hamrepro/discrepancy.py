"""How differently a code is distributed under different labels: the maximum mean discrepancy (MMD). Deviation D21."""

from __future__ import annotations

import torch
from torch import Tensor


def discrepancy(codes: Tensor, label: Tensor, classes: int) -> Tensor:
    """Unbiased squared MMD between the codes of every two labels, mean over the pairs of labels; a scalar.

    A Gaussian kernel k(a, b) = exp(-|a - b|^2 / s), s the mean of |a - b|^2 over the batch, no gradient through s.
    Zero in expectation where the code does not depend on the label (then it may be negative), else positive. Of
    several processes (`hamrepro.distributed`) each takes its own clips; the mean of theirs is unbiased, too.

    Args:
        codes: (B, |Z|). label: (B,), 0..classes-1; one with fewer than two codes is left out.
    """
    with torch.autocast(codes.device.type, enabled=False):
        exact = codes.to(torch.promote_types(codes.dtype, torch.float32))
        squares = (exact[:, None] - exact[None]).square().sum(-1)
        kernel = torch.exp(-squares / squares.detach().mean().clamp_min(1e-12))
        member = torch.nn.functional.one_hot(label, classes).to(exact.dtype)
        counts, sums = member.sum(0), member.T @ kernel @ member
    within = (sums.diagonal() - counts) / (counts * (counts - 1)).clamp_min(1)  # k(a, a) = 1 is left out
    between = sums / (counts[:, None] * counts).clamp_min(1)
    present = counts >= 2
    pairs = torch.triu(present[:, None] & present, 1)
    return ((within[:, None] + within - 2 * between) * pairs).sum() / pairs.sum().clamp_min(1)
