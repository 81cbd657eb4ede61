"""SIGKILL: a training that was killed at random instants ends with the bytes of one that was left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 8
ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
each = pytest.mark.parametrize("precision", ["float32", "bfloat16"])


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kill")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "tests" / "tiny.py"), str(folder), str(KILLS)]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=3000)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


@each
def test_every_kill_killed(killed, precision):
    assert len(killed[precision]["at"]) == KILLS
    assert len(set(killed[precision]["at"])) > 1, "the kills all fell between the same two checkpoints"


@each
def test_weights_buffers_and_optimiser_bytes_are_those_of_a_run_left_alone(killed, precision):
    assert killed[precision]["ends"]
    assert {end["state"] for end in killed[precision]["ends"]} == {killed[precision]["whole"]}


@each
def test_no_logged_step_is_lost_or_repeated(killed, precision):
    assert all(end["rows"] == killed[precision]["rows"] for end in killed[precision]["ends"])


@each
def test_nothing_half_written_is_left(killed, precision):
    assert all(end["left"] == [] for end in killed[precision]["ends"])


def test_precisions_differ(killed):
    assert killed["float32"]["whole"] != killed["bfloat16"]["whole"]


def test_a_save_killed_at_any_call_leaves_the_old_state_or_the_new(killed):
    saves = killed["save"]
    assert len(saves) > 16, "too few calls were found to die at"
    for save in saves:
        assert save["right"] and save["left"] == []
        assert save["step"] == (3 if save["complete"] else 2)
    assert {save["step"] for save in saves} == {2, 3}
