"""Disks that fill up, refuse or fail while something is saved: a typed error, and the old state still loads."""

from __future__ import annotations

import errno
import os
import resource
import signal

import pytest
from saved import leftovers, loaded_step, save_step

from hamrepro import checkpoint
from hamrepro.errors import CheckpointError


@pytest.fixture
def folder(tmp_path):
    save_step(tmp_path, 1)
    save_step(tmp_path, 2)
    return tmp_path


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize(
    ("call", "number"), [("fsync", n) for n in range(7)] + [("replace", n) for n in range(4)] + [("mkdir", 0)]
)
def test_a_disk_that_fails_while_saving_leaves_the_old_state(folder, monkeypatch, fault, call, number):
    calls, function = iter(range(1000)), getattr(os, call)

    def failing(*arguments, **options):
        if next(calls) == number:
            raise OSError(fault, os.strerror(fault))
        return function(*arguments, **options)

    monkeypatch.setattr(os, call, failing)
    with pytest.raises(CheckpointError, match="cannot write") as caught:
        save_step(folder, 3)
    assert os.strerror(fault) in str(caught.value)
    monkeypatch.undo()
    assert loaded_step(folder) in (2, 3)  # 3 where only the last word to the disk was lost
    assert leftovers(folder) == []
    save_step(folder, 4)
    assert loaded_step(folder) == 4


@pytest.mark.parametrize("room", [0, 64, 200, 300])
def test_a_full_disk_leaves_the_old_state(folder, room):
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        with pytest.raises(CheckpointError, match="cannot write"):
            save_step(folder, 3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert loaded_step(folder) == 2
    assert leftovers(folder) == []


def test_what_a_killed_process_left_is_swept_by_the_next(folder):
    (folder / ".state-00000003.99.tmp").mkdir()
    (folder / ".state-00000003.99.tmp" / ".meta.json.99.tmp").write_text("{")
    (folder / ".environment.json.99.tmp").write_text("{")
    with checkpoint.lock(folder):
        assert leftovers(folder) == []
    assert loaded_step(folder) == 2


def test_leftovers_that_cannot_be_swept_are_in_nobody_s_way(folder, tmp_path):
    (folder / ".state-00000003.99.tmp").symlink_to(folder / "state-00000001", target_is_directory=True)
    with checkpoint.lock(folder):
        assert loaded_step(folder) == 2
    assert (folder / "state-00000001").exists()


def test_the_lock_ends_with_its_block(folder):
    for _ in range(2):
        with checkpoint.lock(folder), pytest.raises(CheckpointError, match="in use"), checkpoint.lock(folder):
            pass


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "file"
    checkpoint.write_atomically(path, b"old")
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(CheckpointError, match="full"):
        checkpoint.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_content_reaches_the_disk_before_its_name(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        function = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *given, name=name, function=function: (calls.append(name), function(*given))[1]
        )
    checkpoint.write_atomically(tmp_path / "file", b"new")
    assert calls == ["fsync", "replace", "fsync"]
