"""Saved states: whatever happens to their files, what is loaded is what was saved, or a typed error."""

from __future__ import annotations

import errno
import json
import os
import pickle
import random
import shutil
import struct
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from saved import CONFIG, leftovers, loaded_step, parts, save_step

from hamrepro import checkpoint
from hamrepro.errors import CheckpointError, NonFiniteError

FILES = ("model.safetensors", "optimiser.safetensors", "meta.json")


@pytest.fixture
def folder(tmp_path):
    save_step(tmp_path, 1)
    save_step(tmp_path, 2)
    return tmp_path


@pytest.fixture
def newest(folder):
    return folder / "state-00000002"


def refuse(state):
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load_state(state, CONFIG)
    assert caught.value.given and caught.value.expected and caught.value.next_step
    assert loaded_step(state.parent) == 1
    return caught.value


def test_round_trip(folder):
    assert loaded_step(folder) == 2
    assert leftovers(folder) == []


def test_nothing_saved_is_none(tmp_path):
    assert checkpoint.load_latest(tmp_path, CONFIG) is None
    for place in ("missing", 300 * "x", 3000 * "x/"):
        assert checkpoint.load_latest(tmp_path / place, CONFIG) is None


def test_the_newest_two_are_kept(folder):
    for step in range(3, 7):
        save_step(folder, step)
    assert sorted(path.name for path in folder.glob("state-*")) == ["state-00000005", "state-00000006"]


@pytest.mark.parametrize("name", ["state-00000001.bak", "state-before", "state-1"])
def test_what_a_person_put_beside_the_states_stays_and_is_no_state(folder, name):
    shutil.copytree(folder / "state-00000001", folder / name)
    save_step(folder, 3), save_step(folder, 4)
    assert loaded_step(folder) == 4
    assert sorted(path.name for path in folder.glob("state-*")) == sorted(["state-00000003", "state-00000004", name])


@pytest.mark.parametrize(("number", "cure"), [(errno.ENOSPC, "free some space"), (errno.EACCES, "choose another")])
def test_a_full_disk_and_a_closed_folder_have_different_cures(number, cure):
    assert cure in checkpoint.unwritable(Path("x"), OSError(number, "why")).next_step


def test_a_damaged_later_state_does_not_push_out_good_earlier_ones(folder):
    save_step(folder, 9)
    (folder / "state-00000009" / "meta.json").write_text("")
    for step in (3, 4, 5):
        save_step(folder, step)
        assert loaded_step(folder) == step
    assert (folder / "state-00000004").exists()


def test_the_same_step_saved_again(folder, newest):
    (newest / "meta.json").unlink()
    save_step(folder, 2)
    assert loaded_step(folder) == 2


def flipped(content, bit):
    altered = bytearray(content)
    altered[bit // 8] ^= 1 << bit % 8
    return bytes(altered)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("trial", range(16))
def test_a_flipped_bit_is_seen(newest, name, trial):
    content = (newest / name).read_bytes()
    (newest / name).write_bytes(flipped(content, random.Random(f"{name}{trial}").randrange(8 * len(content))))
    refuse(newest)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.25, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_seen(newest, name, share):
    content = (newest / name).read_bytes()
    (newest / name).write_bytes(content[: int(share * len(content))])
    refuse(newest)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_file_of_zeros_from_somewhere_on_is_seen(newest, name, share):
    content = (newest / name).read_bytes()
    kept = int(share * len(content))
    (newest / name).write_bytes(content[:kept] + bytes(len(content) - kept))
    refuse(newest)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_seen(newest, name):
    (newest / name).unlink()
    refuse(newest)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_place_of_a_file_is_seen(newest, name):
    (newest / name).unlink()
    (newest / name).mkdir()
    refuse(newest)


def test_a_file_in_place_of_the_folder_is_seen(newest):
    shutil.rmtree(newest)
    newest.write_bytes(b"")
    refuse(newest)


def test_swapped_files_are_seen(newest):
    model, optimiser = newest / "model.safetensors", newest / "optimiser.safetensors"
    model.rename(newest / "aside")
    optimiser.rename(model)
    (newest / "aside").rename(optimiser)
    refuse(newest)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_step_is_seen(newest, name):
    shutil.copy(newest.parent / "state-00000001" / name, newest / name)
    refuse(newest)


def test_a_folder_renamed_to_another_step_is_seen(newest):
    newest.rename(newest.with_name("state-00000007"))
    refuse(newest.with_name("state-00000007"))


def test_other_settings_are_refused(newest):
    with pytest.raises(CheckpointError, match="other settings"):
        checkpoint.load_state(newest, "d" * 64)
    with pytest.raises(CheckpointError, match="none of the 2 states"):
        checkpoint.load_latest(newest.parent, "d" * 64)


def seal(state, **changes):
    """Rewrite the meta of a state so that its own hash is right: what a forger, or an older version, would leave."""
    meta = json.loads((state / "meta.json").read_text()) | changes
    meta["meta_sha256"] = checkpoint._seal(meta)
    (state / "meta.json").write_text(json.dumps(meta))


@pytest.mark.parametrize("number", [None, 0, 1, 99, "2"])
def test_another_format_is_refused(newest, number):
    seal(newest, format=number)
    assert "format" in refuse(newest).given


@pytest.mark.parametrize(
    "content", [b"[]", b"null", b"{}", b"7", b"\xff\xfe", b"[" * 100_000, b'{"format": 2}', b"NaN"]
)
def test_a_meta_that_is_something_else_is_refused(newest, content):
    (newest / "meta.json").write_bytes(content)
    refuse(newest)


@pytest.mark.parametrize("hashes", [None, [], "x", {}, {"model.safetensors": 7}])
def test_meta_without_hashes_is_refused(newest, hashes):
    seal(newest, sha256=hashes)
    refuse(newest)


@pytest.mark.parametrize("key", checkpoint.ORIGIN)
def test_meta_without_its_origin_is_refused(newest, key):
    meta = json.loads((newest / "meta.json").read_text())
    del meta[key]
    (newest / "meta.json").write_text(json.dumps(meta))
    seal(newest)
    assert "origin" in refuse(newest).given


@pytest.mark.parametrize("made", [None, "x", []])
def test_meta_of_no_environment_is_refused(newest, made):
    seal(newest, environment=made)
    refuse(newest)


class Bomb:
    """What a pickle could do, were it unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def headed(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


HOSTILE = {
    "empty": b"",
    "header beyond the file": struct.pack("<Q", 100_000_000) + b"{}",
    "header of 2^63 bytes": struct.pack("<Q", 2**63) + b"{}",
    "header of no JSON": headed(b"not json"),
    "header of deep JSON": headed(b"[" * 50_000),
    "overlapping tensors": headed({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, bytes(12)),
    "a hole": headed({"a": tensor([1], 0, 4), "b": tensor([1], 8, 12)}, bytes(12)),
    "data beyond the file": headed({"a": tensor([100], 0, 400)}, bytes(4)),
    "huge shape": headed({"a": tensor([2**40, 2**40], 0, 4)}, bytes(4)),
    "shape that is not the data": headed({"a": tensor([3], 0, 4)}, bytes(4)),
    "negative shape": headed({"a": tensor([-1], 0, 4)}, bytes(4)),
    "unknown type": headed({"a": tensor([1], 0, 4, "X99")}, bytes(4)),
    "trailing bytes": headed({"a": tensor([1], 0, 4)}, bytes(400)),
    "NaN": save({"weight": torch.tensor([float("nan")])}),
    "infinity": save({"weight": torch.tensor([float("inf")], dtype=torch.float16)}),
    "a zip": b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("kind", [*HOSTILE, "a pickle"])
@pytest.mark.parametrize("name", FILES[:2])
def test_a_hostile_file_with_the_right_hash_is_refused(newest, kind, name, tmp_path):
    content = pickle.dumps(Bomb(tmp_path / "exploded")) if kind == "a pickle" else HOSTILE[kind]
    (newest / name).write_bytes(content)
    hashes = json.loads((newest / "meta.json").read_text())["sha256"]
    seal(newest, sha256=hashes | {name: sha256(content).hexdigest()})
    refuse(newest)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("where", [0, 1])
def test_what_is_not_finite_is_not_saved(folder, value, where):
    both = parts(3)
    next(iter(both[where].values()))[3] = value
    with pytest.raises(NonFiniteError, match="not finite"):
        checkpoint.save_state(folder, 3, *both, {"config_sha256": CONFIG})
    assert loaded_step(folder) == 2
    assert leftovers(folder) == []
