"""The two optimisers of the presets behind one face: Adam, and Muon with Adam for what is not a matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from hamrepro.config import TrainConfig
from hamrepro.elbo import Estimate
from hamrepro.errors import CheckpointError, ConfigError


def rate(config: TrainConfig, step: int) -> float:
    """Factor on every learning rate at a step, 0..steps-1. Deviation D6.

    `constant` is 1; `one-cycle` rises linearly over the first tenth and falls to zero along a cosine.
    """
    if config.schedule == "constant":
        return 1.0
    if config.schedule != "one-cycle":
        raise ConfigError(f"schedule {config.schedule!r}", "'constant' or 'one-cycle'")
    warm = max(1, config.steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, config.steps - warm)))


def estimate(config: TrainConfig, step: int) -> Estimate:
    """How the bound is estimated at a step.

    All rise linearly: the KL weight to 1 over `kl_warmup` (Deviation D18); from the `onset` on, the share of states
    drawn from the prior over a tenth of what is left (Deviation D19), the number of periods over half (Deviation D20).
    Before it, content is read from the window, and there is no adversary (Deviation D27).
    """
    left = config.steps * (1 - config.onset)

    def risen(over: float, since: float = 0.0) -> float:
        return min(1.0, max(0.0, step + 1 - since) / max(1.0, over))

    begun = step >= config.steps - left
    content = config.content_frames if begun else "window"
    frames = (config.decoded_frames, content, config.single_frame_content, config.kl_frames)
    shares = (risen(config.kl_warmup * config.steps), config.prior_states * risen(0.1 * left, config.steps - left))
    periods = 1 + int(risen(0.5 * left, config.steps - left) * (config.periods - 1))
    return Estimate(*frames, *shares, periods, config.content_mmd, config.content_adversary * begun)


class Float32Products(TorchFunctionMode):
    """Where `torch.optim.Muon` would turn to bfloat16 for its products, float32.

    On a processor without bfloat16 units such a product takes 70 times as long.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return args[0].clone() if func is Tensor.bfloat16 else func(*args, **(kwargs or {}))


class Optimiser:
    """Updates a model's parameters; its state is a flat dictionary of tensors.

    With `muon`, the matrices of `model.matrices()` (convolutions flattened to 2-D views) go to
    `torch.optim.Muon`, all else to Adam; norms, biases and other vectors may have a rate of their own.

    Args:
        low: whether the run's precision is bfloat16; else Muon's products are float32, too.
    """

    def __init__(self, model: nn.Module, config: TrainConfig, low: bool = False) -> None:
        if config.optimiser not in ("adam", "muon"):
            raise ConfigError(f"optimiser {config.optimiser!r}", "'adam' or 'muon'")
        self.config = config
        self.low = low
        named = dict(model.named_parameters())
        matrices = model.matrices() if config.optimiser == "muon" else []
        self.matrices = {name: named[name] for name in matrices}
        self.views = {name: p.detach().view(p.shape[0], -1) for name, p in self.matrices.items()}
        others = {name: p for name, p in named.items() if name not in self.matrices}
        scale_rate = config.scale_learning_rate or config.learning_rate
        groups = [
            {"params": [p for p in others.values() if p.ndim != 1], "lr": config.learning_rate},
            {"params": [p for p in others.values() if p.ndim == 1], "lr": scale_rate},
        ]
        self.names = [*(n for n, p in others.items() if p.ndim != 1), *(n for n, p in others.items() if p.ndim == 1)]
        fused = next(model.parameters()).is_cuda
        self.parts: list[torch.optim.Optimizer] = [torch.optim.Adam(groups, betas=config.betas, fused=fused)]
        if self.views:
            self.parts.append(
                torch.optim.Muon(self.views.values(), lr=config.muon_learning_rate, momentum=0.9, weight_decay=0.0)
            )
        self.base = [[group["lr"] for group in part.param_groups] for part in self.parts]

    def update(self, loss: Tensor, step: int) -> None:
        """Backward pass and one update at the rate of this step."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)
        for parameter in self.matrices.values():
            parameter.grad = None
        loss.backward()
        for name, view in self.views.items():
            view.grad = self.matrices[name].grad.view_as(view)
        factor = rate(self.config, step)
        for part, base in zip(self.parts, self.base, strict=True):
            for group, learning_rate in zip(part.param_groups, base, strict=True):
                group["lr"] = learning_rate * factor
            with nullcontext() if self.low else Float32Products():
                part.step()

    def _slots(self) -> list[tuple[str, torch.optim.Optimizer, Tensor]]:
        adam = [p for group in self.parts[0].param_groups for p in group["params"]]
        slots = [(name, self.parts[0], p) for name, p in zip(self.names, adam, strict=True)]
        return slots + [(name, self.parts[1], view) for name, view in self.views.items()]

    def state(self) -> dict[str, Tensor]:
        """All moments and counters, keyed `<parameter>/<slot>`."""
        return {
            f"{name}/{key}": torch.as_tensor(value).detach().cpu().clone().contiguous()
            for name, part, p in self._slots()
            for key, value in part.state[p].items()
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Take back what `state` gave.

        Raises:
            CheckpointError: a moment of an unknown parameter, or of another shape.
        """
        slots = {name: (part, p) for name, part, p in self._slots()}
        for key, value in state.items():
            name, _, slot = key.rpartition("/")
            if name not in slots:
                raise CheckpointError(f"optimiser state of an unknown parameter {name!r}", "a state of this model")
            part, p = slots[name]
            if value.ndim and value.shape != p.shape:
                raise CheckpointError(
                    f"optimiser state {key} {tuple(value.shape)}", f"{tuple(p.shape)}, a state of this model"
                )
            counts_here = slot == "step" and not part.defaults.get("fused")  # a fused optimiser counts on the device
            part.state[p][slot] = value.clone() if counts_here else value.clone().to(p.device)
