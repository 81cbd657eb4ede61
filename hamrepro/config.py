"""Settings: frozen dataclasses, one table of presets, one of model variants. Paper: Appendix A.3.2."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from json import dumps, loads
from os.path import abspath, basename
from typing import Any

from hamrepro.bounds import among, check, decay, number, numbers, share, whole
from hamrepro.errors import ConfigError


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the networks of Tables 3, 4, 5; the defaults are the paper's on Sprites. A wrong one is a `ConfigError`.

    Attributes:
        encoder_widths: channels of the five convolutions.
        decoder_widths: channels at the start (4x4 with five entries, 8x8 with four), then of each
            stride-2 transposed convolution; the last layer, to 3 channels, is implied.
        hidden: sizes of the two inner linear layers; the decoder's first is hidden[0].
        features: h. content: |Z|. actions: K. half_dimension: d.
        family, start: see `hamrepro.dynamics.HamiltonianOperators`; families without a Hamiltonian: `linear`, `gru`.
        contrast, background: start of scale and bias of the batch norm before the tanh; the frames are mostly black.
        log_std: start of every posterior's log sigma (Deviation D16).
        label: the target that u is, `action`, or `action_view` (K = 9 on Sprites).
    """

    encoder_widths: tuple[int, ...] = (256,) * 5
    decoder_widths: tuple[int, ...] = (256,) * 5
    hidden: tuple[int, int] = (4096, 2048)
    features: int = 2048
    content: int = 256
    actions: int = 3
    half_dimension: int = 6
    family: str = "sp"
    start: str = "oscillators"
    contrast: float = 1.0
    background: float = 0.0
    log_std: float = 0.0
    label: str = "action"

    def __post_init__(self) -> None:
        check(self, whole(1), "features", "content", "actions", "half_dimension")
        check(self, numbers(whole(1), 5), "encoder_widths")
        check(self, numbers(whole(1), 3, 4, 5, 6), "decoder_widths")
        check(self, numbers(whole(1), 2), "hidden")
        check(self, number(), "contrast", "background", "log_std")
        check(self, among("action", "action_view"), "label")


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained; the defaults are the paper's. Deviation D6 for what it leaves open.

    Attributes:
        steps: number of updates. batch: clips a step.
        optimiser: `adam`, or `muon` (Muon on the matrices of encoder and decoder, Adam on the rest).
        learning_rate: Adam's. betas: Adam's. scale_learning_rate: Adam's for norms and biases (None: the same).
        muon_learning_rate: Muon's.
        schedule: `constant`, or `one-cycle` (linear warm-up over the first tenth, cosine to zero).
        windows: `first`, frames 1..8; `cyclic`, half of the windows begin at a random phase (Deviation D13);
            `random`, any window of a longer take.
        decoded_frames ... kl_frames, prior_states, periods: see `hamrepro.elbo.Estimate`. kl_warmup: share of the
            steps over which the KL terms' weight rises to 1 (Deviation D18).
        precision: `auto` (two-second calibration), `float32`, `bfloat16`. checkpoint_every: steps between checkpoints.
    """

    steps: int = 300_000
    batch: int = 24
    optimiser: str = "adam"
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.9, 0.999)
    scale_learning_rate: float | None = None
    muon_learning_rate: float = 0.02
    schedule: str = "constant"
    windows: str = "first"
    decoded_frames: int | None = None
    kl_frames: str = "reference"
    content_frames: str = "clip"
    single_frame_content: float = 0.0
    kl_warmup: float = 0.0
    prior_states: float = 0.0
    periods: int = 1
    precision: str = "auto"
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        check(self, whole(1), "steps", "checkpoint_every", "periods")
        check(self, whole(2), "batch")  # a batch norm needs two
        check(self, whole(1, optional=True), "decoded_frames")
        check(self, number(above=0), "learning_rate", "muon_learning_rate")
        check(self, number(above=0, optional=True), "scale_learning_rate")
        check(self, numbers(decay, 2), "betas")
        check(self, share, "single_frame_content", "kl_warmup", "prior_states")
        check(self, among("adam", "muon"), "optimiser")
        check(self, among("constant", "one-cycle"), "schedule")
        check(self, among("first", "cyclic", "random"), "windows")
        check(self, among("reference", "all"), "kl_frames")
        check(self, among("clip", "window", "apart"), "content_frames")
        check(self, among("auto", "float32", "bfloat16"), "precision")
        if self.kl_frames == "all" and (self.content_frames, self.single_frame_content) != ("clip", 0.0):
            raise ConfigError("kl_frames 'all' with content from windows or single frames", "content from the clip")
        if self.windows != "cyclic" and (self.prior_states, self.periods) != (0.0, 1):
            raise ConfigError("prior_states or periods without a cycle", "windows 'cyclic', or neither of them")


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run but its seed."""

    preset: str
    dataset: str
    model: str
    network: ModelConfig
    training: TrainConfig

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types, tuples as lists."""
        return loads(dumps(asdict(self)))

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> RunConfig:
        """Back from `as_dict`, or from the card of shipped weights.

        Raises:
            ConfigError: a setting this version does not know.
        """
        try:
            parts = {"network": ModelConfig, "training": TrainConfig}
            made = {
                part: kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in settings[part].items()})
                for part, kind in parts.items()
            }
            return cls(**{name: settings[name] for name in ("preset", "dataset", "model")}, **made)
        except (KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"settings of another version: {error}", "those of RunConfig", "train again") from error

    @property
    def sha256(self) -> str:
        """Hash of the settings; a checkpoint of another hash is refused."""
        return sha256(dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()


_LAPTOP_TRAINING = TrainConfig(
    steps=3000, batch=48, optimiser="muon", learning_rate=2e-3, scale_learning_rate=1e-2, schedule="one-cycle",
    windows="cyclic", decoded_frames=3, content_frames="window", single_frame_content=0.5, kl_warmup=0.6,
)  # fmt: skip
_LAPTOP_NETWORK = ModelConfig(
    encoder_widths=(16, 32, 64, 64, 64), decoder_widths=(64, 64, 64, 32, 16), hidden=(512, 512), features=256,
    contrast=3.0, background=-4.0, log_std=-4.0,
)  # fmt: skip
_SMOKE_NETWORK = replace(
    _LAPTOP_NETWORK, encoder_widths=(8,) * 5, decoder_widths=(8,) * 5, hidden=(64, 64), features=32, content=16
)

_SMOKE_TRAINING = replace(_LAPTOP_TRAINING, steps=30, batch=8, checkpoint_every=10)

#    name        network                                 training
PRESETS: dict[str, tuple[ModelConfig, TrainConfig]] = {
    "smoke":    (_SMOKE_NETWORK,                         _SMOKE_TRAINING),
    "laptop":   (_LAPTOP_NETWORK,                        _LAPTOP_TRAINING),
    "paper":    (ModelConfig(),                          TrainConfig()),
    "official": (ModelConfig(decoder_widths=(256,) * 4), TrainConfig(betas=(0.5, 0.999), kl_frames="all")),
}  # fmt: skip

DATASETS: dict[str, dict[str, Any]] = {
    "sprites": {},
    "sprites-procedural": {},
    "faces-procedural": {"actions": 6, "half_dimension": 12, "content": 512, "contrast": 1.0, "background": 0.0},
    "mug": {"actions": 6, "half_dimension": 12, "content": 512, "contrast": 1.0, "background": 0.0},
}
OWN, _OWN_CLIPS = "own:", {"half_dimension": 12, "contrast": 1.0, "background": 0.0}  # a folder of one's own

MODELS: dict[str, dict[str, Any]] = {
    "halo-sp": {"family": "sp"},
    "halo-u": {"family": "u"},
    "halo-elliptic": {"family": "elliptic"},
    "halo-linear": {"family": "linear"},
    "halo-gru": {"family": "gru"},
    "dsvae": {},
    "dsvae-factorised": {},
    "s3vae": {},
    "cdsvae": {},
    "skd": {},
    "mocogan": {"optimiser": "adam", "betas": (0.5, 0.999), "scale_learning_rate": None},
}

_PER_ACTION_VIEW = {"actions": 9, "label": "action_view"}

# What a data set or a model needs in one preset, or a model on one data set.
SPECIAL: dict[tuple[str, str], dict[str, Any]] = {
    ("sprites-procedural", "laptop"): {"steps": 1000},
    # Fewer, dearer steps: every frame is encoded where HALO encodes a window, and C-DSVAE encodes it twice.
    **{(model, "laptop"): {"steps": 1600, "kl_warmup": 0.1} for model in ("dsvae", "dsvae-factorised", "s3vae")},
    ("cdsvae", "laptop"): {"steps": 1000, "kl_warmup": 0.1},
    ("skd", "laptop"): {"steps": 1600},
    ("mocogan", "laptop"): {"learning_rate": 5e-4, "steps": 3000, "batch": 24},
    ("mocogan", "smoke"): {"learning_rate": 5e-4},
    **{("mocogan", dataset): _PER_ACTION_VIEW for dataset in ("sprites", "sprites-procedural")},
}

VARIANTS: dict[str, dict[str, Any]] = {
    "u_sym": {"family": "u_sym"},
    "elliptic": {"family": "elliptic"},
    "random-start": {"start": "random"},
    "windows-first": {"windows": "first"},
    "adam": {"optimiser": "adam", "schedule": "one-cycle"},
    "prior-states": {"prior_states": 0.3, "periods": 16, "content_frames": "apart", "steps": 2500},
    "all-frames": {"decoded_frames": None},
    "content-from-clip": {"content_frames": "clip", "single_frame_content": 0.0},
    "k9": _PER_ACTION_VIEW,
}


def _choose(kind: str, name: str, table: dict[str, Any]) -> Any:
    if name not in table:
        raise ConfigError(f"unknown {kind} {name!r}", f"one of {', '.join(table)}", "python -m hamrepro --help")
    return table[name]


def configure(preset: str, dataset: str, model: str, actions: int | None = None) -> RunConfig:
    """Settings of one run by three names; `model` may carry variants (`halo-sp+adam`); `actions` is K of own clips.

    Raises:
        ConfigError: an unknown preset, data set, model or variant; own clips without K.

    >>> configure("paper", "mug", "halo-u").network.half_dimension
    12
    """
    network, training = _choose("preset", preset, PRESETS)
    base, *variants = model.split("+")
    dataset = OWN + basename(abspath(dataset.removeprefix(OWN))) if dataset.startswith(OWN) else dataset
    known = DATASETS | {dataset if dataset.startswith(OWN) else f"{OWN}<folder>": _OWN_CLIPS | {"actions": actions}}
    changes = dict(_choose("data set", dataset, known)) | _choose("model", base, MODELS)
    for pair in ((dataset, preset), (base, preset), (base, dataset)):
        changes |= SPECIAL.get(pair, {})
    for variant in variants:
        changes |= _choose("variant", variant, VARIANTS)
    if changes.get("label") == "action_view" and not dataset.startswith("sprites"):
        raise ConfigError(f"{model} on {dataset}", "a data set with views: sprites or sprites-procedural")
    if preset == "smoke":
        changes.pop("content", None)
    if dataset.startswith(("faces", "mug", OWN)) and training.windows != "first":
        changes["windows"] = "random"
    network_fields = {key: value for key, value in changes.items() if hasattr(network, key)}
    training_fields = {key: value for key, value in changes.items() if hasattr(training, key)}
    return RunConfig(preset, dataset, model, replace(network, **network_fields), replace(training, **training_fields))
