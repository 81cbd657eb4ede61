"""Randomness as a function of (seed, stream, step): nothing to save, nothing to restore."""

from __future__ import annotations

import numpy as np
import torch

from hamrepro.errors import ConfigError

STREAMS = (
    "init",  # initial weights
    "order",  # order of the clips; step = epoch
    "window",  # first frame of the training window
    "reference",  # reference frame t of Eq. (11)
    "posterior",  # reparametrisation noise
    "prior",  # draws from the prior at evaluation
    "bootstrap",  # resampling of clips
    "pairing",  # which clip lends its content in a swap
    "augment",  # judges' augmentation
    "faces",  # the procedural renderer of faces
    "content",  # which clips show their content by a single frame
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
