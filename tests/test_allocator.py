"""Freed memory stays with the process where the C library can be told so; elsewhere nothing happens."""

from __future__ import annotations

import platform
import subprocess
import sys
import types

import pytest

import hamrepro.allocator as allocator

# 32 MB in small blocks and 64 MB in one: freed and taken again, how many pages does the kernel have to give anew?
PROBE = """
import ctypes, resource, sys
from hamrepro.allocator import keep_freed_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
assert keep_freed_memory(sys.argv[1] == "keep")
def use():
    blocks = [libc.malloc(1 << 20) for _ in range(32)] + [libc.malloc(96 << 20)]
    for block, size in zip(blocks, [1 << 20] * 32 + [96 << 20]):
        ctypes.memset(block, 1, size)
    for block in blocks:
        libc.free(block)
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc")
def test_pages_are_kept():
    def faults_of(word):
        command = [sys.executable, "-c", PROBE, word]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    faults = {word: faults_of(word) for word in ("keep", "usual")}
    assert faults["usual"] > 1_000 and faults["keep"] < 200


@pytest.mark.parametrize("where", ["darwin", "win32"])
def test_elsewhere_nothing_happens(monkeypatch, where):
    monkeypatch.setattr(allocator.sys, "platform", where)
    assert allocator.keep_freed_memory() is False


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(allocator.sys, "platform", "linux")
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: types.SimpleNamespace())
    assert allocator.keep_freed_memory() is False
