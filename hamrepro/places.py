"""Places on disk that a user names: folders by environment variables, files that may be anything."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from hamrepro.errors import DataError

ROOT = Path(__file__).resolve().parents[1]  # of the checkout, where there is one
DATA = Path(__file__).with_name("data").resolve()  # a link in a checkout, a copy where the package is installed


def folder_of(variable: str) -> Path | None:
    """The folder that an environment variable names, `~` spelt out; None where it is unset or blank.

    Raises:
        DataError: the home of a user there is not.
    """
    given = os.environ.get(variable, "").strip()
    try:
        return Path(given).expanduser() if given else None
    except RuntimeError as error:
        raise DataError(f"{variable}={given}: {error}", "a folder", f"set {variable} to a whole path") from error


def cache_folder() -> Path:
    """Where caches are kept: `HAMREPRO_CACHE`, else the user's cache folder."""
    chosen = folder_of("HAMREPRO_CACHE")
    if chosen is not None:
        return chosen
    try:
        from pooch import os_cache
    except ImportError:
        os_cache = None
    try:
        return Path(os_cache("hamrepro")) if os_cache else Path.home() / ".cache" / "hamrepro"
    except RuntimeError as error:
        raise DataError(f"no home folder: {error}", "a folder for caches", "set HAMREPRO_CACHE") from error


def read(path: Path, at_most: int) -> bytes:
    """The first bytes of a file; a pipe is not waited for, a device or a huge file not read to its end.

    Raises:
        OSError: as `open`.
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        return file.read(at_most) or b""


def read_whole(path: Path) -> bytes:
    """A file whose size is known; of a pipe or a device, which has none, a byte at most.

    Raises:
        OSError: as `open`.
    """
    return read(path, path.stat().st_size + 1)


def restore(path: Path) -> str:
    """The step that brings back a damaged file: what is committed from the repository, what was made here anew."""
    root = DATA.parent
    real = Path(os.path.realpath(path))  # pathlib's would raise at a loop of links
    if real.is_relative_to(DATA):
        name = f"data/{real.relative_to(DATA).as_posix()}"
        listed = ["git", "-C", str(root), "ls-files", "--error-unmatch", "--", name]
        if not (root / ".git").exists():
            return f"copy {shlex.quote(name)} anew from where hamrepro came from"
        try:
            code = subprocess.run(listed, capture_output=True).returncode
        except OSError:
            code = None
        if code == 0:
            where = [] if Path.cwd() == root else ["-C", str(root)]
            return shlex.join(["git", *where, "checkout", "--", name])
        if code != 1:  # not "unknown to it": git is missing, or refuses a folder of another owner
            return f"bring {shlex.quote(name)} back from the repository (git could not be asked)"
    if not path.exists():
        return f"make {shlex.quote(path.name)} again, or take it off its list"
    return f"remove {shlex.quote(str(path))} and run the command again"
