"""Settings of a run, as frozen dataclasses. Paper: Appendix A.3.2."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from json import dumps, loads
from typing import Any

from hamrepro.bounds import among, check, decay, flag, number, numbers, share, text, weight, whole
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
        optimiser: `adam`, or `muon` (Muon on matrices, but H and those that touch pixels; Adam on the rest).
        learning_rate: Adam's. betas: Adam's. scale_learning_rate: Adam's for norms and biases (None: the same).
        muon_learning_rate: Muon's.
        schedule: `constant`, or `one-cycle` (linear warm-up over the first tenth, cosine to zero).
        windows: `first`, frames 1..8; `cyclic`, half of the windows begin at a random phase (Deviation D13);
            `random`, any window of a longer take.
        frames: T of a training window; None: the data set's (Deviation D25).
        shift: pixels by which a clip is moved as a whole, at most, its edges repeated (Deviation D25).
        decoded_frames ... kl_frames, prior_states, periods, content_mmd, content_adversary: see
            `hamrepro.elbo.Estimate`.
        adversary_prior: whether the adversary also has to tell contents from draws of N(0, I) (Deviation D27).
        onset: share of the steps before prior_states, periods, content_adversary and frames `apart` set in (D27).
        kl_warmup: share of the steps over which the KL terms' weight rises to 1 (Deviation D18).
        population_batches: once training is done, the statistics of the batch norms are taken from so many batches; 0:
            they are the running averages of training (Deviation D26).
        continues: the model whose run gives the first weights, same preset, data set and seed (Deviation D19).
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
    frames: int | None = None
    shift: int = 0
    decoded_frames: int | None = None
    kl_frames: str = "reference"
    content_frames: str = "clip"
    single_frame_content: float = 0.0
    kl_warmup: float = 0.0
    prior_states: float = 0.0
    periods: int = 1
    content_mmd: float = 0.0
    content_adversary: float = 0.0
    adversary_prior: bool = False
    onset: float = 0.0
    population_batches: int = 0
    continues: str = ""
    precision: str = "auto"
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        check(self, whole(1), "steps", "checkpoint_every", "periods")
        check(self, whole(2), "batch")  # a batch norm needs two
        check(self, whole(0), "shift", "population_batches")
        check(self, whole(2, optional=True), "frames")
        check(self, whole(1, optional=True), "decoded_frames")
        check(self, number(above=0), "learning_rate", "muon_learning_rate")
        check(self, number(above=0, optional=True), "scale_learning_rate")
        check(self, weight, "content_mmd", "content_adversary")
        check(self, numbers(decay, 2), "betas")
        check(self, share, "single_frame_content", "kl_warmup", "prior_states", "onset")
        check(self, text, "continues")
        check(self, flag, "adversary_prior")
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
        """Hash of the settings, the same for equal ones (1 and 1.0); a checkpoint of another hash is refused."""
        settings = loads(dumps(asdict(self)), parse_int=float)
        return sha256(dumps(settings, sort_keys=True).encode()).hexdigest()
