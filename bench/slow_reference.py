"""The same mathematics written the obvious way: what every fast path is compared with, in value and in time.

float32 throughout, maps in the framework's usual layout (NCHW), one matrix exponential for every offset of every
operator, one matrix for the whole phase space, sprites composited one by one with Pillow, data sets held as arrays of
float32, a loss that is read after every step. Nothing in the package imports this file; `hamrepro bench` and the tests
load it from the checkout.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from hamrepro.batches import Batch, order
from hamrepro.config import TrainConfig
from hamrepro.dynamics import PhaseSpace, embed
from hamrepro.evaluate import Scores
from hamrepro.halo import Halo
from hamrepro.optimiser import Optimiser, estimate
from hamrepro.randomness import generator
from hamrepro.sprites import SHOES_LAYER, VALUES, Sprites, attributes_of


def powers(generators: Tensor, frames: int) -> Tensor:
    """e^{oH}, o in -(T-1)..T-1, each an exponential of its own: (K, 2d, 2d) -> (K, 2T-1, 2d, 2d)."""
    offsets = torch.arange(1 - frames, frames, dtype=generators.dtype, device=generators.device)
    return torch.linalg.matrix_exp(offsets[:, None, None] * generators[:, None])


def whole_generator(generators: Tensor) -> Tensor:
    """K operators as the one block-diagonal matrix of the whole phase space, (K, 2d, 2d) -> (2Kd, 2Kd), q before p."""
    d = generators.shape[-1] // 2
    rows = [torch.cat([torch.block_diag(*generators[:, r : r + d, c : c + d]) for c in (0, d)], 1) for r in (0, d)]
    return torch.cat(rows, 0)


class UsualLayout(Halo):
    """HALO with maps in the usual layout; weights are interchangeable with `Halo`'s."""

    def features(self, clips: Tensor) -> Tensor:
        """h (B, T, h)."""
        return self.encoder(clips.flatten(0, 1).contiguous()).unflatten(0, clips.shape[:2])

    def decode(self, content: Tensor, positions: Tensor) -> Tensor:
        """Frames (B, T, 3, 64, 64)."""
        z = content[:, None].expand(-1, positions.shape[1], -1)
        maps = torch.cat([z, positions], -1).flatten(0, 1)
        for layer in self.decoder:
            maps = layer(maps)
            if isinstance(layer, nn.Unflatten):
                maps = maps.contiguous()
        return maps.unflatten(0, positions.shape[:2])


class SlowHalo(UsualLayout):
    """HALO with no layout chosen and every exponential computed."""

    def positions(self, state: PhaseSpace, action: Tensor, reference: Tensor, frames: int) -> Tensor:
        """q (B, T, K d), through an exponential for every offset."""
        offsets = torch.arange(frames, device=action.device) - reference[:, None] + frames - 1
        steps = powers(self.operators.generators(), frames)[action[:, None], offsets]
        states = (steps @ state.state[:, None, :, None].to(steps.dtype))[..., 0]
        return embed(PhaseSpace.from_state(states).q, action, self.config.actions)


def step(model: nn.Module, optimiser: Optimiser, batch: Batch, config: TrainConfig, seed: int, at: int) -> list[float]:
    """One update in float32, every term of the bound read at once."""
    terms = model.loss(
        batch.clips,
        batch.action,
        lambda stream: generator(seed, stream, at),
        cyclic=batch.cyclic,
        estimate=estimate(config, at),
    )
    optimiser.update(terms["loss"], at)
    return [term.item() for term in terms.values()]


def draw_clips(clip_set: Sprites, characters: Tensor, labels: Tensor) -> np.ndarray:
    """Clips composited frame by frame with Pillow: uint8 (B, 8, 64, 64, 3)."""
    pixels = clip_set.layers.cpu()[..., None].view(torch.uint8).numpy()
    values = attributes_of(characters) + VALUES * torch.arange(4)
    clips = np.empty((len(characters), 8, 64, 64, 3), np.uint8)
    for clip, row, label in zip(clips, values.tolist(), labels.tolist(), strict=True):
        for frame in range(8):
            canvas = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
            for layer in (*row, SHOES_LAYER):
                canvas.alpha_composite(Image.fromarray(pixels[layer, 8 * label + frame], "RGBA"))
            clip[frame] = np.asarray(canvas.convert("RGB"))
    return clips


class ArrayClips:
    """A split of Sprites as one array of float32 in [-1, 1], (N, 8, 3, 64, 64): 393 kB a clip, 3.5 GB for 9,000."""

    def __init__(self, clip_set: Sprites, index: Tensor) -> None:
        """Build from the clips of these numbers."""
        drawn = draw_clips(clip_set, clip_set.groups[index], clip_set.targets["action_view"][index])
        self.clips = torch.from_numpy(drawn.astype(np.float32) / 127.5 - 1).permute(0, 1, 4, 2, 3).contiguous()
        self.action = clip_set.targets["action"][index]

    def batch(self, config: TrainConfig, seed: int, at: int, clip_set: Sprites) -> Batch:
        """The batch that `draw_batch` would give, out of the array."""
        index = order(len(self.clips), config.batch, seed, at)
        start = clip_set.starts(index, generator(seed, "window", at), config.windows)
        pairs = zip(self.clips[index], start.tolist(), strict=True)
        clips = torch.stack([clip.roll(-first, 0) for clip, first in pairs])
        return Batch(clips, self.action[index], (start > 0) & clip_set.cyclic, index)


def score(model: Halo, clip_set: Sprites, index: Tensor, frames: int = 16) -> Scores:
    """Generation from the first frame scored clip by clip, frame by frame; see `evaluate.score_frames`."""
    rows = {"ssim": [], "psnr": [], "mse": []}
    for number in index:
        clip = torch.from_numpy(
            draw_clips(clip_set, clip_set.groups[number][None], clip_set.targets["action_view"][number][None])
        )
        given = (clip.float() / 127.5 - 1).permute(0, 1, 4, 2, 3).to(next(model.parameters()))
        made = model.generate(given, clip_set.targets["action"][number][None].to(given.device), frames)[0]
        made = ((made + 1) / 2).clamp(0, 1).double().detach().cpu().numpy()
        truth = clip[0].permute(0, 3, 1, 2).numpy()[np.arange(frames) % 8] / 255
        error = ((made - truth) ** 2).mean((1, 2, 3))
        pairs = zip(made, truth, strict=True)
        rows["ssim"].append([structural_similarity(a, b, channel_axis=0, data_range=1) for a, b in pairs])
        rows["mse"].append(error)
        rows["psnr"].append(-10 * np.log10(error))
    return {name: np.asarray(row) for name, row in rows.items()}


def save(path: Path, model: nn.Module, optimiser: Optimiser) -> None:
    """A checkpoint by `torch.save`: not hashed, not synced, not atomic."""
    torch.save({"model": model.state_dict(), "optimiser": optimiser.state()}, path)
