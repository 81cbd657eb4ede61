"""Memory that is freed at the end of a step is kept for the next one, where the C library can be told so."""

from __future__ import annotations

import ctypes
import sys

# malloc.h of glibc: largest free top of the heap, growth of the heap, number of allocations with a map of their own.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
KEEP = {M_TRIM_THRESHOLD: -1, M_TOP_PAD: 64 << 20, M_MMAP_MAX: 0}
USUAL = {M_TRIM_THRESHOLD: 64 << 20, M_TOP_PAD: 128 << 10, M_MMAP_MAX: 65536}  # where glibc's own rule ends up


def keep_freed_memory(keep: bool = True) -> bool:
    """Tell glibc to hold on to freed memory instead of giving it back to the kernel, which zeroes it anew each step.

    Activations come and go with every training step; what their page faults cost is measured by `hamrepro bench
    --only levers`. Nothing happens where the C library is another one.

    Args:
        keep: false puts back the usual way.

    Returns:
        Whether it was told.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all([mallopt(option, value) == 1 for option, value in (KEEP if keep else USUAL).items()])
