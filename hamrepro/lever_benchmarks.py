"""What each change to a training step gives: those that were kept, one after another, and others, each alone."""

from __future__ import annotations

import os
import resource
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import lru_cache
from multiprocessing import get_context
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hamrepro.allocator import keep_freed_memory
from hamrepro.benchmarks import Conditions, Entries, flow_work, operators, reference
from hamrepro.elbo import EXACT
from hamrepro.halo import Halo
from hamrepro.optimiser import Optimiser
from hamrepro.precision import choose_precision
from hamrepro.symplectic import flow_powers
from hamrepro.timing import compared, quartiles, race, roofline
from hamrepro.training_benchmarks import Work, batch_of, flops, halo, update


def levers(on: Conditions) -> Entries:
    """The same step, of the preset's own batch, one change after another: what each should give, and what it gave.

    Predictions come from operation counts and from the measured limits of the machine, never from the step itself,
    but for the exponentials: their share of it.
    """
    slow, (config, batch) = reference(), batch_of(on, on.config.training.batch)
    network, training = config.network, config.training
    precision = choose_precision("auto", on.device)
    rows = [
        ("the slow reference", slow.SlowHalo, "float32", EXACT),
        ("one exponential an operator", slow.UsualLayout, "float32", EXACT),
        ("channels last", Halo, "float32", EXACT),
        ("bfloat16", Halo, "bfloat16", EXACT),
        ("a part of the frames", Halo, precision, None),
    ]
    rows = [row for row in rows if row[2] in ("float32", precision)]  # bfloat16 where the run would choose it
    names = [name for name, *_ in rows] + ["freed memory is kept"]
    works = [
        update(halo(network, on.device, kind), batch, training, how == "bfloat16", bound)
        for _, kind, how, bound in rows
    ]

    def remembering(work: Work, keep: bool) -> Work:
        return lambda: (keep_freed_memory(keep), work())

    entries = race(*(remembering(work, False) for work in works), remembering(works[-1], True), rounds=on.rounds)
    before = resource.getrusage(resource.RUSAGE_SELF)
    remembering(works[-1], False)()
    after = resource.getrusage(resource.RUSAGE_SELF)
    kernel, user = after.ru_stime - before.ru_stime, after.ru_utime - before.ru_utime
    peak = roofline(on.device, 2)
    h = operators(network.actions, network.half_dimension, on.device).generators().detach()
    flow = compared(*(flow_work(way, h, batch.clips.shape[1], True) for way in (flow_powers, slow.powers)), on.rounds)
    saved = flow["reference"]["value"] - flow["value"]

    def limit(kind: str, precision: str) -> float:
        return peak[f"roofline/{kind}/{precision}"]["value"]

    predicted = {
        names[1]: entries[0]["value"] / max(entries[0]["value"] - saved, 1e-9),
        "channels last": limit("convolution/channels-last", "float32") / limit("convolution/nchw", "float32"),
        "bfloat16": limit("convolution/channels-last", "bfloat16") / limit("convolution/channels-last", "float32"),
        "a part of the frames": flops(works[-2]) / flops(works[-1]),
        "freed memory is kept": (kernel + user) / user,
    }
    found = {}
    for number, (name, entry) in enumerate(zip(names, entries, strict=True)):
        entry.pop("ratio", None), entry.pop("best_ratio", None)
        before = entries[number - 1]["value"] if number else entry["value"]
        gains = {"predicted": predicted.get(name), "gain": before / entry["value"] if number else None}
        gains |= {"so_far": entries[0]["value"] / entry["value"], "clips": training.batch}
        found[f"levers/{number} {name}"] = entry | gains
    return found


class SubPixel(nn.ConvTranspose2d):
    """A transposed 5x5 convolution of stride 2 as a 3x3 convolution to four times the channels, then interleaved.

    Row 2i + a of the result takes rows i-1, i, i+1 of the input with the kernel's rows 4+a, 2+a, a; row 5 is zero.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', 2H, 2W)."""
        kernel = functional.pad(self.weight, (0, 1, 0, 1)).unflatten(2, (3, 2)).unflatten(4, (3, 2)).flip(2, 4)
        kernel = kernel.permute(1, 3, 5, 0, 2, 4).flatten(0, 2)
        bias = self.bias.repeat_interleave(4)
        return functional.pixel_shuffle(functional.conv2d(maps, kernel, bias, padding=1), 2)


def sub_pixel(model: Halo) -> Halo:
    """The same weights, the decoder's transposed convolutions of stride 2 computed as `SubPixel`."""
    for layer in model.decoder:
        if isinstance(layer, nn.ConvTranspose2d) and layer.stride == (2, 2):
            layer.__class__ = SubPixel
    return model


@lru_cache(maxsize=1)
def _step(on: Conditions) -> Work:
    return _plain(on)()


def _seconds(on: Conditions, threads: int, steps: int) -> float:
    torch.set_num_threads(threads)
    work = _step(on)
    began = time.perf_counter()
    for _ in range(steps):
        work()
    return (time.perf_counter() - began) / steps


def side_by_side(on: Conditions, steps: int = 5) -> dict[str, Any]:
    """A training on every core, one thread each, against one training on all cores: seconds a step, over trainings."""
    cores, together, one = os.cpu_count() or 1, [], []
    with ExitStack() as stack:
        pools = [stack.enter_context(ProcessPoolExecutor(1, get_context("spawn"))) for _ in range(cores)]
        [pool.submit(_seconds, on, 1, 1).result() for pool in pools]  # the first step prepares
        for _ in range(on.rounds):
            one.append(pools[0].submit(_seconds, on, cores, steps).result())
            running = [pool.submit(_seconds, on, 1, steps) for pool in pools]
            together.append(max(each.result() for each in running) / cores)
    ratio = quartiles([a / b for a, b in zip(one, together, strict=True)], "")
    return quartiles(together, "s") | {"reference": quartiles(one, "s"), "ratio": ratio}


def _not_run(why: str) -> dict[str, Any]:
    return {"value": None, "n": 0, "unit": "s", "why": why}


def _plain(on: Conditions) -> Callable[..., Work]:
    """Makes a step: of a model, or of an untrained one; with other options of Adam."""
    config, batch = batch_of(on, on.few)
    low = choose_precision("auto", on.device) == "bfloat16"

    def step(model: Halo | None = None, low: bool = low, **adam: bool) -> Work:
        model = model or halo(config.network, on.device)
        optimiser = Optimiser(model, config.training, low)
        for group in optimiser.parts[0].param_groups:
            group.update(adam)
        return update(model, batch, config.training, low, optimiser=optimiser)

    return step


def others(on: Conditions) -> Entries:
    """A step with one change, and without it, by turns; the ratio is what the change gives."""
    step, cuda, network = _plain(on), on.device.type == "cuda", on.config.network

    def reading(work: Work, model: nn.Module) -> Work:
        return lambda: (work(), next(model.parameters()).grad.sum().item())

    def rounded(precision: str) -> Work:
        work = step(low=False)
        return lambda: (torch.set_float32_matmul_precision(precision), work())

    usual, read = step(), halo(network, on.device)
    found = {
        "the optimiser fused": compared(step(fused=True), step(fused=False), on.rounds),
        "no value read back": compared(usual, reading(step(read), read), on.rounds),
        "transposed convolutions as convolutions": compared(
            step(sub_pixel(halo(network, on.device))), usual, on.rounds
        ),
        "TF32": _not_run("needs a GPU"),
        "a training on every core": _not_run("on a CPU alone") if cuda else side_by_side(on),
    }
    if cuda:
        before = torch.get_float32_matmul_precision()
        found["TF32"] = compared(rounded("high"), rounded("highest"), on.rounds)
        torch.set_float32_matmul_precision(before)
    return {f"others/{name}": entry for name, entry in found.items()}


def compiled(on: Conditions) -> Entries:
    """A step with encoder and decoder compiled, and with their kernels launched as graphs, against neither."""
    step, network = _plain(on), on.config.network

    def race_with(mode: str) -> dict[str, Any]:
        model = halo(network, on.device)
        model.encoder.compile(mode=mode), model.decoder.compile(mode=mode)
        work, began = step(model), time.perf_counter()
        try:
            work()
        except RuntimeError as error:
            return _not_run(str(error).strip().splitlines()[0][:120])
        return {"seconds to compile": time.perf_counter() - began} | compared(work, step(), on.rounds)

    cuda = on.device.type == "cuda"
    return {
        "others/compiled": race_with("default") if shutil.which("c++") else _not_run("no C++ compiler"),
        "others/CUDA graphs": race_with("reduce-overhead") if cuda else _not_run("needs a GPU"),
    }
