"""Sheets: the LPC sprite sheets behind the Sprites data, located, verified, fetched. Paper: Section 4.

The sheets are pinned in `data/registry.txt`: one commit, one sha256 per file (Deviation D11). They are read from
`HAMREPRO_LPC`, a folder with body/ hair/ legs/ ..., else from what `fetch` stored.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Sequence
from functools import cache, reduce
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from PIL import Image

from hamrepro.errors import DataError, MissingDataError
from hamrepro.places import DATA, cache_folder, folder_of, read, restore

ATTRIBUTES = ("skin", "pants", "tops", "hair")

# Sheets of each attribute value, 0 to 5; where a value has two, the second is composited over the first.
SHEETS: dict[str, tuple[tuple[str, ...], ...]] = {
    "skin": tuple((f"body/male/{n}.png",) for n in ("light", "tanned2", "darkelf", "darkelf2", "dark", "dark2")),
    "pants": (
        ("legs/pants/male/white_pants_male.png",),
        ("legs/armor/male/golden_greaves_male.png",),
        ("legs/pants/male/red_pants_male.png",),
        ("legs/armor/male/metal_pants_male.png",),
        ("legs/pants/male/teal_pants_male.png",),
        ("formal_male_no_th-sh/pants.png",),
    ),
    "tops": (
        ("torso/shirts/longsleeve/male/maroon_longsleeve.png",),
        ("torso/shirts/longsleeve/male/teal_longsleeve.png",),
        ("torso/shirts/longsleeve/male/white_longsleeve.png",),
        ("torso/plate/chest_male.png",),
        ("torso/leather/chest_male.png",),
        ("formal_male_no_th-sh/shirt.png", "formal_male_no_th-sh/tie.png"),
    ),
    "hair": (
        ("hair/male/messy2/green2.png",),
        ("hair/male/longknot/blue2.png",),
        ("hair/male/messy1/light-blonde.png",),
        ("hair/male/bangs/white.png",),
        ("hair/male/plain/ruby-red.png",),
        ("hair/male/jewfro/purple.png",),
    ),
}
SHOES = ("feet/armor/male/golden_boots_male.png",)
NEEDED = tuple(sheet for values in SHEETS.values() for value in values for sheet in value) + SHOES
NOTICES = ("AUTHORS.txt", "cc-by-sa-3.0.txt", "gpl-3.0.txt")

WIDTH, HEIGHT = 832, 1344  # 13 x 21 cells of 64 pixels
LARGEST = 10_000_000  # bytes of a file: its pixels without compression are 4.5 million
COMMIT = "2668274d5a96c91584172f2d299b90f0a8c0caac"
URL = f"https://raw.githubusercontent.com/jrconway3/Universal-LPC-spritesheet/{COMMIT}/"
REGISTRY = DATA / "registry.txt"
NEXT = "python -m hamrepro data fetch sprites  # and unset HAMREPRO_LPC"

CREDIT = (
    "LPC sprites by Luke Mehl, Johannes Sjölund, Marcel van de Steeg, Manuel Riecke, Thane Brimhall, Matthew Krohn, "
    "Lori Angela Nagel, Lanea Zimmerman (Sharm), Stephen Challener (Redshrike), Daniel Eddeland, Shaun Williams, "
    "Joe White, Mark Weyer, Barbara Rivera, JRConway3, JaidynReiman, Nila122, neo4cat6 and the contributors of the "
    "Liberated Pixel Cup (lpc.opengameart.org); CC-BY-SA 3.0 and GNU GPL 3.0, and so is what shows them."
)


@cache
def registry() -> dict[str, str]:
    """sha256 of every pinned file, by its path in the folder of the sheets.

    Raises:
        DataError: `data/registry.txt` cannot be read, or lacks the hash of a file.
    """
    try:
        lines = REGISTRY.read_text(encoding="utf-8").splitlines()
        listed = dict((line.split()[0], line.split()[1]) for line in lines if line and not line.startswith("#"))
        for path in NEEDED + NOTICES:
            if not re.fullmatch("[0-9a-f]{64}", listed.get(path, "")):
                raise ValueError(f"no hash of {path}")
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{REGISTRY}: {error}", "the list of the sheets' hashes", restore(REGISTRY)) from error
    return listed


def stored() -> Path:
    """Folder where `fetch` keeps the sheets: `HAMREPRO_CACHE`, else in the user's cache."""
    return cache_folder() / f"lpc-{COMMIT[:8]}"


def locate() -> Path:
    """Folder of the sheets: `HAMREPRO_LPC` where it is set, else the store of `fetch`.

    Raises:
        DataError: neither is a folder.
    """
    given = folder_of("HAMREPRO_LPC")
    if given is not None:
        if not os.path.isdir(given):  # pathlib's would raise where it may not look
            raise DataError(
                f"HAMREPRO_LPC={given} is not a folder", "a folder with body/ hair/ legs/ torso/ feet/", NEXT
            )
        return given
    folder = stored()
    if not any(os.path.isfile(folder / path) for path in NEEDED):
        raise MissingDataError(
            f"no LPC sheets: HAMREPRO_LPC is not set and {folder} holds none",
            "a folder with body/ hair/ legs/ torso/ feet/",
            "python -m hamrepro data fetch sprites, or set HAMREPRO_LPC, or use sprites-procedural",
        )
    return folder


def decode(content: bytes, name: str) -> Image.Image:
    """A sheet's PNG as RGBA.

    Raises:
        DataError: not a PNG, truncated, not 832 x 1344, 16-bit, neither RGBA nor a palette with transparency.
    """

    def refuse(given: str) -> DataError:
        return DataError(
            f"{name}: {given}", f"a PNG of {WIDTH} x {HEIGHT} pixels, 8 bits, RGBA or a palette with transparency", NEXT
        )

    if content[:8] != b"\x89PNG\r\n\x1a\n" or len(content) < 25:
        raise refuse(f"not a PNG ({len(content)} bytes)")
    # The header is read by hand: Pillow would decode 16 bits to 8, and a huge picture to memory, without a word.
    width, height, depth = struct.unpack_from(">IIB", content, 16)
    if (width, height) != (WIDTH, HEIGHT):
        raise refuse(f"{width} x {height} pixels")
    if depth > 8:
        raise refuse(f"{depth} bits a channel")
    try:
        Image.open(BytesIO(content), formats=["PNG"]).verify()  # checksums, which loading leaves out
        with Image.open(BytesIO(content), formats=["PNG"]) as image:
            image.load()
            if image.mode != "RGBA" and not (image.mode == "P" and "transparency" in image.info):
                raise refuse(f"mode {image.mode}")
            return image.convert("RGBA")
    except DataError:
        raise
    except Exception as error:  # Pillow's reader raises whatever a damaged file leads it to
        raise refuse(f"damaged PNG ({error})") from error


def pinned(root: Path, path: str) -> bytes:
    """Bytes of one sheet, checked where its path is pinned.

    Raises:
        DataError: missing, not a file, unreadable, damaged, or not the pinned bytes.
    """
    try:
        content = read(root / path, LARGEST)
    except OSError as error:
        raise DataError(f"{root / path}: {error.strerror or error}", "a readable sheet", NEXT) from error
    expected, found = registry().get(path), sha256(content).hexdigest()
    if expected is not None and found != expected:
        decode(content, str(root / path))  # says more where the picture is broken
        raise DataError(f"{root / path}: another picture (sha256 {found})", f"sha256 {expected}", NEXT)
    return content


def verify(root: Path, paths: Sequence[str] = NEEDED) -> None:
    """Compare the sheets with their pinned hashes; some milliseconds.

    Raises:
        DataError: some are missing, damaged or others; all are counted, the first is described.
    """
    if not os.path.isdir(root):
        raise DataError(f"{root} is not a folder", "a folder with body/ hair/ legs/ torso/ feet/", NEXT)
    faults = []
    for path in paths:
        try:
            pinned(root, path)
        except DataError as error:
            faults.append(error)
    if faults:
        more = f" (and {len(faults) - 1} more of {len(paths)} sheets)" if len(faults) > 1 else ""
        raise DataError(faults[0].given + more, faults[0].expected, faults[0].next_step) from faults[0]


def compose(root: Path, paths: tuple[str, ...]) -> Image.Image:
    """The sheet of one layer: RGBA, each path composited over the ones before it.

    Raises:
        DataError: see `pinned` and `decode`.
    """
    images = [decode(pinned(root, path), str(root / path)) for path in paths]
    return reduce(Image.alpha_composite, images)


def fetch(*, extra: bool = False, retries: int = 3, timeout: float = 30.0, progress: bool = True) -> Path:
    """Download the sheets, their credits and licences; files already right are kept, so a stopped fetch goes on.

    Args:
        extra: the pinned sheets outside the data set too.
        retries: further tries per file. timeout: seconds of silence before a try is given up.
        progress: show a bar.

    Returns:
        the folder of the sheets. Its base address can be changed with `HAMREPRO_LPC_URL` (a mirror).

    Raises:
        DataError: no network, a wrong or missing file at the source, no room, or pooch not installed; nothing partial
            is left.
    """
    try:
        import pooch
    except ModuleNotFoundError as error:
        raise DataError("pooch is not installed", "pooch >= 1.8", 'pip install "hamrepro[fetch]"') from error
    from tqdm import tqdm

    folder = stored()
    pooch.get_logger().setLevel("WARNING")
    url = os.environ.get("HAMREPRO_LPC_URL") or URL
    store = pooch.create(path=folder, base_url=url.rstrip("/") + "/", registry=registry(), retry_if_failed=retries)
    wanted = tuple(registry()) if extra else NEEDED + NOTICES
    for path in tqdm(wanted, desc="LPC sheets", unit="file", disable=not progress):
        try:
            store.fetch(path, downloader=pooch.HTTPDownloader(timeout=timeout))
        except PermissionError as error:
            raise DataError(
                f"{folder} cannot be written: {error}", "a folder for the sheets", "set HAMREPRO_CACHE"
            ) from error
        except (OSError, ValueError) as error:
            raise DataError(
                f"{path} could not be fetched from {url}: {error}",
                f"a file with sha256 {registry()[path]}",
                "run the same command again (what is right is kept), or set HAMREPRO_LPC, or use sprites-procedural",
            ) from error
    return folder
