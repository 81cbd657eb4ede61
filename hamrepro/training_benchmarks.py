"""What training, evaluation, sampling and saving cost, each beside the slow reference."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from hamrepro import checkpoint
from hamrepro.batches import Batch, draw_batch
from hamrepro.benchmarks import Conditions, Entries, reference
from hamrepro.config import ModelConfig, RunConfig, TrainConfig
from hamrepro.datasets import load
from hamrepro.elbo import Estimate
from hamrepro.evaluate import of_model, score_frames
from hamrepro.halo import Halo
from hamrepro.networks import Decoder, Encoder
from hamrepro.optimiser import Optimiser, estimate
from hamrepro.precision import choose_precision
from hamrepro.randomness import generator, initialising
from hamrepro.timing import Work, compared, roofline


def halo(network: ModelConfig, device: torch.device, kind: type[Halo] = Halo) -> Halo:
    """An untrained network, the same weights for every kind."""
    with initialising(0):
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
    optimiser = optimiser or Optimiser(model, training, low)

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


def kernel_seconds(work: Work) -> float:
    """Seconds a GPU is busy in one call, of its profile; the rest of a call's time it waits to be told what to do."""
    work()
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        work()
        torch.cuda.synchronize()
    return sum(event.self_device_time_total for event in seen.key_averages()) / 1e6


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


def batch_of(on: Conditions, clips: int) -> tuple[RunConfig, Batch]:
    """Settings with so many clips a step, and the first batch."""
    config = on.config
    config = replace(config, training=replace(config.training, batch=clips))
    return config, draw_batch(load(on.dataset, "train"), config.training, 0, 0, on.device, config.network.label)


def step(on: Conditions) -> Entries:
    """A training step: seconds, frames of the clips per second, share of the measured peak of its precision."""
    slow, (config, batch) = reference(), batch_of(on, on.clips)
    network, training = config.network, config.training
    precision = choose_precision("auto", on.device)
    ours = update(halo(network, on.device), batch, training, precision == "bfloat16")
    obvious = halo(network, on.device, slow.SlowHalo)
    optimiser = Optimiser(obvious, training)
    entry = compared(ours, lambda: slow.step(obvious, optimiser, batch, training, 0, 0), on.rounds)
    peak = roofline(on.device, 2)
    work, seconds = flops(ours), entry["value"]
    frames = batch.clips.shape[0] * batch.clips.shape[1]
    entry |= {"kernels": kernel_seconds(ours)} if on.device.type == "cuda" else {}
    entry |= {"precision": precision, "flop": work, "frames_per_second": frames / seconds}
    for name in ("product", "convolution/channels-last"):
        entry[f"share of {name}"] = work / seconds / peak[f"roofline/{name}/{precision}"]["value"]
    return {f"step/{on.preset} {on.model} B={on.clips}": entry} | peak


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
    slow, (config, batch) = reference(), batch_of(on, 2)
    model, at = halo(config.network, on.device), iter(range(1, 1_000_000))
    optimiser = Optimiser(model, config.training)
    update(model, batch, config.training, False, optimiser=optimiser)()
    with tempfile.TemporaryDirectory() as place:
        folder, file = Path(place), Path(place) / "state.pt"
        meta = {"config_sha256": config.sha256, "environment": {}, "data_sha256": "none", "seed": 0, "train_seconds": 0}

        def save() -> None:
            checkpoint.save_state(folder, next(at), checkpoint.tensors(model), optimiser.state(), meta)

        saved = compared(save, lambda: slow.save(file, model, optimiser), on.rounds)
        work = (lambda: checkpoint.load_latest(folder, config.sha256)), (lambda: torch.load(file, weights_only=True))
        return {"checkpoint/save": saved, "checkpoint/load": compared(*work, on.rounds)}
