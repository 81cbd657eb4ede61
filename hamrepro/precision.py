"""Which device there is, and which arithmetic pays on it, measured in two seconds."""

from __future__ import annotations

import time

import torch
from torch import nn

from hamrepro.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        ConfigError: no such device, or it does not work here.
    """
    try:
        torch.ones(1, device=name).item()
        return torch.device(name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        given = f"device {name!r}: {str(error).partition(chr(10))[0][:120]}"
        raise ConfigError(given, "cpu, or cuda where torch sees a GPU", "--device cpu") from error


def _seconds(low: bool, device: torch.device, trials: int = 4) -> float:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(16, 32, 5, 2, 2), nn.ConvTranspose2d(32, 16, 5, 2, 2, output_padding=1)).to(device)
    frames = torch.rand(48, 16, 64, 64, device=device).contiguous(memory_format=torch.channels_last)
    best = float("inf")
    for _ in range(trials):
        began = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            loss = layers(frames).float().square().sum()
        loss.backward()
        best = min(best, time.perf_counter() - began)
    return best


def choose_precision(wanted: str, device: torch.device) -> str:
    """`float32` or `bfloat16`: as asked, or with `auto` whichever runs a small convolution faster here.

    Raises:
        ConfigError: any other word.
    """
    if wanted in ("float32", "bfloat16"):
        return wanted
    if wanted != "auto":
        raise ConfigError(f"precision {wanted!r}", "'auto', 'float32' or 'bfloat16'")
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    state = torch.get_rng_state()
    choice = "bfloat16" if _seconds(True, device) < 0.8 * _seconds(False, device) else "float32"
    torch.set_rng_state(state)
    return choice
