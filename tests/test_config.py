"""Settings: every name of the tables works, every other is refused, and a hash means the same settings."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamrepro.bounds import among, decay, number, numbers, share, whole
from hamrepro.config import ModelConfig, RunConfig, TrainConfig
from hamrepro.errors import ConfigError
from hamrepro.presets import DATASETS, MODELS, PRESETS, VARIANTS, configure, continued, first_cycle

BASE = configure("smoke", "sprites-procedural", "halo-sp")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("dataset", DATASETS)
def test_every_name_of_the_tables_makes_a_run(preset, dataset):
    for model in MODELS:
        config = configure(preset, dataset, model)
        assert (config.preset, config.dataset, config.model) == (preset, dataset, model)
        assert config.network.half_dimension == (6 if dataset.startswith("sprites") else 12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_changes_the_run_and_what_it_names(variant):
    without = "halo-sp+long" if variant == "second-cycle" else "halo-sp"
    dataset = "faces-procedural" if variant in ("narrow", "unshifted", "running-averages") else "sprites"
    plain, varied = (configure("laptop", dataset, name) for name in (without, f"{without}+{variant}"))
    assert plain.sha256 != varied.sha256
    first = first_cycle(varied).training.steps
    for name, value in VARIANTS[variant].items():
        assert (
            first == value
            if name == "steps"
            else getattr(varied.network if hasattr(varied.network, name) else varied.training, name) == value
        )


def test_variants_add_up():
    config = configure("laptop", "sprites", "halo-u+windows-first+adam")
    assert (config.network.family, config.training.windows, config.training.optimiser) == ("u", "first", "adam")


@pytest.mark.parametrize(
    "names",
    [
        ("tiny", "sprites", "halo-sp"),
        ("", "sprites", "halo-sp"),
        ("laptop", "sprite", "halo-sp"),
        ("laptop", "", "halo-sp"),
        ("laptop", "../sprites", "halo-sp"),
        ("laptop", "sprites", "halo"),
        ("laptop", "sprites", ""),
        ("laptop", "sprites", "HALO-SP"),
        ("laptop", "sprites", "halo-sp+"),
        ("laptop", "sprites", "+adam"),
        ("laptop", "sprites", "halo-sp+fast"),
        ("laptop", "sprites", "halo-sp++adam"),
        ("laptop", "sprites", "halo-sp/../halo-u"),
        ("laptop", "mug", "halo-sp+k9"),
    ],
)
def test_an_unknown_name_is_refused_and_the_known_ones_are_listed(names):
    with pytest.raises(ConfigError) as caught:
        configure(*names)
    assert "sprites" in caught.value.expected or "one of" in caught.value.expected


@pytest.mark.parametrize(
    "names",
    [("laptop", "sprites", "halo-sp+narrow"), ("paper", "mug", "halo-sp+narrow"), ("fast", "mug", "halo-sp+narrow"),
     ("laptop", "sprites", "halo-sp+unshifted"), ("paper", "mug", "halo-sp+unshifted"),
     ("laptop", "sprites", "halo-sp+running-averages"), ("laptop", "mug", "dsvae+unshifted"),
     ("laptop", "faces-procedural", "s3vae+running-averages")],
)  # fmt: skip
def test_variants_of_faces_are_refused_where_they_change_nothing(names):
    with pytest.raises(ConfigError, match=r"narrow|unshifted|running-averages") as caught:
        configure(*names)
    assert "only of" in caught.value.expected and "faces" in caught.value.expected


@pytest.mark.parametrize(
    "names",
    [("laptop", "mug", "halo-sp+wide"), ("fast", "sprites", "halo-u+wide"), ("paper", "sprites", "halo-sp+wide")],
)
def test_the_wide_decoder_is_refused_where_it_would_change_nothing_or_be_narrower(names):
    with pytest.raises(ConfigError, match=r"wide") as caught:
        configure(*names)
    assert "laptop" in caught.value.expected and "faces" in caught.value.expected


@pytest.mark.parametrize(
    "names",
    [("laptop", "sprites-procedural", "halo-sp+one-cycle"), ("laptop", "sprites", "s3vae+one-cycle"),
     ("fast", "sprites", "halo-sp+one-cycle"), ("laptop", "faces-procedural", "halo-u+one-cycle")],
)  # fmt: skip
def test_one_cycle_is_of_one_preset_and_data_set(names):
    with pytest.raises(ConfigError, match="one-cycle") as caught:
        configure(*names)
    assert caught.value.expected == "+one-cycle only of HALO on sprites, laptop"


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("halo-sp+adam+adam", "every variant once"),
        ("halo-sp+u_sym+elliptic", "one of"),
        ("halo-sp+long+brief", "one of"),
        ("halo-sp+first-cycle+second-cycle", "one of"),
        ("halo-sp+short+no-mmd", "one of"),
        ("halo-gru+u_sym", "only of HALO"),
        ("halo-sp+one-cycle+first-cycle", "one of"),
        ("halo-sp+long+one-cycle", "one of"),
        ("halo-sp+wide+one-cycle", "one of"),
        ("dsvae+long", "only of HALO"),
        ("mocogan+k9", "not +k9"),
        ("dsvae+first-cycle", "not +first-cycle"),
        ("halo-sp+brief+first-cycle", "one of"),
        ("halo-sp+first-cycle+wide", "last"),
        ("dsvae+k9", "change"),
        ("mocogan+all-frames", "change"),
    ],
)
def test_variants_that_contradict_one_another_or_change_nothing_are_refused(model, said):
    with pytest.raises(ConfigError) as caught:
        configure("laptop", "sprites", model)
    assert said in caught.value.expected


def test_a_first_cycle_changes_nothing_where_there_is_no_other():
    for preset, dataset in (("paper", "sprites"), ("smoke", "sprites"), ("laptop", "own:x")):
        with pytest.raises(ConfigError, match="first-cycle"):
            configure(preset, dataset, "halo-sp+first-cycle", 3)


def test_one_cycle_is_the_wide_decoder_and_what_later_cycles_add_from_its_middle_on():
    one, wide = (configure("laptop", "sprites", f"halo-u+{name}") for name in ("one-cycle", "wide"))
    assert one.network == wide.network and continued(one) is None
    first, third = first_cycle(wide).training, wide.training
    same = ("periods", "content_frames", "content_adversary", "prior_states")
    added = {name: getattr(third, name) for name in same}
    assert one.training == replace(first, steps=3600, onset=0.5, adversary_prior=True, **added)


def test_wide_is_the_decoder_of_faces_and_nothing_else():
    faces = configure("laptop", "faces-procedural", "halo-sp")
    wide, plain = (configure("laptop", "sprites", name) for name in ("halo-sp+wide", "halo-sp"))
    assert wide.network == replace(plain.network, decoder_widths=faces.network.decoder_widths)
    assert wide.training == replace(plain.training, continues="halo-sp+wide+second-cycle")


def test_the_paper_is_the_default():
    config = configure("paper", "sprites", "halo-sp")
    training = config.training
    assert (training.learning_rate, training.batch, training.betas) == (2e-4, 24, (0.9, 0.999))
    assert (training.optimiser, training.schedule, training.windows) == ("adam", "constant", "first")
    assert config.network.features == 2048 and config.network.content == 256


WRONG = {
    "frames": [0, 1, 8.5, "8", True],
    "shift": [-1, 1.5, "2", None, True],
    "population_batches": [-1, 1.5, "2", None, True],
    "encoder_widths": [(8,) * 4, (8,) * 6, (8, 8, 8, 8, 0), [8] * 5, 8, (8.0,) * 5],
    "decoder_widths": [(), (8,), (8,) * 7, (8, -8, 8)],
    "hidden": [(4,), (4, 4, 4), (4, 0)],
    "features": [0, -1, 1.5, "8", None, True],
    "content": [0],
    "actions": [0],
    "half_dimension": [0, -6],
    "contrast": [float("nan"), "bright"],
    "background": [float("inf")],
    "log_std": [None],
    "label": ["view", None],
    "steps": [0, -5, 2.5],
    "batch": [0, 1, -2],
    "checkpoint_every": [0],
    "decoded_frames": [0, -1, 1.5],
    "learning_rate": [0.0, -1e-3, float("nan"), float("inf"), "fast"],
    "muon_learning_rate": [0.0],
    "scale_learning_rate": [0.0],
    "betas": [(0.9,), (0.9, 1.0), (-0.1, 0.9), 0.9],
    "single_frame_content": [-0.1, 1.1],
    "kl_warmup": [2.0],
    "continues": [None, 3],
    "optimiser": ["sgd", ""],
    "schedule": ["cosine"],
    "windows": ["last"],
    "kl_frames": ["none"],
    "content_frames": ["frame"],
    "prior_states": [-0.1, 1.5],
    "periods": [0, 2.5],
    "onset": [-0.1, 1.5],
    "content_mmd": [-1.0],
    "content_adversary": [-1.0],
    "adversary_prior": [1, None, "yes"],
    "precision": ["float16", "bf16"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_setting_out_of_bounds_is_refused_by_name(name, value):
    part = BASE.network if hasattr(BASE.network, name) else BASE.training
    with pytest.raises(ConfigError, match=f"^{name} = ") as caught:
        replace(part, **{name: value})
    assert caught.value.expected


@pytest.mark.parametrize("change", [{"prior_states": 0.5}, {"periods": 2}])
def test_what_needs_a_cycle_is_refused_without_one(change):
    with pytest.raises(ConfigError, match="without a cycle"):
        replace(TrainConfig(), **change)


def test_every_setting_has_a_bound():
    free = {"family", "start"}  # judged by `hamrepro.free_dynamics.dynamics`, which knows the families
    assert set(WRONG) == {field.name for kind in (ModelConfig, TrainConfig) for field in fields(kind)} - free


ANYTHING = st.one_of(
    st.integers(-3, 70), st.floats(), st.none(), st.text(max_size=5), st.tuples(st.integers(-1, 9), st.integers(-1, 9)),
    st.sampled_from(["adam", "muon", "first", "cyclic", "all", "auto", "bfloat16", "action", "clip", "window"]),
)  # fmt: skip


@settings(max_examples=500)
@given(st.dictionaries(st.sampled_from(sorted(WRONG)), ANYTHING, max_size=3))
def test_any_settings_are_valid_or_refused(changes):
    parts = {"network": BASE.network, "training": BASE.training}
    try:
        made = {
            name: replace(part, **{key: value for key, value in changes.items() if hasattr(part, key)})
            for name, part in parts.items()
        }
    except ConfigError as error:
        assert str(error)
        return
    config = replace(BASE, **made)
    back = RunConfig.from_dict(json.loads(json.dumps(config.as_dict(), allow_nan=False)))
    assert back == config
    assert back.sha256 == config.sha256
    assert (config.sha256 == BASE.sha256) == (config == BASE)


def test_as_dict_is_plain_json():
    assert json.loads(json.dumps(BASE.as_dict())) == BASE.as_dict()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: {},
        lambda d: [],
        lambda d: d | {"network": None},
        lambda d: d | {"network": {"depth": 3}},
        lambda d: d | {"training": d["training"] | {"momentum": 0.9}},
        lambda d: {key: value for key, value in d.items() if key != "preset"},
        lambda d: d | {"training": d["training"] | {"batch": 0}},
    ],
)
def test_settings_of_another_version_are_refused(spoil):
    with pytest.raises(ConfigError):
        RunConfig.from_dict(spoil(BASE.as_dict()))


def test_settings_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        BASE.network.features = 3


def test_the_hash_does_not_hang_on_the_order_of_words(monkeypatch):
    assert configure("smoke", "sprites-procedural", "halo-sp").sha256 == BASE.sha256
    monkeypatch.setitem(MODELS, "other", {})
    assert configure("smoke", "sprites-procedural", "halo-sp").sha256 == BASE.sha256


@pytest.mark.parametrize(
    ("bound", "good", "bad"),
    [
        (whole(2), [2, 9], [1, 2.0, True, "2", None]),
        (whole(2, optional=True), [None, 2], [0]),
        (number(), [-1, 0.5], [float("nan"), float("inf"), None, "1"]),
        (number(above=0), [1e-9, 3], [0, -1]),
        (share, [0, 1, 0.5], [-0.01, 1.01, float("nan"), None]),
        (decay, [0, 0.999], [1]),
        (among("a", "b"), ["a"], ["c", None, 1, ["a"]]),
        (numbers(whole(1), 2, 3), [(1, 2), (1, 2, 3)], [(1,), [1, 2], (1, 0), 5]),
    ],
)
def test_bounds(bound, good, bad):
    assert all(bound.holds(value) for value in good)
    assert not any(bound.holds(value) for value in bad)
