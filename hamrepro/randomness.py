"""Randomness as a function of (seed, stream, step): nothing to save, nothing to restore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from hamrepro.errors import ConfigError

STREAMS = (
    "init",  # initial weights
    "order",  # order of the clips, step = epoch; which of them an evaluation takes
    "window",  # first frame of the training window
    "reference",  # reference frame t of Eq. (11), and those that baselines compare
    "posterior",  # reparametrisation noise; which frames are decoded, of which period
    "prior",  # draws from the prior, at evaluation and in training (Deviation D19)
    "bootstrap",  # resampling of clips
    "pairing",  # which clip lends its content in a swap
    "augment",  # augmentation, of judges and of contrastive baselines
    "faces",  # the procedural renderer of faces
    "content",  # which frames show a clip's content
    "adversary",  # draws of z that the adversary is shown (Deviation D24)
    "shift",  # by how many pixels a clip is moved
)


def generator(seed: int, stream: str, step: int = 0) -> torch.Generator:
    """CPU generator whose whole state is given by its arguments.

    Args:
        seed: the run's seed, >= 0.
        stream: one of `STREAMS`. torch's generator keeps 32 bits of the key, so that two keys of some ten thousands
            may draw the same numbers. `reference` draws the frame t of every clip apart (Deviation D4).
        step: training step, epoch or draw, >= 0.

    Raises:
        ConfigError: unknown stream or a negative number.

    >>> a, b = generator(0, "posterior", 7), generator(0, "posterior", 7)
    >>> bool((torch.randn(3, generator=a) == torch.randn(3, generator=b)).all())
    True
    """
    if stream not in STREAMS:
        raise ConfigError(f"unknown random stream {stream!r}", f"one of {', '.join(STREAMS)}")
    if seed < 0 or step < 0:
        raise ConfigError(f"seed {seed}, step {step}", "both >= 0")
    words = np.random.SeedSequence([seed, STREAMS.index(stream), step]).generate_state(2, np.uint32)
    return torch.Generator().manual_seed((int(words[0]) << 31) ^ int(words[1]))


@contextmanager
def initialising(seed: int) -> Iterator[None]:
    """Within it torch's global generator, which draws first weights, is that of (seed, "init"); then it is as before.

    >>> with initialising(0):
    ...     one = torch.rand(1)
    >>> with initialising(0):
    ...     bool(torch.rand(1) == one)
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(generator(seed, "init").get_state())
        yield
