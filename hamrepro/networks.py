"""Encoder, decoder and the three inference heads. Paper: Tables 3, 4, 5."""

from __future__ import annotations

from itertools import pairwise

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from hamrepro.config import ModelConfig
from hamrepro.gaussian import Gaussian


def _block(layer: nn.Module, norm: nn.Module) -> list[nn.Module]:
    return [layer, norm, nn.LeakyReLU(0.2)]


def _dense(inputs: int, outputs: int) -> list[nn.Module]:
    return _block(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs))


class Encoder(nn.Sequential):
    """Frame to features: five 5x5 convolutions, three linear layers. Paper: Table 3.

    Forward: frames (N, 3, 64, 64) in [-1, 1] -> h (N, h).
    """

    def __init__(self, config: ModelConfig) -> None:
        layers: list[nn.Module] = []
        channels = 3
        for width, stride in zip(config.encoder_widths, (1, 2, 2, 2, 1), strict=True):
            layers += _block(nn.Conv2d(channels, width, 5, stride, 2), nn.BatchNorm2d(width))
            channels = width
        layers.append(nn.Flatten())
        sizes = (channels * 8 * 8, *config.hidden, config.features)
        for inputs, outputs in pairwise(sizes):
            layers += _dense(inputs, outputs)
        super().__init__(*layers)


class Decoder(nn.Sequential):
    """Content and position to frame means: two linear layers, transposed convolutions. Paper: Table 4.

    Deviation D3: the printed layers give 49x49 frames of 256 channels; here the transposed convolutions
    have `output_padding=1`, start at 4x4 (preset `official`: 8x8, three of them) and end in 3 channels.
    Forward: (N, inputs) -> (N, 3, 64, 64) in [-1, 1]; HALO's inputs are |Z| + K d.
    """

    def __init__(self, config: ModelConfig, inputs: int) -> None:
        first, *widths = config.decoder_widths
        side = 64 >> len(widths)
        layers: list[nn.Module] = [
            *_dense(inputs, config.hidden[0]),
            *_dense(config.hidden[0], first * side * side),
            nn.Unflatten(1, (first, side, side)),
        ]
        channels = first
        for width in widths:
            layers += _block(nn.ConvTranspose2d(channels, width, 5, 2, 2, output_padding=1), nn.BatchNorm2d(width))
            channels = width
        last = nn.BatchNorm2d(3)
        nn.init.constant_(last.weight, config.contrast)
        nn.init.constant_(last.bias, config.background)
        layers += [nn.ConvTranspose2d(channels, 3, 5, 1, 2), last, nn.Tanh()]
        super().__init__(*layers)

    def forward(self, codes: Tensor) -> Tensor:
        """codes (N, inputs) -> frame means (N, 3, 64, 64)."""
        *first, norm, tanh = self
        for layer in first:
            codes = layer(codes)
            if isinstance(layer, nn.Unflatten):  # transposed convolutions run 2.6 times faster on maps laid out so
                codes = codes.contiguous(memory_format=torch.channels_last)
        return tanh(norm(codes.contiguous()))  # a batch norm of three channels, four times slower on such maps


class GaussianHead(nn.Module):
    """Two linear layers: mean and log sigma, the latter kept in [-8, 4]. Paper: Table 5, Eqs. (15), (16).

    Args:
        log_std: where log sigma starts; 0 is the prior's width, less lets the decoder hear the code sooner.
    """

    def __init__(self, inputs: int, outputs: int, log_std: float = 0.0) -> None:
        super().__init__()
        self.mean = nn.Linear(inputs, outputs)
        self.log_std = nn.Linear(inputs, outputs)
        with torch.no_grad():
            self.log_std.bias += log_std

    def forward(self, features: Tensor) -> Gaussian:
        """features (..., n) -> Gaussian (..., m), float32 at least."""
        kind = torch.promote_types(features.dtype, torch.float32)
        return Gaussian(self.mean(features).to(kind), self.log_std(features).to(kind).clamp(-8, 4))


class ContentNetwork(nn.Module):
    """q(z | x_{1:T}): an LSTM over the features, two heads on its last state. Paper: Table 5, Eq. (15)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.lstm = nn.LSTM(config.features, config.content, batch_first=True)
        self.head = GaussianHead(config.content, config.content, config.log_std)

    def forward(self, features: Tensor) -> Gaussian:
        """features (B, T, h) -> Gaussian (B, |Z|)."""
        with torch.autocast(features.device.type, enabled=False):
            _, (last, _) = self.lstm(features.to(torch.promote_types(features.dtype, torch.float32)))
            return self.head(last[0])


class _MotionTrunk(nn.Sequential):
    """Linear, BN, LeakyReLU twice over [h_t, u]; the common part of the two motion columns of Table 5."""

    def __init__(self, config: ModelConfig) -> None:
        size = config.actions * config.half_dimension
        super().__init__(*_dense(config.features + config.actions, size), *_dense(size, size))


def _select(gaussian: Gaussian, action: Tensor, actions: int) -> Gaussian:
    rows = torch.arange(len(action), device=action.device)
    return Gaussian(*(rearrange(part, "b (k d) -> b k d", k=actions)[rows, action] for part in gaussian))


class PositionNetwork(nn.Module):
    """q(q_t^k | x_t, u). Paper: Table 5, Eqs. (12), (15)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.actions = config.actions
        size = config.actions * config.half_dimension
        self.trunk = _MotionTrunk(config)
        self.head = GaussianHead(size, size, config.log_std)

    def forward(self, features: Tensor, action: Tensor) -> Gaussian:
        """features of the reference frame (B, h), u (B,) -> Gaussian (B, d) of the active action."""
        one_hot = functional.one_hot(action, self.actions).to(features.dtype)
        trunk = self.trunk(torch.cat([features, one_hot], -1))
        return _select(self.head(trunk), action, self.actions)


class MomentumNetwork(nn.Module):
    """q(p_t^k | x_{t-w+1..t}, u): a causal temporal convolution. Paper: Table 5, Eqs. (12), (16). Deviation D7.

    The window is w = 4 frames and never looks ahead; before the first frame it repeats that frame.
    """

    window = 4

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.actions = config.actions
        size = config.actions * config.half_dimension
        self.trunk = _MotionTrunk(config)
        self.tcn = nn.Conv1d(size, size, self.window)
        self.head = GaussianHead(size, size, config.log_std)

    def forward(self, features: Tensor, action: Tensor) -> Gaussian:
        """features of the window's frames (B, w, h), the reference last; u (B,) -> Gaussian (B, d)."""
        one_hot = functional.one_hot(action, self.actions).to(features.dtype)
        inputs = torch.cat([features, one_hot[:, None].expand(-1, self.window, -1)], -1)
        trunk = rearrange(self.trunk(inputs.flatten(0, 1)), "(b w) c -> b c w", w=self.window)
        return _select(self.head(self.tcn(trunk)[..., 0]), action, self.actions)
