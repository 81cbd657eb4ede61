"""Judges: the classifiers that score Table 2, their training, their cards and their gate. Deviation D10."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from hamrepro import checkpoint
from hamrepro.augmentation import soften
from hamrepro.batches import draw_batch, normalise, order
from hamrepro.config import TrainConfig
from hamrepro.datasets import ClipSet
from hamrepro.errors import CheckpointError, JudgeError, ShapeError
from hamrepro.optimiser import Optimiser
from hamrepro.precision import choose_device, choose_precision
from hamrepro.randomness import generator, initialising
from hamrepro.records import WEIGHTS

TRAINING = TrainConfig(steps=1125, batch=32, learning_rate=2e-3, schedule="one-cycle", windows="cyclic")
FURTHEST = 1.1  # of a value from 0 that is still clamped to [-1, 1]
SHARPENING = replace(TRAINING, steps=2000, batch=128)

# What a judge may be asked, and the target of a clip set that answers it. 3way and view are read off the 9-way head.
READINGS = {
    "9way": "action_view", "3way": "action", "view": "view", "6way": "action", "identity": "identity",
    "skin": "skin", "pants": "pants", "tops": "tops", "hair": "hair",
}  # fmt: skip
SPRITES_HEADS = ("9way", "skin", "pants", "tops", "hair")
FACES_HEADS = ("6way", "identity")


def heads_of(clip_set: ClipSet) -> dict[str, int]:
    """Heads of the judge of a data set and their numbers of classes; a `JudgeError` where nothing of it is judged."""
    names = SPRITES_HEADS if "view" in clip_set.targets else FACES_HEADS
    if any(READINGS[name] not in clip_set.targets for name in names):
        raise JudgeError(f"{clip_set.name} has no judge", "Sprites or faces", "python -m hamrepro animate --help")
    return {name: len(clip_set.classes[READINGS[name]]) for name in names}


class Judge(nn.Module):
    """A DCGAN encoder per frame, a bidirectional LSTM over the frames, one small network a head.

    Clips are float (B, T, 3, 64, 64) in [-1, 1]; heads return logits.

    Args:
        heads: name -> number of classes. base: channels of the first convolution.
        features: per frame. hidden: of the LSTM, each way.
    """

    def __init__(self, heads: dict[str, int], base: int = 16, features: int = 128, hidden: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in (base, 2 * base, 4 * base, 8 * base):
            layers += [nn.Conv2d(channels, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width), nn.LeakyReLU(0.2)]
            channels = width
        layers += [nn.Conv2d(channels, features, 4), nn.BatchNorm2d(features), nn.Tanh(), nn.Flatten()]
        self.encoder = nn.Sequential(*layers)
        self.lstm = nn.LSTM(features, hidden, batch_first=True, bidirectional=True)
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes))
                for name, classes in heads.items()
            }
        )
        self.card: dict[str, Any] = {}

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Logits (B, C) of every head."""
        return self.answer(self.features(clips))

    def features(self, clips: Tensor) -> Tensor:
        """Features (B, T, n) of every frame."""
        frames = clips.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return self.encoder(frames).unflatten(0, clips.shape[:2])

    def answer(self, features: Tensor) -> dict[str, Tensor]:
        """Logits (B, C) of every head from the features of the frames (B, T, n)."""
        with torch.autocast(features.device.type, enabled=False):
            _, (last, _) = self.lstm(features.float())
            summary = last.transpose(0, 1).flatten(1)
            return {name: head(summary) for name, head in self.heads.items()}

    @torch.inference_mode()
    def probabilities(self, clips: Tensor) -> dict[str, NDArray[np.float64]]:
        """Class probabilities (B, C) of every reading; 3way and view are sums of the 9-way head's.

        Raises:
            ShapeError: clips of another shape or type, or clearly outside [-1, 1]. JudgeError: in training mode, or an
                answer that is not a number.
        """
        if self.training:
            raise JudgeError("a judge in training mode", "evaluation mode", "judge.eval()")
        if clips.ndim != 5 or clips.shape[2:] != (3, 64, 64) or 0 in clips.shape or not clips.is_floating_point():
            raise ShapeError(
                f"{clips.dtype} clips of shape {tuple(clips.shape)}", "float (B, T, 3, 64, 64), none empty"
            )
        ours = self.lstm.weight_ih_l0
        if (clips.dtype, clips.device) != (ours.dtype, ours.device):
            raise ShapeError(
                f"clips {clips.dtype} on {clips.device}", f"{ours.dtype} on {ours.device}", "clips.to(...)"
            )
        answers = {name: logits.double().softmax(-1) for name, logits in self(clips.clamp(-1, 1)).items()}
        broken = [name for name, answer in answers.items() if not answer.isfinite().all()]
        if broken or not clips.isfinite().all():
            again = "look at the frames: the model that made them may have diverged"
            raise JudgeError(f"not a number in the answers {broken} to these clips", "finite frames and logits", again)
        if (furthest := float(clips.abs().max())) > FURTHEST:
            raise ShapeError(f"clips with values up to {furthest:.3g}", "[-1, 1]", "batches.normalise(clips)")
        if "9way" in answers:
            joint = answers["9way"].unflatten(-1, (3, 3))
            answers |= {"3way": joint.sum(-1), "view": joint.sum(-2)}
        return {name: answer.cpu().numpy() for name, answer in answers.items()}

    def require(self, clip_set: ClipSet) -> None:
        """Refuse to score where the score would mean nothing.

        Raises:
            JudgeError: a judge without a card, of other data, or below its gate.
        """
        named = (self.card.get("dataset"), self.card.get("data_sha256"))
        if named != (clip_set.name, clip_set.sha256):
            raise JudgeError(
                f"a judge of {named[0]} ({str(named[1])[:12]}) for clips of {clip_set.name} ({clip_set.sha256[:12]})",
                "judge and clips of one data set",
                f"python -m hamrepro judge --dataset {clip_set.name}",
            )
        if self.card.get("below_gate"):
            raise JudgeError(
                f"below its gate on real test clips: {'; '.join(self.card['below_gate'])}",
                f"{self.card.get('gate')}",
                "train it longer",
            )


def _cross_entropy(logits: dict[str, Tensor], clip_set: ClipSet, index: Tensor) -> Tensor:
    """Sum over the heads of the mean cross-entropy, nats."""
    targets = {name: clip_set.targets[READINGS[name]][index].to(part.device) for name, part in logits.items()}
    return torch.stack([functional.cross_entropy(logits[name], target) for name, target in targets.items()]).sum()


def train_judge(
    clip_set: ClipSet, *, blur: bool = False, seed: int = 0, device: str = "cpu",
    training: TrainConfig = TRAINING, sharpening: TrainConfig = SHARPENING,
) -> Judge:  # fmt: skip
    """A judge from real clips alone, in two phases: all of it; then, the encoder frozen, the rest (`sharpen`).

    Half of the windows of a cycle begin at a random frame, since motion drawn from a prior has no first frame.

    Returns:
        The judge in evaluation mode, weights of float16 precision.

    Raises:
        JudgeError: the loss became NaN or infinite.
    """
    if not clip_set.cyclic:
        training = replace(training, windows="random")
    place = choose_device(device)
    with initialising(seed):
        judge = Judge(heads_of(clip_set)).to(place)
    low = choose_precision(training.precision, place) == "bfloat16"
    optimiser = Optimiser(judge, training, low)
    quiet = None if sys.stderr.isatty() else True
    for step in tqdm(range(training.steps), desc=f"judge {clip_set.name}", file=sys.stderr, disable=quiet):
        batch = draw_batch(clip_set, training, seed, step, place)
        clips = soften(batch.clips, generator(seed, "augment", step)) if blur else batch.clips
        with torch.autocast(place.type, torch.bfloat16, enabled=low):
            loss = _cross_entropy(judge(clips), clip_set, batch.index)
        if step % 25 == 0 and not loss.isfinite():
            raise JudgeError(f"loss {loss.item()} at step {step}", "a finite loss", "lower the learning rate")
        optimiser.update(loss, step)
    return sharpen(halve(judge.eval()), clip_set, blur=blur, seed=seed, training=sharpening)


def sharpen(
    judge: Judge, clip_set: ClipSet, *, blur: bool = False, seed: int = 0, training: TrainConfig = SHARPENING
) -> Judge:
    """The second phase: the first ends right but unsure, so LSTM and heads are trained on, in seconds, over the frozen
    encoder's features of every frame of a cycle, or of frames 1-16 of takes."""
    place, found = next(judge.parameters()).device, []
    frames = clip_set.frames if clip_set.cyclic else 2 * clip_set.frames
    with torch.no_grad():
        for number, part in enumerate(torch.arange(len(clip_set)).split(training.batch)):
            clips = normalise(clip_set.clips(part, frames=frames).to(place))
            clips = soften(clips, generator(seed, "augment", TRAINING.steps + number)) if blur else clips
            found.append(judge.features(clips))
    features, optimiser = torch.cat(found), Optimiser(nn.ModuleList([judge.lstm, judge.heads]), training)
    for step in range(training.steps):
        index, noise = order(len(clip_set), training.batch, seed, step), generator(seed, "window", step)
        if clip_set.cyclic:
            start = clip_set.starts(index, noise, training.windows)
        else:
            start = torch.randint(frames - clip_set.frames + 1, index.shape, generator=noise)
        columns = (start[:, None] + torch.arange(clip_set.frames)) % frames
        answer = judge.answer(features[index[:, None].to(place), columns.to(place)])
        optimiser.update(_cross_entropy(answer, clip_set, index), step)
    return halve(judge)


def judge_path(dataset: str, blur: bool = False, weights: Path = WEIGHTS) -> Path:
    """data/weights/judges/<dataset>[-blur].safetensors; its card has the suffix .json."""
    return weights / "judges" / f"{dataset}{'-blur' if blur else ''}.safetensors"


def halve(judge: Judge) -> Judge:
    """The judge with its weights rounded to float16, as it is stored and as it must be examined."""
    with torch.no_grad():
        for value in [*judge.parameters(), *judge.buffers()]:
            if value.is_floating_point():
                value.copy_(value.half())
    return judge


def load_judge(dataset: str, blur: bool = False, *, weights: Path = WEIGHTS, device: str = "cpu") -> Judge:
    """A shipped judge in evaluation mode, its card in `card`; `card["sha256"]` names it in every record.

    Raises:
        JudgeError: no such judge, or weights that are not what the card says.
    """
    path = judge_path(dataset, blur, weights)
    command = f"python -m hamrepro judge --dataset {dataset}{' --blur' if blur else ''}"
    try:
        tensors, card = checkpoint.load_weights(path)
        below = card.get("below_gate", [])
        if not isinstance(below, list) or not all(isinstance(reason, str) for reason in below):
            raise TypeError(f"below_gate: {below!r}")
        judge = Judge(card["heads"])
        judge.load_state_dict(tensors)
        judge.card = card
    except (CheckpointError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        given = getattr(error, "given", str(error))
        if isinstance(error, CheckpointError) and path.exists():
            command = error.next_step  # one trained anew is another judge than the records name
        raise JudgeError(f"no usable judge {path.name}: {given}", "weights that match their card", command) from error
    return judge.to(choose_device(device)).eval()
