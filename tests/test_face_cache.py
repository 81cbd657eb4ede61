"""The cache of faces: complete or absent, the same bytes after any death."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from face_takes import FOUR, GREY, encoded, photographed, source

from hamrepro import face_cache, places
from hamrepro.errors import DataError
from hamrepro.face_cache import Source, build, code_sha256, crop_take
from hamrepro.face_crops import VARIANTS
from hamrepro.face_manifest import open_frames, read_manifest
from hamrepro.face_sources import drawn_sources, folder_sources, prepare
from hamrepro.facs.renderer import jpeg, render_frames
from hamrepro.mug import check

PAPER = VARIANTS["paper"]
MADE_OF = {"dataset": "mug", "variant": "paper", "made_of": "test"}


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != ".lock"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    build(folder, MADE_OF, FOUR, PAPER, progress=False)
    return folder


def test_the_cache_holds_every_take_and_nothing_else(whole: Path) -> None:
    manifest = read_manifest(whole)
    assert manifest is not None and set(files_of(whole)) == {"frames.npy", "manifest.json"}
    frames = open_frames(whole, manifest)
    assert manifest["sha256"] == face_cache.hashlib.sha256(np.ascontiguousarray(frames).tobytes()).hexdigest()
    for take, line in zip(FOUR, manifest["takes"], strict=True):
        assert line["key"] == take.key
        piece = frames[line["offset"] : line["offset"] + line["frames"]]
        assert np.array_equal(piece, crop_take(take, PAPER)[0])


def test_a_finished_cache_is_not_built_again(whole: Path) -> None:
    def never(_: Sequence[int]) -> Iterable[bytes]:
        raise AssertionError("read again")

    sources = [Source(s.key, s.subject, s.expression, s.length, never) for s in FOUR]
    assert build(whole, MADE_OF, sources, PAPER, progress=False) == read_manifest(whole)


@pytest.mark.parametrize("survived", [0, 1, 3])
@pytest.mark.parametrize("death", [KeyboardInterrupt, MemoryError, SystemExit])
def test_an_interrupted_build_goes_on_with_the_same_bytes(
    survived: int, death: type[BaseException], tmp_path: Path, whole: Path
) -> None:
    def dying(_: Sequence[int]) -> Iterable[bytes]:
        raise death

    sources = [s if i < survived else Source(s.key, s.subject, s.expression, s.length, dying)
               for i, s in enumerate(FOUR)]  # fmt: skip
    with pytest.raises(death):
        build(tmp_path, MADE_OF, sources, PAPER, progress=False)
    assert read_manifest(tmp_path) is None
    assert len(list((tmp_path / "parts").glob("*.npz"))) == survived
    build(tmp_path, MADE_OF, FOUR, PAPER, progress=False)
    assert files_of(tmp_path) == files_of(whole)


def test_death_while_packing_leaves_no_manifest(tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(face_cache.json, "dumps", full)
        with pytest.raises(DataError, match="No space left"):
            build(tmp_path, MADE_OF, FOUR, PAPER, progress=False)
    assert read_manifest(tmp_path) is None
    build(tmp_path, MADE_OF, FOUR, PAPER, progress=False)
    assert files_of(tmp_path) == files_of(whole)


@pytest.mark.parametrize(
    "damage", [lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"PK"),
               lambda path: path.write_bytes(path.read_bytes()[:-200]),
               lambda path: path.write_bytes(path.read_bytes()[:9000] + b"x" + path.read_bytes()[9001:])],
    ids=["empty", "no archive", "cut", "altered"],
)  # fmt: skip
def test_a_damaged_part_is_named(damage: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(face_cache, "_pack", lambda *_: {})
        build(tmp_path, MADE_OF, FOUR[:2], PAPER, progress=False)
    for part in (tmp_path / "parts").iterdir():
        damage(part)
    with pytest.raises(DataError, match=r"damaged .*parts") as error:
        build(tmp_path, MADE_OF, FOUR[:2], PAPER, progress=False)
    assert "remove" in error.value.next_step and read_manifest(tmp_path) is None


def test_a_folder_renamed_meanwhile_stops_the_build_and_back_again_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, away = photographed(tmp_path / "mug"), tmp_path / "away"
    monkeypatch.setenv("HAMREPRO_CACHE", str(tmp_path / "cache"))
    inner = face_cache.face_box

    def renaming(*given: object) -> object:
        if root.exists():
            root.rename(away)
        return inner(*given)

    monkeypatch.setattr(face_cache, "face_box", renaming)
    with pytest.raises(DataError, match="cannot be read"):
        prepare("mug", root=root, progress=False)
    monkeypatch.undo()
    monkeypatch.setenv("HAMREPRO_CACHE", str(tmp_path / "cache"))
    away.rename(root)
    assert [take["key"] for take in prepare("mug", root=root, progress=False)[0]["takes"]] == [t.key for t in FOUR]


def test_a_cache_one_may_not_look_into_is_not_a_finished_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(_: Path, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", locked)
    assert read_manifest(tmp_path) is None


def test_a_disk_full_while_packing_is_named(tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.FileIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    def opened(path: Path, mode: str) -> io.IOBase:
        return Full(path, "w") if path.name.startswith("frames") else open(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(face_cache, "open", opened, raising=False)
        with pytest.raises(DataError, match="No space left") as error:
            build(tmp_path, MADE_OF, FOUR, PAPER, progress=False)
    assert "HAMREPRO_CACHE" in error.value.next_step and read_manifest(tmp_path) is None
    build(tmp_path, MADE_OF, FOUR, PAPER, progress=False)
    assert files_of(tmp_path) == files_of(whole)


KILLED = """
import sys, time
from hamrepro.face_sources import prepare
from hamrepro import face_cache, places
inner = face_cache.crop_take
def slow(*a):
    result = inner(*a); print("take", flush=True); time.sleep(0.3); return result
face_cache.crop_take = slow
prepare("mug", root=sys.argv[1], progress=False)
"""


def test_sigkill_while_caching_then_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = photographed(tmp_path / "Μουγκ é")
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*")}
    monkeypatch.setenv("HAMREPRO_CACHE", str(tmp_path / "killed"))
    environment = os.environ | {"PYTHONPATH": str(Path(face_cache.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(root)], stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() and process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    killed, folder = prepare("mug", root=root, progress=False)
    monkeypatch.setenv("HAMREPRO_CACHE", str(tmp_path / "clean"))
    clean, other = prepare("mug", root=root, progress=False)
    assert process.returncode == -signal.SIGKILL
    assert killed == clean and files_of(folder) == files_of(other)
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*")} == before, "nothing is written where the licence lies"


def test_two_processes_give_the_same_bytes(tmp_path: Path, whole: Path) -> None:
    build(tmp_path, MADE_OF, FOUR, PAPER, workers=2, progress=False)
    assert files_of(tmp_path) == files_of(whole)


def cut(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:90])


def rewritten(folder: Path, change: Callable[[dict], object]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: cut(folder, "frames.npy"),
        lambda folder: cut(folder, "manifest.json"),
        lambda folder: (folder / "frames.npy").unlink(),
        lambda folder: (folder / "frames.npy").write_bytes(b""),
        lambda folder: (folder / "manifest.json").write_text("[]"),
        lambda folder: rewritten(folder, lambda m: m.pop("takes")),
        lambda folder: rewritten(folder, lambda m: m["takes"].pop()),
        lambda folder: rewritten(folder, lambda m: m["takes"][0].update(offset=m["takes"][1]["offset"])),
    ],
)
def test_a_damaged_cache_is_named(damage: Callable[[Path], object], tmp_path: Path, whole: Path) -> None:
    for name, data in files_of(whole).items():
        (tmp_path / name).write_bytes(data)
    assert read_manifest(tmp_path) is not None
    damage(tmp_path)
    with pytest.raises(DataError) as error:
        build(tmp_path, MADE_OF, FOUR, PAPER, progress=False)
    assert "remove" in error.value.next_step


def test_a_set_without_faces_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no face found"):
        build(tmp_path, MADE_OF, [source([encoded(GREY)] * 31)], PAPER, progress=False)
    assert read_manifest(tmp_path) is None


def test_a_take_without_face_is_listed_among_the_others(tmp_path: Path) -> None:
    short = source([encoded(GREY)] * 30, "009/anger/take001")
    sources = [*FOUR, source([encoded(GREY)] * 31, "009/anger/take000"), short]
    manifest = build(tmp_path, MADE_OF, sources, PAPER, progress=False)
    assert [(skip["key"], skip["reason"][:9], skip["expected"]) for skip in manifest["skipped"]] == [
        ("009/anger/take000", "no face f", False), ("009/anger/take001", "too short", True),
    ]  # fmt: skip
    assert len(manifest["takes"]) == len(FOUR)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("HAMREPRO_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="cannot write") as error:
        prepare("mug", root=photographed(tmp_path / "mug"), progress=False)
    assert "HAMREPRO_CACHE" in error.value.next_step


def test_a_frame_that_cannot_be_looked_at_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = check(photographed(tmp_path / "mug"))
    report.takes[1].frames[3].unlink()
    monkeypatch.setattr("hamrepro.face_sources.check", lambda _: report)
    with pytest.raises(DataError, match=r"img_0003\.jpg cannot be read") as error:
        prepare("mug", root=tmp_path / "mug", progress=False)
    assert "data check mug" in error.value.next_step


def test_the_cache_lies_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMREPRO_CACHE", str(tmp_path))
    assert places.cache_folder() == tmp_path
    monkeypatch.delenv("HAMREPRO_CACHE")
    assert "hamrepro" in places.cache_folder().name


def test_code_is_hashed_without_its_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = []
    for text in ('"""Doc."""\nx = 1\n', "# Remark\nx = 1\n", "x = 2\n"):
        package = tmp_path / f"package{len(hashes)}"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "part.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        hashes.append(code_sha256(f"{package.name}.part"))
    assert hashes[0] == hashes[1] != hashes[2]


def test_drawn_takes_equal_the_tree_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = [s for s in drawn_sources((2,)) if s.length < 53][:2]
    write_tree_of(short, tmp_path / "tree")
    stored = folder_sources(check(tmp_path / "tree").takes)
    assert [s.key for s in stored] == [s.key for s in short]
    for drawn, read in zip(short, stored, strict=True):
        (a, line_a), (b, line_b) = crop_take(drawn, PAPER), crop_take(read, PAPER)
        assert np.array_equal(a, b) and line_a == line_b and len(a) >= 25


def write_tree_of(sources: Sequence[Source], root: Path) -> None:
    """Those takes of the stand-in's tree, by its own writer."""
    from hamrepro.facs import tree as trees

    for s in sources:
        person, expression, *session, name = s.key.split("/")
        folder = root.joinpath("subjects3", person, *session, expression, name)
        frames = render_frames(int(person), expression, int(name[4:]))
        trees._write_take(folder, map(jpeg, frames))


@pytest.mark.parametrize("place", [0, 100_000, -1])
def test_frames_that_were_altered_are_refused(whole: Path, tmp_path: Path, place: int) -> None:
    shutil.copytree(whole, tmp_path / "copy")
    frames, manifest = tmp_path / "copy" / "frames.npy", read_manifest(tmp_path / "copy")
    assert manifest is not None
    open_frames(tmp_path / "copy", manifest)
    data = bytearray(frames.read_bytes())
    data[128 + place if place >= 0 else -1] ^= 1
    frames.write_bytes(data)
    with pytest.raises(DataError, match="was altered") as error:
        open_frames(tmp_path / "copy", manifest)
    assert "remove" in error.value.next_step
