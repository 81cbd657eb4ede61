"""An adversary that reads the action off the content, against an encoder that must not let it. Deviations D24, D27."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hamrepro.gaussian import Gaussian

DRAWS = 8  # of z, a clip; with one it is slower to learn what there is to see


def reversed_gradient(x: Tensor, weight: float) -> Tensor:
    """x itself, whose gradient comes back as minus `weight` times what it was. Ganin et al. 2016."""
    return x.detach() - weight * (x - x.detach())


class Adversary(nn.Module):
    """Tells the action from draws of z, which is what the decoder sees; not a linear matter, so two hidden layers.

    Args:
        content: |Z|. actions: K. prior: whether draws from N(0, I) are one more class to tell (Deviation D27).
        width: of the hidden layers.
    """

    def __init__(self, content: int, actions: int, prior: bool = False, width: int = 256) -> None:
        super().__init__()
        self.actions, self.prior = actions, prior
        inner = (nn.Linear(content, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.layers = nn.Sequential(*inner, nn.Linear(width, actions + prior))

    def forward(self, content: Gaussian, action: Tensor, weight: float, noise: torch.Generator) -> Tensor:
        """Cross-entropy in nats, a scalar: ln K where z does not tell u, ln (K + 1) where it is the prior's, too.

        Its own weights lower it. Of the prior there are as many draws as of an action.

        Args:
            content: q(z | x), (B, |Z|), which gets `weight` times the opposite gradient. action: u (B,).
            weight: 0 before its onset; then nothing is asked, and 0 returned.
        """
        if not weight:
            return content.mean.new_zeros(())
        with torch.autocast(action.device.type, enabled=False):
            z = content.draws(DRAWS, noise).to(self.layers[0].weight.dtype).flatten(0, 1)
            shown, whose = reversed_gradient(z, weight), action.repeat(DRAWS)
            if self.prior:
                count = len(z) // self.actions
                drawn = torch.randn(count, z.shape[1], generator=noise).to(z)
                shown, whose = torch.cat([shown, drawn]), torch.cat([whose, whose.new_full((count,), self.actions)])
            return cross_entropy(self.layers(shown), whose)
