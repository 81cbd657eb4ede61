"""Protocols A, B, C: whose motion, whose content, and what a judge should then see. Paper: Section 4.1, Table 2.

`A`: motion of a requested action from the prior, content of a real clip (the paper's own).
`A-bank`: for models whose prior takes no request, motion of a training clip of the requested action-view instead.
`A-category`: motion and content from the prior, for a requested action.
`A-fitted`, `B-fitted`: as A and B, the prior fitted after training to what the encoder gives (Deviation D23).
`B`: motion of a real clip, content from the prior (that of the unsupervised literature).
`C`: motion of one real clip, content of another character's or person's.
`I`: content and motion from one real frame, moved by the operator of a requested action (Figures 4, 7, 8).
`R`: reconstruction, a real clip swapped with itself; for the row `ground-truth` the clip itself, the ceiling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hamrepro.batches import normalise
from hamrepro.datasets import ClipSet
from hamrepro.errors import ConfigError, DataError
from hamrepro.judges import READINGS, heads_of
from hamrepro.randomness import generator

VIEWS = 3  # of an action; action-view = 3 action + view


class Protocol(NamedTuple):
    """Where motion and content come from: `prior`, a `fitted` prior, a `real` clip, its first `frame`, a `bank` of
    training clips, an `other` real clip.

    Attributes:
        verb: what the model must be able to do. motion, content: their origins.
    """

    verb: str
    motion: str
    content: str


DRAWN = ("prior", "fitted")
REQUESTED = (*DRAWN, "frame")  # motion that goes with any action one asks for

PROTOCOLS = {
    "A":          Protocol("with_prior_motion", "prior", "real"),
    "A-fitted":   Protocol("with_prior_motion", "fitted", "real"),
    "A-bank":     Protocol("swap", "bank", "real"),
    "A-category": Protocol("sample", "prior", "prior"),
    "B":          Protocol("with_prior_content", "real", "prior"),
    "B-fitted":   Protocol("with_prior_content", "real", "fitted"),
    "C":          Protocol("swap", "real", "other"),
    "I":          Protocol("generate", "frame", "frame"),
    "R":          Protocol("generate", "real", "real"),
}  # fmt: skip


class Task(NamedTuple):
    """What a protocol asks of a model for N clips.

    Attributes:
        motion, content: numbers of the clips that lend motion and content (N,), in the sets they are taken from.
        action: the label u given with the motion (N,).
        balance: class of each clip (N,), of `classes` classes, of which equal counts are scored.
        targets: reading of a judge -> class it should see (N,); `view-of-motion`, `view-of-content` are read as `view`.
        groups: character or person of the clips scored (N,).
    """

    motion: Tensor
    content: Tensor
    action: Tensor
    balance: Tensor
    targets: dict[str, Tensor]
    groups: Tensor
    classes: int

    def take(self, rows: Tensor) -> Task:
        """Some of the clips."""
        parts = (part[rows] for part in (self.motion, self.content, self.action, self.balance))
        return Task(*parts, {k: v[rows] for k, v in self.targets.items()}, self.groups[rows], self.classes)


def label_of(model: nn.Module) -> str:
    """The target that the model's u is: `action`, or `action_view` where every action-view has an operator."""
    return getattr(getattr(model, "config", None), "label", "action")


def supervised(model: nn.Module) -> bool:
    """Whether the model is told u; unsupervised models say `supervised = False`, and their motion holds the view."""
    return getattr(model, "supervised", True)


def balanced(classes: Tensor, count: int, seed: int = 0) -> Tensor:
    """Rows (n,) with equally many of each of `count` classes, in order; which ones is drawn by the seed.

    Raises:
        DataError: a class without a single clip.
    """
    sizes = torch.bincount(classes, minlength=count)
    if len(sizes) > count or not int(sizes.min()):
        given, expected = f"clips per class {sizes.tolist()}", f"one at least of each of {count} classes"
        raise DataError(given, expected, "score the whole test set")
    shuffled = torch.randperm(len(classes), generator=generator(seed, "pairing", 2))
    kept = [shuffled[classes[shuffled] == number][: int(sizes.min())] for number in range(count)]
    return torch.cat(kept).sort().values


def requests(classes: Tensor, groups: Tensor, count: int) -> Tensor:
    """A class to request of every clip (N,): its own plus the rank of its group, modulo `count`.

    Where every group shows every class, each class is requested of each group equally often.
    """
    rank = torch.unique(groups, return_inverse=True)[1]
    return (classes + rank) % count


def partners(groups: Tensor, seed: int) -> Tensor:
    """For every clip another of a different group, each lent once (N,): positions, a derangement of the groups.

    Raises:
        DataError: one group holds more than half of the clips.
    """
    _, member, sizes = torch.unique(groups, return_inverse=True, return_counts=True)
    largest = int(sizes.max())
    if 2 * largest > len(groups):
        raise DataError(f"{largest} of {len(groups)} clips of one character or person", "half of them at most")
    noise = generator(seed, "pairing")
    place = torch.randperm(len(sizes), generator=noise)[member]
    shuffled = torch.randperm(len(groups), generator=noise)
    order = shuffled[place[shuffled].argsort(stable=True)]
    pairs = torch.empty_like(order)
    pairs[order] = order.roll(-largest)
    return pairs


def _of_motion(wanted: Tensor, label: str, view: Tensor | None) -> dict[str, Tensor]:
    """Targets of the readings of motion: from an action-view, or from an action and the view of the content."""
    if label == "action_view":
        return {"9way": wanted, "3way": wanted // VIEWS, "view": wanted % VIEWS}
    if view is not None:
        return {"9way": VIEWS * wanted + view, "3way": wanted, "view": view}
    return {"3way": wanted}


def make_task(
    protocol: str, model: nn.Module, clip_set: ClipSet, index: Tensor, *, seed: int = 0, bank: ClipSet | None = None
) -> Task:
    """What a protocol asks of this model for the clips `index` (N,), before balancing.

    The view is the content's where the model is told an action, the motion's where it is told an action-view or
    nothing; B, R and the bank go by the clip that lends the motion, whatever the model.

    Raises:
        ConfigError: an unknown protocol, or `A-bank` without a bank. DataError: see `partners`.
    """
    if protocol not in PROTOCOLS:
        raise ConfigError(f"unknown protocol {protocol!r}", f"one of {', '.join(PROTOCOLS)}")
    plan, groups = PROTOCOLS[protocol], clip_set.groups[index]
    here = {name: target[index] for name, target in clip_set.targets.items()}
    label, whole = label_of(model), "action_view" if "view" in here else "action"
    told = label if plan.motion in REQUESTED or (plan.content == "other" and supervised(model)) else whole
    wanted = here[told] if plan.motion == "real" else requests(here[told], groups, len(clip_set.classes[told]))
    motion, content, action = index, index, here[label]
    if plan.motion in REQUESTED:
        action = wanted
    elif plan.motion == "bank":
        if bank is None:
            raise ConfigError("protocol A-bank without a bank", "training clips of the same data set")
        motion = _from_bank(bank.targets[told], wanted, seed)
        action = bank.targets[label][motion]
    if plan.content == "other":
        content = index[partners(groups, seed)]
    lent = {name: target[content] for name, target in clip_set.targets.items()} if plan.content not in DRAWN else {}
    targets = {}
    if supervised(model) or plan.motion not in REQUESTED:  # what was not requested cannot be wrong
        targets = _of_motion(wanted, told, lent.get("view")) if "view" in here else {"6way": wanted}
    if lent:
        targets |= {head: lent[READINGS[head]] for head in heads_of(clip_set) if head not in ("9way", "6way")}
    if plan.content == "other" and "view" in here:
        targets |= {"view-of-motion": here["view"], "view-of-content": lent["view"]}
    balance, classes = here[whole], len(clip_set.classes[whole])
    if targets and plan.motion != "real":
        balance = targets.get("9way", wanted)
        classes = classes if "9way" in targets else len(clip_set.classes[told])
    return Task(motion, content, action, balance, targets, groups, classes)


def _from_bank(classes: Tensor, wanted: Tensor, seed: int) -> Tensor:
    chances = torch.rand(len(wanted), generator=generator(seed, "pairing", 3))
    pools = [(classes == number).nonzero()[:, 0] for number in range(int(wanted.max()) + 1)]
    if not all(len(pools[number]) for number in wanted.unique().tolist()):
        raise DataError("a class without training clips", "one at least of each")
    rows = [pools[k][int(c * len(pools[k]))] for k, c in zip(wanted.tolist(), chances.tolist(), strict=True)]
    return torch.stack(rows)


def make_clips(
    protocol: str,
    model: nn.Module,
    task: Task,
    clip_set: ClipSet,
    *,
    frames: int,
    noise: torch.Generator,
    bank: ClipSet | None = None,
    device: str = "cpu",
) -> Tensor:
    """The clips a model makes for a task: float (N, T, 3, 64, 64), about [-1, 1].

    Args:
        frames: T; swaps keep the clips' own length. noise: of the random code.

    Raises:
        ConfigError: the model lacks the verb this protocol needs.
    """
    if missing := lacking(model, protocol):
        raise ConfigError(missing, "a model that can", f"leave out protocol {protocol}")
    plan = PROTOCOLS[protocol]
    call: Callable[..., Tensor] = getattr(model, verb := plan.verb)
    action = task.action.to(device)

    def real(source: ClipSet, numbers: Tensor) -> tuple[Tensor, Tensor]:
        return normalise(source.clips(numbers).to(device)), source.targets[label_of(model)][numbers].to(device)

    if verb == "with_prior_motion":
        return call(*real(clip_set, task.content), action, frames, noise)
    if verb == "sample":
        return call(action, frames, noise)
    if verb == "with_prior_content":
        return call(real(clip_set, task.motion)[0], action, frames, noise)
    if plan.motion == "frame":
        return call(real(clip_set, task.content)[0], action, frames, conditioning="strict")
    if protocol == "R":
        own = real(clip_set, task.motion)
        return model.swap(*own, *own) if hasattr(model, "swap") else call(own[0], action, frames)
    moving = real(bank if plan.motion == "bank" and bank is not None else clip_set, task.motion)
    return call(*moving, *real(clip_set, task.content))


def lacking(model: nn.Module, protocol: str) -> str:
    """Why a model cannot follow a protocol, or "" where it can. A model may give its reasons in `inapplicable`."""
    plan = PROTOCOLS[protocol]
    if not callable(getattr(model, plan.verb, None)):
        return getattr(model, "inapplicable", {}).get(plan.verb, f"{type(model).__name__} has no verb {plan.verb}")
    if plan.motion == "frame" and not supervised(model):
        return "takes no request"
    if "fitted" in plan and not hasattr(model, "draw_state" if plan.motion == "fitted" else "draw_content"):
        return "no posterior of one code a clip to fit"
    return ""
