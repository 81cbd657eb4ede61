"""What training, evaluation, sampling and saving cost, each beside the slow reference, and how the cost grows."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hamrepro import checkpoint
from hamrepro.allocator import keep_freed_memory
from hamrepro.batches import Batch, draw_batch, order
from hamrepro.benchmarks import Conditions, Entries, flow_work, operators, reference
from hamrepro.config import ModelConfig, RunConfig, TrainConfig, configure
from hamrepro.datasets import load
from hamrepro.elbo import EXACT, Estimate
from hamrepro.evaluate import of_model, score_frames
from hamrepro.halo import Halo
from hamrepro.networks import Decoder, Encoder
from hamrepro.optimiser import Optimiser, estimate
from hamrepro.precision import choose_precision
from hamrepro.randomness import generator
from hamrepro.symplectic import flow_powers
from hamrepro.timing import alone, compared, race, roofline

Work = Callable[[], object]


def halo(network: ModelConfig, device: torch.device, kind: type[Halo] = Halo) -> Halo:
    """An untrained network, the same weights for every kind."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind(network).to(device).train()


def update(
    model: nn.Module,
    batch: Batch,
    training: TrainConfig,
    low: bool,
    bound: Estimate | None = None,
    optimiser: Optimiser | None = None,
) -> Work:
    """One training step on a given batch, as `train` does it: nothing is read back."""
    optimiser = optimiser or Optimiser(model, training)

    def work() -> None:
        with torch.autocast(batch.clips.device.type, torch.bfloat16, enabled=low):
            terms = model.loss(
                batch.clips,
                batch.action,
                lambda stream: generator(0, stream, 0),
                cyclic=batch.cyclic,
                estimate=estimate(training, 0) if bound is None else bound,
            )
        optimiser.update(terms["loss"], 0)

    return work


def flops(work: Work) -> int:
    """Floating-point operations of its matrix products and convolutions, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def per_frame(network: ModelConfig) -> dict[str, float]:
    """Of one frame through encoder and decoder, forward and backward, counted without running: Tables 3 and 4.

    Returns:
        `flop`; `kept`, numbers saved for the backward pass; and of the networks, `weights`.
    """
    inputs, frames, kept = network.content + network.actions * network.half_dimension, 2, []

    def keep(saved: torch.Tensor) -> torch.Tensor:
        kept.append(saved.numel() if saved.ndim and saved.shape[0] == frames else 0)
        return saved

    with torch.device("meta"):
        encoder, decoder = Encoder(network), Decoder(network, inputs)
        parts = (encoder, torch.empty(frames, 3, 64, 64)), (decoder, torch.empty(frames, inputs))
    with FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
        for module, given in parts:
            module(given).sum().backward()
    weights = sum(p.numel() for module, _ in parts for p in module.parameters())
    return {"flop": counter.get_total_flops() / frames, "kept": sum(kept) / frames, "weights": weights}


def _batch(on: Conditions, clips: int) -> tuple[RunConfig, Batch]:
    config = on.config
    config = replace(config, training=replace(config.training, batch=clips))
    return config, draw_batch(load(on.dataset, "train"), config.training, 0, 0, on.device, config.network.label)


def step(on: Conditions) -> Entries:
    """A training step: seconds, frames of the clips per second, share of the measured peak of its precision."""
    slow, (config, batch) = reference(), _batch(on, on.clips)
    network, training = config.network, config.training
    precision = choose_precision("auto", on.device)
    ours = update(halo(network, on.device), batch, training, precision == "bfloat16")
    obvious = halo(network, on.device, slow.SlowHalo)
    optimiser = Optimiser(obvious, training)
    entry = compared(ours, lambda: slow.step(obvious, optimiser, batch, training, 0, 0), on.rounds)
    peak = roofline(on.device, 2)
    work, seconds = flops(ours), entry["value"]
    frames = batch.clips.shape[0] * batch.clips.shape[1]
    entry |= {"precision": precision, "flop": work, "frames_per_second": frames / seconds}
    for name in ("product", "convolution/channels-last"):
        entry[f"share of {name}"] = work / seconds / peak[f"roofline/{name}/{precision}"]["value"]
    return {f"step/{on.preset} {on.model} B={on.clips}": entry} | peak


def levers(on: Conditions) -> Entries:
    """The same step, one change after another: what each was predicted to give, and what it gave.

    Predictions come from operation counts and from the measured limits of the machine, never from the step itself,
    but for the exponentials: their share of it.
    """
    slow, (config, batch) = reference(), _batch(on, min(8, on.clips))
    network, training = config.network, config.training
    kinds = (slow.SlowHalo, slow.UsualLayout, Halo, Halo, Halo)
    names = (
        "the slow reference",
        "one exponential an operator",
        "channels last",
        "bfloat16",
        "a part of the frames",
        "freed memory is kept",
    )
    bounds = (EXACT, EXACT, EXACT, EXACT, None)
    works = [
        update(halo(network, on.device, kind), batch, training, number >= 3, bound)
        for number, (kind, bound) in enumerate(zip(kinds, bounds, strict=True))
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

    predicted = (
        None,
        entries[0]["value"] / max(entries[0]["value"] - saved, 1e-9),
        limit("convolution/channels-last", "float32") / limit("convolution/nchw", "float32"),
        limit("convolution/channels-last", "bfloat16") / limit("convolution/channels-last", "float32"),
        flops(works[3]) / flops(works[4]),
        (kernel + user) / user,
    )
    found = {}
    for number, (name, entry) in enumerate(zip(names, entries, strict=True)):
        entry.pop("ratio", None), entry.pop("best_ratio", None)
        before = entries[number - 1]["value"] if number else entry["value"]
        gains = {"predicted": predicted[number], "gain": before / entry["value"] if number else None}
        found[f"levers/{number} {name}"] = entry | gains | {"so_far": entries[0]["value"] / entry["value"]}
    return found


def evaluation(on: Conditions) -> Entries:
    """Table 1's scores of a few clips, and unconditional samples, of 16 frames."""
    slow, network = reference(), on.config.network
    fast, obvious = (halo(network, on.device, kind).eval() for kind in (Halo, slow.SlowHalo))
    clip_set = load(on.dataset, "test")
    index, action = torch.arange(0, len(clip_set), len(clip_set) // 8)[:8], torch.arange(12, device=on.device) % 3

    @torch.inference_mode()
    def draw(model: Halo) -> object:
        return model.sample(action, 16, generator(0, "prior"))

    def ours() -> object:
        return score_frames(of_model(fast), clip_set, index, "clip", device=str(on.device))

    return {
        "evaluation/8 clips of 16 frames": compared(ours, lambda: slow.score(obvious, clip_set, index), on.rounds),
        "sampling/12 clips of 16 frames": compared(lambda: draw(fast), lambda: draw(obvious), on.rounds),
    }


def saving(on: Conditions) -> Entries:
    """Saving and loading a state: hashed, synced and atomic, against `torch.save`."""
    slow, (config, batch) = reference(), _batch(on, 2)
    model, at = halo(config.network, on.device), iter(range(1, 1_000_000))
    optimiser = Optimiser(model, config.training)
    update(model, batch, config.training, False, optimiser=optimiser)()
    with tempfile.TemporaryDirectory() as place:
        folder, file = Path(place), Path(place) / "state.pt"
        meta = {"config_sha256": config.sha256}

        def save() -> None:
            checkpoint.save_state(folder, next(at), checkpoint.tensors(model), optimiser.state(), meta)

        saved = compared(save, lambda: slow.save(file, model, optimiser), on.rounds)
        work = (lambda: checkpoint.load_latest(folder, config.sha256)), (lambda: torch.load(file, weights_only=True))
        return {"checkpoint/save": saved, "checkpoint/load": compared(*work, on.rounds)}


def _peak(on: Conditions, steps: int) -> int:
    torch.set_num_threads(1)
    config, batch = _batch(on, on.clips)
    if steps:
        low = choose_precision("auto", on.device) == "bfloat16"
        work = update(halo(config.network, on.device), batch, config.training, low)
        for _ in range(steps):
            work()
    if on.device.type == "cuda":
        return torch.cuda.max_memory_allocated(on.device)
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def memory(on: Conditions) -> Entries:
    """Largest memory of a process that has the data and one batch, and of one that trains."""
    found = {}
    for name, steps in (("data and a batch", 0), (f"training, B={on.clips}", 2)):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            found[f"memory/{name}"] = {"value": pool.submit(_peak, on, steps).result(), "unit": "B", "n": 1}
    return found


def growth(on: Conditions) -> Entries:
    """How cost grows: seconds over sizes, and the exponent of the power law through them."""
    smoke, device = configure("smoke", on.dataset, on.model), on.device

    def trained(clips: int = 4, frames: int = 8, **sizes: object) -> Work:
        pixels = torch.rand(clips, frames, 3, 64, 64, generator=generator(0, "init")).to(device) * 2 - 1
        zeros = torch.zeros(clips, dtype=torch.int64, device=device)
        network = replace(smoke.network, **sizes)
        return update(halo(network, device), Batch(pixels, zeros, zeros.bool(), zeros), smoke.training, False, EXACT)

    def flowing(actions: int = 3, d: int = 6) -> Work:
        return flow_work(flow_powers, operators(actions, d, device).generators().detach(), 8, True)

    axes = {
        "a step, with B": [(n, trained(clips=n)) for n in (4, 8, 16)],
        "a step, with T": [(n, trained(frames=n)) for n in (4, 8, 16)],
        "a step, with K": [(n, trained(actions=n)) for n in (3, 12, 48)],
        "a step, with d": [(n, trained(half_dimension=n)) for n in (6, 24, 96)],
        "a step, with width": [(n, trained(encoder_widths=(n,) * 5, decoder_widths=(n,) * 5)) for n in (8, 16, 32)],
        "the flow, with K": [(n, flowing(actions=n)) for n in (3, 12, 48)],
        "the flow, with d": [(n, flowing(d=n)) for n in (6, 12, 24, 48)],
        "an order, with characters": [
            (n, lambda n=n: order(9 * n, 24, 0, 0)) for n in (1_000, 10_000, 100_000, 1_000_000)
        ],
    }
    found = {}
    for name, works in axes.items():
        sizes = [size for size, _ in works]
        entries = [alone(work, min(on.rounds, 3)) for _, work in works]
        seconds = [entry["value"] for entry in entries]
        exponent = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
        shown = {"value": exponent, "unit": "exponent", "n": len(sizes), "sizes": sizes, "seconds": seconds}
        found[f"growth/{name}"] = shown
    return found
