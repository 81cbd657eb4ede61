"""Which device there is, and which arithmetic pays on it, measured in two seconds."""

from __future__ import annotations

import time

import torch

from hamrepro.errors import ConfigError
from hamrepro.networks import Decoder, Encoder
from hamrepro.presets import PRESETS
from hamrepro.randomness import initialising

FRAMES, SECONDS, TRIALS = 16, 2.0, 3
PAYS = 0.9  # bfloat16 is taken where a step takes less than this share of float32's time


def choose_device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        ConfigError: no such device, or it does not work here.
    """
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda") or (device.type == "cpu" and device.index):
            raise NotImplementedError("it has no float64, or is no device of its own")
        torch.ones(1, device=device).item()
        return device
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        given = f"device {name!r}: {str(error).partition(chr(10))[0][:120]}"
        raise ConfigError(given, "cpu, or cuda where torch sees a GPU", "--device cpu") from error


def calibrate(device: torch.device) -> dict[str, float]:
    """Seconds of one pass forward and backward through the encoder and decoder of preset `laptop`, per precision.

    Taken by turns, so that a noisy neighbour slows both, and the least of at least three kept; about two seconds.
    """
    network = PRESETS["laptop"][0]
    with initialising(0):
        encoder, decoder = Encoder(network).to(device), Decoder(network, network.features).to(device)
        frames = torch.rand(FRAMES, 3, 64, 64).to(device, memory_format=torch.channels_last)
    least = {"float32": float("inf"), "bfloat16": float("inf")}
    trials, started = 0, time.perf_counter()
    while trials <= TRIALS or time.perf_counter() - started < SECONDS:
        for name in least:
            began = time.perf_counter()
            with torch.autocast(device.type, torch.bfloat16, enabled=name == "bfloat16"):
                loss = decoder(encoder(frames)).float().square().sum()
            loss.backward()
            if trials:  # the first turn prepares the kernels
                least[name] = min(least[name], time.perf_counter() - began)
        trials += 1
    return least


def choose_precision(wanted: str, device: torch.device) -> str:
    """`float32` or `bfloat16`: as asked, or with `auto` whichever runs the networks faster here.

    Raises:
        ConfigError: any other word.
    """
    if wanted in ("float32", "bfloat16"):
        return wanted
    if wanted != "auto":
        raise ConfigError(f"precision {wanted!r}", "'auto', 'float32' or 'bfloat16'")
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    seconds = calibrate(device)
    return "bfloat16" if seconds["bfloat16"] < PAYS * seconds["float32"] else "float32"
