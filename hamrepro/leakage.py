"""How well the action can be read off the content, which should not tell it. Paper: Eq. (1): z, u independent."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hamrepro import metrics
from hamrepro.adversary import DRAWS
from hamrepro.aggregate_posterior import posteriors
from hamrepro.baselines.sequential import SequentialVae
from hamrepro.datasets import ClipSet
from hamrepro.errors import ConfigError, NonFiniteError
from hamrepro.gaussian import Gaussian
from hamrepro.halo import Halo
from hamrepro.randomness import generator

CLIPS = 1500  # that readers learn from, at most


def _draws(content: Gaussian, noise: torch.Generator) -> NDArray[np.float32]:
    if not all(bool(part.isfinite().all()) for part in content):
        raise NonFiniteError("a posterior that is NaN or infinite", "finite ones", "look at the weights")
    return content.draws(DRAWS, noise).flatten(0, 1).numpy()


def leakage(
    model: nn.Module, train: ClipSet, test: ClipSet, index: torch.Tensor, label: str = "action", device: str = "cpu"
) -> dict[str, Any]:
    """Entries `leakage/content/<reader>`: accuracy in telling the action from draws of z, as a decoder sees them.

    Readers are `linear` (logistic regression) and `mlp` (two hidden layers), of scikit-learn, fitted to training clips.
    Chance is one over the number of actions; the interval resamples characters or people.

    Args:
        train: at most `CLIPS` of it, drawn at random and always the same. index: clips of `test` (N,).

    Raises:
        ConfigError: a model without a posterior of content. NonFiniteError: one that is not finite.
    """
    from sklearn.linear_model import LogisticRegression  # a second to import, for those who fit
    from sklearn.neural_network import MLPClassifier

    if not isinstance(model, Halo | SequentialVae):
        raise ConfigError(f"content of {type(model).__name__}", "HALO, or a sequential VAE")
    known, noise = torch.randperm(len(train), generator=generator(0, "order"))[:CLIPS], generator(0, "posterior")
    given, asked = (_draws(posteriors(model, *pair, device)[0], noise) for pair in ((train, known), (test, index)))
    told, target = train.targets[label][known].repeat(DRAWS).numpy(), test.targets[label][index]
    readers = {
        "linear": LogisticRegression(max_iter=200),
        "mlp": MLPClassifier((256, 256), alpha=1e-2, max_iter=8, random_state=0),
    }
    found = {}
    for name, reader in readers.items():
        with warnings.catch_warnings():  # eight passes are the recipe; more of them learn the draws by heart
            warnings.filterwarnings("ignore", message="Stochastic Optimizer: Maximum iterations")
            answers = reader.fit(given, told).predict(asked).reshape(DRAWS, -1)
        right = (answers == target.numpy()).T.astype(np.float64)
        found[f"leakage/content/{name}"] = metrics.summary(right, test.groups[index]) | {"draws": DRAWS}
    return found
