"""torchvision, also where torch is a CPU build and the installed torchvision was compiled for CUDA.

Such a pair cannot load torchvision's compiled operators, and registering shape rules for the missing
`nms` then ends the import. Declaring its two schemas is enough for the Python part: `utils`,
`transforms.v2`, `models`, `datasets`. The compiled operators and image codecs stay unavailable.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_libraries: list[object] = []  # a torch Library withdraws its schemas when it is collected


def import_torchvision(submodule: str = "") -> ModuleType:
    """Import torchvision, or one of its submodules, with the missing schemas declared where needed.

    Args:
        submodule: for example "transforms.v2"; empty for the package itself.

    Raises:
        ModuleNotFoundError: torchvision is not installed.
        RuntimeError: torchvision fails for another reason than a missing `nms`.
    """
    name = f"torchvision.{submodule}" if submodule else "torchvision"
    try:
        return importlib.import_module(name)
    except RuntimeError as error:
        # Only after a failure: a build whose operators do load would then define them twice.
        if "torchvision::nms does not exist" not in str(error):
            raise
    for loaded in [module for module in sys.modules if module.partition(".")[0] == "torchvision"]:
        del sys.modules[loaded]
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(operator + _SCHEMA)
    _libraries.append(library)
    return importlib.import_module(name)
