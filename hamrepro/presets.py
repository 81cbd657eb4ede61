"""The tables of presets, data sets, models and variants, and the settings that three names stand for."""

from __future__ import annotations

from dataclasses import replace
from os.path import abspath, basename
from typing import Any

from hamrepro.config import ModelConfig, RunConfig, TrainConfig
from hamrepro.cycles import (
    BRIEF,
    CONTENT_MMD,
    FIRST_CYCLE,
    LONG,
    NO_MMD,
    ONE_CYCLE,
    RUNNING_AVERAGES,
    SECOND_CYCLE,
    SHORT,
    on_faces,
    on_sprites,
)
from hamrepro.errors import ConfigError

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
# The paper's networks, trained as `laptop` is: for a GPU. A state is a gigabyte, so few are kept on the way.
_FAST_NETWORK = replace(ModelConfig(), contrast=3.0, background=-4.0, log_std=-4.0)
_FAST_TRAINING = replace(_LAPTOP_TRAINING, steps=1200, checkpoint_every=2000)

#    name        network                                 training
PRESETS: dict[str, tuple[ModelConfig, TrainConfig]] = {
    "smoke":    (_SMOKE_NETWORK,                         _SMOKE_TRAINING),
    "laptop":   (_LAPTOP_NETWORK,                        _LAPTOP_TRAINING),
    "fast":     (_FAST_NETWORK,                          _FAST_TRAINING),
    "paper":    (ModelConfig(),                          TrainConfig()),
    "official": (ModelConfig(decoder_widths=(256,) * 4), TrainConfig(betas=(0.5, 0.999), kl_frames="all")),
}  # fmt: skip

IN_CYCLES = ("laptop", "fast")  # of the learning rate: how these presets train HALO, on Sprites and on faces

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

_WIDE = (256, 128, 64, 32, 16)  # channels of a decoder that is wide where pictures are small

# What a data set or a model needs in one preset, or a model on one data set.
SPECIAL: dict[tuple[str, str], dict[str, Any]] = {
    ("sprites-procedural", "laptop"): {"steps": 1000},
    # Faces differ in shape where sprites differ in colour.
    **{
        (faces, "laptop"): {
            "steps": 3600,
            "content": 256,
            "encoder_widths": (16, 32, 64, 64, 16),
            "decoder_widths": _WIDE,
        }
        for faces in ("faces-procedural", "mug")
    },
    # Fewer, dearer steps: every frame is encoded where HALO encodes a window, and C-DSVAE encodes it twice.
    **{
        (model, preset): changes
        for preset in IN_CYCLES
        for model, changes in {
            **{name: {"steps": 1600, "kl_warmup": 0.1} for name in ("dsvae", "dsvae-factorised", "s3vae")},
            "cdsvae": {"steps": 1000, "kl_warmup": 0.1},
            "skd": {"steps": 1600},
            "mocogan": {"learning_rate": 5e-4, "steps": 3000, "batch": 24},
        }.items()
    },
    ("mocogan", "smoke"): {"learning_rate": 5e-4},
    **{("mocogan", dataset): _PER_ACTION_VIEW for dataset in ("sprites", "sprites-procedural")},
}

UNSHIFTED, NARROW, WIDE = "unshifted", "narrow", "wide"

VARIANTS: dict[str, dict[str, Any]] = {
    "u_sym": {"family": "u_sym"},
    "elliptic": {"family": "elliptic"},
    "random-start": {"start": "random"},
    "windows-first": {"windows": "first"},
    "adam": {"optimiser": "adam", "schedule": "one-cycle"},
    FIRST_CYCLE: {},
    SECOND_CYCLE: {},  # the first two
    SHORT: {},  # so, and the second one half as long
    NO_MMD: {},  # and so, without D21
    BRIEF: {},  # a quarter of the first cycle and no second, for ablations
    LONG: {"content_frames": "apart", "content_mmd": CONTENT_MMD},  # a first cycle three times as long, no other
    RUNNING_AVERAGES: {},  # of faces: without D26
    UNSHIFTED: {},  # of faces: one cycle, clips where they are
    NARROW: {"decoder_widths": _LAPTOP_NETWORK.decoder_widths, "steps": 2100},  # and so, with the decoder of sprites
    WIDE: {"decoder_widths": _WIDE},  # of sprites: with the decoder of faces
    ONE_CYCLE: {"decoder_widths": _WIDE},  # so, and all that the later cycles add in the second half of one
    "all-frames": {"decoded_frames": None},
    "content-from-clip": {"content_frames": "clip", "single_frame_content": 0.0},
    "k9": _PER_ACTION_VIEW,
}


OF_LAPTOP = {NARROW, WIDE, ONE_CYCLE}  # variants of this preset alone
OPERATORS = {"u_sym", "elliptic", "random-start"}  # variants of the paper's two families
CYCLE = {FIRST_CYCLE, SECOND_CYCLE, SHORT, NO_MMD}
FRAMES = {"all-frames", "content-from-clip"}  # which of them are decoded, or read for the content
EXCLUSIVE = (  # of each, a run has one at most
    {"u_sym", "elliptic"}, {FIRST_CYCLE, LONG}, CYCLE | {BRIEF},
    CYCLE | {ONE_CYCLE}, {BRIEF, LONG, ONE_CYCLE},
    OF_LAPTOP,
)  # fmt: skip


def _choose(kind: str, name: str, table: dict[str, Any]) -> Any:
    if name not in table:
        raise ConfigError(f"unknown {kind} {name!r}", f"one of {', '.join(table)}", "python -m hamrepro --help")
    return table[name]


def configure(preset: str, dataset: str, model: str, actions: int | None = None) -> RunConfig:
    """Settings of one run by three names; `model` may carry variants (`halo-sp+adam`); `actions` is K of own clips.

    Raises:
        ConfigError: an unknown preset, data set, model or variant; a variant that changes nothing, or contradicts
            another; own clips without K.

    >>> configure("paper", "mug", "halo-u").network.half_dimension
    12
    """
    config, (base, *variants) = _combine(preset, dataset, model, actions), model.split("+")
    for variant in variants:
        without = "+".join([base, *(name for name in variants if name != variant)])
        if _cycles(preset, dataset, model, actions) == _cycles(preset, dataset, without, actions):
            raise ConfigError(f"{model} of {preset} on {dataset}", f"a variant that changes it: not +{variant}")
    return config


def _combine(preset: str, dataset: str, model: str, actions: int | None) -> RunConfig:
    network, training = _choose("preset", preset, PRESETS)
    if dataset.startswith(OWN) and actions is None:
        raise ConfigError(f"{dataset} here", "a data set of tables", f"python -m hamrepro train --dataset {dataset}")
    base, *variants = model.split("+")
    dataset = OWN + basename(abspath(dataset.removeprefix(OWN))) if dataset.startswith(OWN) else dataset
    known = DATASETS | {dataset if dataset.startswith(OWN) else f"{OWN}<folder>": _OWN_CLIPS | {"actions": actions}}
    changes = dict(_choose("data set", dataset, known)) | _choose("model", base, MODELS)
    for pair in ((dataset, preset), (base, preset), (base, dataset)):
        changes |= SPECIAL.get(pair, {})
    for variant in variants:
        changes |= _choose("variant", variant, VARIANTS)
    _require_sense(model, base, variants)
    if changes.get("label") == "action_view" and not dataset.startswith("sprites"):
        raise ConfigError(f"{model} on {dataset}", "a data set with views: sprites or sprites-procedural")
    faces, theirs = dataset.startswith(("faces", "mug")), {NARROW, UNSHIFTED, RUNNING_AVERAGES} & {*variants}
    where = ("laptop",) if NARROW in theirs else IN_CYCLES
    whose = "HALO on faces" if theirs - {NARROW} else "faces"
    if theirs and not (faces and preset in where and (theirs == {NARROW} or base.startswith("halo"))):
        raise ConfigError(f"{model} of {preset} on {dataset}", f"+{min(theirs)} only of {whose}, {' or '.join(where)}")
    if WIDE in variants and (faces or preset != "laptop"):
        raise ConfigError(f"{model} of {preset} on {dataset}", f"+{WIDE} only of laptop; not of faces, which have it")
    if ONE_CYCLE in variants and not (preset == "laptop" and dataset == "sprites" and base.startswith("halo")):
        raise ConfigError(f"{model} of {preset} on {dataset}", f"+{ONE_CYCLE} only of HALO on sprites, laptop")
    if preset == "smoke":
        changes.pop("content", None)
    if dataset.startswith(("faces", "mug", OWN)) and training.windows != "first":
        changes["windows"] = "random"
    network_fields = {key: value for key, value in changes.items() if hasattr(network, key)}
    training_fields = {key: value for key, value in changes.items() if hasattr(training, key)}
    training = replace(training, **training_fields)
    if BRIEF in variants:
        training = replace(training, steps=max(1, training.steps // 4))
    if LONG in variants:
        training = replace(training, steps=3 * training.steps)
    if preset in IN_CYCLES and base.startswith("halo"):
        if training.windows == "cyclic":
            training = on_sprites(training, base, variants)
        elif faces and theirs <= {RUNNING_AVERAGES}:
            training = on_faces(training, base, variants)
    cycles = {SECOND_CYCLE, SHORT, NO_MMD} & {*variants}
    if cycles and (not training.continues or (faces and cycles != {SECOND_CYCLE})):
        where = f"HALO, {' or '.join(IN_CYCLES)}, on sprites or faces; on sprites also after +long, +short and +no-mmd"
        raise ConfigError(f"{model} of {preset} on {dataset}", f"+{SECOND_CYCLE} of {where}")
    return RunConfig(preset, dataset, model, replace(network, **network_fields), training)


def _cycles(preset: str, dataset: str, model: str, actions: int | None) -> list[tuple[ModelConfig, TrainConfig]]:
    """Settings of every cycle of a run, without their names."""
    config = _combine(preset, dataset, model, actions)
    before = config.training.continues
    rest = _cycles(preset, dataset, before, actions) if before else ()
    return [(config.network, replace(config.training, continues="")), *rest]


def _require_sense(model: str, base: str, variants: list[str]) -> None:
    named = {*variants}
    if len(named) < len(variants):
        raise ConfigError(model, "every variant once")
    if clash := [group & named for group in EXCLUSIVE if len(group & named) > 1]:
        raise ConfigError(model, f"one of {', '.join(f'+{name}' for name in sorted(clash[0]))}")
    if any(name in CYCLE and {*variants[number:]} - CYCLE for number, name in enumerate(variants)):
        raise ConfigError(model, f"what says which cycle it is last: {', '.join(sorted(named & CYCLE))}")
    if ("k9" in named and base.partition("-")[0] not in ("halo", "mocogan")) or (base == "mocogan" and named & FRAMES):
        raise ConfigError(model, "variants that change it")
    if (named & OPERATORS and base not in ("halo-sp", "halo-u")) or (LONG in named and not base.startswith("halo")):
        raise ConfigError(model, f"+{min(named & (OPERATORS | {LONG}))} only of HALO with the paper's operators")


def continued(config: RunConfig) -> RunConfig | None:
    """The run whose weights this one begins with (Deviations D19, D24); None where it begins from nothing."""
    name = config.training.continues
    return configure(config.preset, config.dataset, name, config.network.actions) if name else None


def first_cycle(config: RunConfig) -> RunConfig:
    """The run that begins from nothing: what this run continues, or what that does, or itself."""
    before = continued(config)
    return first_cycle(before) if before else config
