"""One training on several processes, through `torchrun`: the same clips, draws and batch statistics as on one.

Every process draws what the whole batch needs and keeps its own rows, so that what is seen is a function of (seed,
step), whatever the number of processes. Gradients are averaged by torch's DistributedDataParallel. Batch norms use
the moments of the whole batch: torch's SyncBatchNorm does so on GPUs alone, and statistics of each process's own rows
would make the number of processes part of the model. Two terms of HALO's later cycles (D21, D24) are taken over each
process's own clips; models that compare clips throughout are refused.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel
from torch.overrides import TorchFunctionMode

from hamrepro.baselines.dsvae import Dsvae
from hamrepro.errors import ConfigError
from hamrepro.halo import Halo


class _Mean(torch.autograd.Function):
    """Mean over the processes; so is its gradient, since every process's loss depends on it."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total / dist.get_world_size()

    backward = forward


class GlobalBatchNorm(_BatchNorm):
    """Batch norm whose moments are those of all processes together, and whose gradient knows it."""

    def _check_input_dim(self, input: Tensor) -> None: ...

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        others = [axis for axis in range(input.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(input.ndim)]
        values = input if input.dtype == torch.float64 else input.float()
        mean = _Mean.apply(values.mean(others))
        centred = values - mean.view(shape)
        variance = _Mean.apply(centred.square().mean(others))
        with torch.no_grad():
            count = dist.get_world_size() * input.numel() // input.shape[1]
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var.dtype), self.momentum)
        scale = (variance + self.eps).rsqrt() * self.weight
        return (centred * scale.view(shape) + self.bias.view(shape)).to(input.dtype)


def share_batch_norms(model: nn.Module) -> None:
    """Put a `GlobalBatchNorm` in the place of every batch norm; parameters and buffers, and their names, stay."""
    for parent in list(model.modules()):
        for name, norm in list(parent.named_children()):
            if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
                shared = GlobalBatchNorm(norm.num_features, norm.eps, norm.momentum)
                shared.load_state_dict(norm.state_dict())
                setattr(parent, name, shared.train(norm.training))


class _Loss(nn.Module):
    """A model's loss as a forward pass, which is what DistributedDataParallel watches."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *arguments: Any, **options: Any) -> dict[str, Tensor]:
        return self.model.loss(*arguments, **options)


class _Rows(TorchFunctionMode):
    """Random draws from a given generator, made for the whole batch, of which this process keeps its rows."""

    def __init__(self, rank: int, size: int) -> None:
        super().__init__()
        self.rank, self.size = rank, size

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if func not in (torch.rand, torch.randn, torch.randint) or kwargs.get("generator") is None:
            return func(*args, **kwargs)
        bounds, shape = ((), args) if isinstance(args[-1], int) else (args[:-1], args[-1])
        whole = func(*bounds, (shape[0] * self.size, *shape[1:]), **kwargs)
        return whole[self.rank * shape[0] : (self.rank + 1) * shape[0]]


class Processes:
    """The processes of one training; of one alone, every method gives back what it was given.

    Attributes:
        rank: of this process. size: how many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def rows(self, batch: int) -> slice:
        """This process's rows of a batch.

        Raises:
            ConfigError: the batch cannot be shared out equally, or leaves one row, which has no statistics.
        """
        if batch % self.size or batch // self.size < 2:
            raise ConfigError(f"{batch} clips on {self.size} processes", "two or more for each, the same for all")
        share = batch // self.size
        return slice(self.rank * share, (self.rank + 1) * share)

    def loss(self, model: nn.Module) -> Callable[..., dict[str, Tensor]]:
        """The model's loss, its gradient averaged over the processes and its batch norms theirs together.

        Raises:
            ConfigError: several processes, and a model whose terms compare the clips of a batch with each other.
        """
        if self.size == 1:
            return model.loss
        if not isinstance(model, Halo | Dsvae):
            raise ConfigError(f"{type(model).__name__} on {self.size} processes", "HALO or DSVAE", "one process")
        waits = getattr(model, "adversary", None) is not None  # for its onset, without a gradient
        return DistributedDataParallel(_Loss(model), broadcast_buffers=False, find_unused_parameters=waits)

    def draws(self) -> AbstractContextManager:
        """Within it, draws from a given generator are rows of the whole batch's."""
        return nullcontext() if self.size == 1 else _Rows(self.rank, self.size)

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the processes of a tensor on the CPU."""
        if self.size > 1:
            dist.all_reduce(values)
            values /= self.size
        return values

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process: a signal reaches them at different steps."""
        return flag if self.size == 1 else bool(self.mean(torch.tensor([float(flag)])) > 0)

    def same(self, decided: Any) -> Any:
        """What the first process decided."""
        if self.size == 1:
            return decided
        box = [decided]
        dist.broadcast_object_list(box)
        return box[0]


def processes(device: str) -> tuple[Processes, str]:
    """The processes `torchrun` started, or this one alone, and the device of this one: with `cuda`, one GPU each.

    They meet once, for every training of the program: a second meeting in the same store would wait for ever.
    """
    size = int(os.environ["WORLD_SIZE"]) if dist.is_torchelastic_launched() else 1
    if size == 1:
        return Processes(), device
    place = f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" else device
    if place.startswith("cuda"):
        torch.cuda.set_device(place)
    if not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if place.startswith("cuda") else "gloo")
        atexit.register(dist.destroy_process_group)
    return Processes(int(os.environ["RANK"]), size), place
