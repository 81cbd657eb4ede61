"""The MUG folder: every layout a licensee may have, every fault named, nothing written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hamrepro.errors import DataError
from hamrepro.facs.expressions import EXPRESSIONS
from hamrepro.mug import check, licensed_folder
from hamrepro.mug_report import Report


def take(folder: Path, names: list[str] | int = 31) -> Path:
    """A take folder of files that only their names matter of."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in [f"img_{i:04d}.jpg" for i in range(names)] if isinstance(names, int) else names:
        (folder / name).write_bytes(b"\xff\xd8")
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two people, six expressions, two takes."""
    for subject in ("001", "002"):
        for expression in EXPRESSIONS:
            for name in ("take000", "take001"):
                take(tmp_path / "mug" / "subjects3" / subject / expression / name, 3)
    return tmp_path / "mug"


def reasons(report: Report) -> dict[str, str]:
    return {skip.path: skip.reason for skip in report.skipped}


def test_a_clean_tree_is_read_whole(tree: Path) -> None:
    report = check(tree)
    assert report.ok and not report.skipped and not report.notes
    assert (len(report.subjects), len(report.takes), report.frames) == (2, 24, 72)
    assert [t.key for t in report.takes] == sorted(t.key for t in report.takes)
    assert "2 subjects, 24 takes, 72 frames" in next(report.lines())
    assert report.faults == ("2 subjects, not 52",) and list(report.lines())[-1] == "  WRONG: 2 subjects, not 52"


def test_a_whole_folder_has_no_faults(tmp_path: Path) -> None:
    for subject in range(1, 53):
        take(tmp_path / f"subjects3/{subject:03d}" / EXPRESSIONS[subject % 6] / "take000", 2)
    assert check(tmp_path).faults == ()
    take(tmp_path / "subjects3/001/neutral/take000", 2)
    assert check(tmp_path).faults == (), "what the protocol leaves out is no fault"
    take(tmp_path / "subjects3/001/anger/take009", 1)
    assert check(tmp_path).faults == ("1 takes or folders skipped",)


def test_an_expression_nobody_shows_is_a_fault(tmp_path: Path) -> None:
    take(tmp_path / "subjects3/001/anger/take000", 2)
    assert any("no take of disgust, fear" in fault for fault in check(tmp_path).faults)


def test_the_root_may_be_subjects3_itself(tree: Path) -> None:
    assert check(tree / "subjects3") == check(tree)


def test_the_variable_names_the_root(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMREPRO_MUG", str(tree))
    assert licensed_folder() == tree and check() == check(tree)


LAYOUTS: dict[str, tuple[str, list[str], str]] = {
    "session": ("001/session0/anger/take007", ["a_0.jpg", "a_1.jpg"], "001/anger/session0/take007"),
    "session without number": ("001/session/anger/take007", ["a_0.jpg", "a_1.jpg"], "001/anger/session/take007"),
    "frames in the expression": ("009/fear", ["img_0001.jpg", "img_0002.jpg"], "009/fear"),
    "frames in a session's expression": ("009/session1/fear", ["1.jpg", "2.jpg"], "009/fear/session1"),
    "capital letters": ("009/Fear/Take001", ["1.JPG", "2.JPG"], "009/fear/Take001"),
    "jpeg suffix": ("009/fear/take1", ["1.jpeg", "2.JPEG"], "009/fear/take1"),
    "take without number": ("009/fear/take", ["1.jpg", "2.jpg"], "009/fear/take"),
    "subject without padding": ("7/fear/take0", ["1.jpg", "2.jpg"], "7/fear/take0"),
    "several numbers": ("9/fear/take0", ["s9_cam1_0.jpg", "s9_cam1_1.jpg"], "9/fear/take0"),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_layouts_of_licensees(tmp_path: Path, layout: tuple[str, list[str], str]) -> None:
    place, names, key = layout
    take(tmp_path / "subjects3" / place, names)
    report = check(tmp_path)
    assert [t.key for t in report.takes] == [key] and report.frames == 2 and report.ok


@pytest.mark.parametrize("template", ["img_{:04d}.jpg", "img_{}.jpg", "{}.jpg", "frame-{:02d}.jpg", "7_{:d}a.jpg"])
def test_frames_are_ordered_by_number_not_by_name(tmp_path: Path, template: str) -> None:
    names = [template.format(i) for i in (0, 1, 2, 9, 10, 11, 100)]
    take(tmp_path / "subjects3/001/anger/take000", names)
    report = check(tmp_path)
    assert [f.name for f in report.takes[0].frames] == names
    assert "94 frame numbers missing" in report.notes[0]


def unlistable(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner, locked = os.scandir, tree / "subjects3/001/anger/take000"

    def scandir(path: str | os.PathLike[str]) -> object:
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied")
        return inner(path)

    monkeypatch.setattr(os, "scandir", scandir)


def loop(tree: Path, _: pytest.MonkeyPatch) -> None:
    (tree / "subjects3/001/anger/take009").symlink_to(tree / "subjects3/001")


def self_loop(tree: Path, _: pytest.MonkeyPatch) -> None:
    (tree / "subjects3/001/anger/take009").symlink_to(tree / "subjects3/001/anger/take009")


def broken(tree: Path, _: pytest.MonkeyPatch) -> None:
    (tree / "subjects3/001/anger/take009").symlink_to(tree / "nowhere")


def linked(tree: Path, _: pytest.MonkeyPatch) -> None:
    (tree / "subjects3/003").symlink_to(tree / "subjects3/001")


def linked_outside(tree: Path, _: pytest.MonkeyPatch) -> None:
    take(tree / "elsewhere", 31)
    for name in ("take008", "take009"):
        (tree / "subjects3/001/anger" / name).symlink_to(tree / "elsewhere")


def not_text(tree: Path, _: pytest.MonkeyPatch) -> None:
    take(Path(os.fsdecode(os.fsencode(tree / "subjects3/001/anger") + b"/take\xff")), 3)


def two_lines(tree: Path, _: pytest.MonkeyPatch) -> None:
    take(tree / "subjects3/001/anger/take\n9", 3)


def pipe(tree: Path, _: pytest.MonkeyPatch) -> None:
    os.mkfifo(tree / "subjects3/001/anger/take000/img_0003.jpg")


def device(tree: Path, _: pytest.MonkeyPatch) -> None:
    (tree / "subjects3/001/anger/take000/img_0003.jpg").symlink_to("/dev/zero")


def adding(place: str, names: list[str]) -> Callable[[Path, pytest.MonkeyPatch], None]:
    return lambda tree, _: take(tree / "subjects3" / place, names) and None


FAULTS = {
    "neutral": (adding("001/neutral/take000", ["0.jpg", "1.jpg"]), "001/neutral", "no expression", True),
    "end folder": (adding("001/happiness_end/take000", ["0.jpg"]), "001/happiness_end", "no expression", True),
    "end take": (adding("001/anger/take000end", ["0.jpg"]), "001/anger/take000end", "*end*", True),
    "unknown expression": (adding("001/contempt/take000", ["0.jpg"]), "001/contempt", "unknown folder", False),
    "unknown subject": (adding("notes/anger/take000", ["0.jpg"]), "notes", "subject's number", False),
    "unknown take": (adding("001/anger/backup", ["0.jpg"]), "001/anger/backup", "expected take", False),
    "empty expression": (adding("003/anger", []), "003/anger", "empty folder", False),
    "empty person": (adding("003", []), "003", "empty folder", False),
    "frames of a person without a take": (adding("003", ["0.jpg", "1.jpg"]), "003", "2 frames outside a take", False),
    "empty session": (adding("003/session0", []), "003/session0", "empty folder", False),
    "frames in a session": (adding("003/session0", ["0.jpg"]), "003/session0", "1 frames outside a take", False),
    "empty take": (adding("001/anger/take009", []), "001/anger/take009", "0 JPEG frames", False),
    "one frame": (adding("001/anger/take009", ["0.jpg"]), "001/anger/take009", "1 JPEG frames", False),
    "other files only": (adding("001/anger/take009", ["0.png", "1.png"]), "001/anger/take009", "0 JPEG", False),
    "folder in a take": (adding("001/anger/take000/x", ["0.jpg"]), "001/anger/take000/x", "inside a take", False),
    "names that differ in case": (adding("001/Anger/take000", ["0.jpg", "1.jpg"]), "", "a second folder", False),
    "no number": (adding("001/anger/take009", ["a.jpg", "1.jpg"]), "001/anger/take009", "a.jpg has no frame", False),
    "number twice": (adding("001/anger/take009", ["1.jpg", "01.jpg"]), "001/anger/take009", "same frame", False),
    "permission": (unlistable, "001/anger/take000", "cannot be listed: Permission denied", False),
    "loop": (loop, "001/anger/take009", "loop", False),
    "link to itself": (self_loop, "001/anger/take009", "loop", False),
    "broken link": (broken, "001/anger/take009", "broken link", False),
    "one person twice": (linked, "003", "same takes twice", False),
    "one take linked twice": (linked_outside, "001/anger/take009", "same takes twice", False),
    "a name that is no text": (not_text, "001/anger/'take\\udcff'", "no plain text", False),
    "a name of two lines": (two_lines, "001/anger/'take\\n9'", "no plain text", False),
    "a pipe": (pipe, "001/anger/take000/img_0003.jpg", "neither a file nor a folder", False),
    "a device": (device, "001/anger/take000/img_0003.jpg", "neither a file nor a folder", False),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_what_is_left_out_is_listed(tree: Path, monkeypatch: pytest.MonkeyPatch, fault: tuple) -> None:
    damage, place, reason, expected = fault
    damage(tree, monkeypatch)
    report = check(tree)
    assert reason in (reasons(report)[place] if place else "; ".join(reasons(report).values()))
    assert report.ok is expected
    assert len(report.takes) >= 23
    assert any(place in line for line in report.lines())


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "._img_0001.jpg"])
def test_litter_of_operating_systems_is_passed_over(tree: Path, name: str) -> None:
    (tree / "subjects3/001/anger/take000" / name).write_bytes(b"x")
    (tree / "subjects3" / name).write_bytes(b"x")
    assert check(tree).ok and check(tree).frames == 72


def test_other_files_in_a_take_are_noted(tree: Path) -> None:
    (tree / "subjects3/001/anger/take000/landmarks.txt").write_text("x")
    assert "1 files that are no JPEG ignored" in check(tree).notes[0]


def test_files_beside_people_are_noted(tree: Path) -> None:
    (tree / "subjects3/extra.zip").write_bytes(b"x")
    report = check(tree)
    assert report.ok and report.notes == (".: 1 files ignored",)


def test_paths_beyond_ascii(tmp_path: Path) -> None:
    take(tmp_path / "Μουγκ データ é" / "subjects3/001/anger/take000")
    assert check(tmp_path / "Μουγκ データ é").frames == 31


def a_file(root: Path) -> Path:
    root.write_bytes(b"PK")
    return root


def an_empty_folder(root: Path) -> Path:
    root.mkdir()
    return root


def sprite_sheets(root: Path) -> Path:
    (root / "body").mkdir(parents=True)
    (root / "body/0.png").write_bytes(b"x")
    return root


def people_without_takes(root: Path) -> Path:
    (root / "subjects3/001").mkdir(parents=True)
    return root


def only_neutral(root: Path) -> Path:
    take(root / "subjects3/001/neutral/take000")
    return root


def a_link_to_itself(root: Path) -> Path:
    root.symlink_to(root)
    return root


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (lambda root: root, "does not exist"),
        (a_file, "is a file"),
        (an_empty_folder, "holds no take"),
        (sprite_sheets, "holds no take"),
        (people_without_takes, "holds no take"),
        (only_neutral, "001/neutral"),
        (a_link_to_itself, "does not exist"),
    ],
)
def test_what_is_no_mug_folder_is_refused(tmp_path: Path, make: Callable[[Path], Path], given: str) -> None:
    with pytest.raises(DataError, match=given) as error:
        check(make(tmp_path / "root"))
    assert "HAMREPRO_MUG" in error.value.next_step


def test_a_root_that_is_no_text_can_be_printed(tmp_path: Path) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    take(root / "subjects3/001/anger/take000")
    assert "\n".join(check(root).lines()).encode()


def test_a_locked_root_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", locked)
    with pytest.raises(DataError, match="Permission denied"):
        check(tmp_path)


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_unset_variable_says_how_to_get_the_data(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HAMREPRO_MUG", raising=False)
    if value is not None:
        monkeypatch.setenv("HAMREPRO_MUG", value)
    with pytest.raises(DataError, match="licence"):
        check()


def test_nothing_is_written(tree: Path) -> None:
    def state() -> str:
        files = sorted((p.relative_to(tree).as_posix(), p.stat().st_mtime_ns) for p in tree.rglob("*"))
        return hashlib.sha256(repr(files).encode()).hexdigest()

    before = state()
    check(tree)
    assert state() == before


def test_a_person_has_one_folder(tree: Path) -> None:
    take(tree / "subjects3" / "1" / "anger" / "take009", 3)
    take(tree / "subjects3" / "٠٠٢" / "anger" / "take009", 3)
    report = check(tree)
    assert len(report.subjects) == 2 and len(report.takes) == 24
    assert reasons(report)["1"] == "a second folder of person 001" and "unknown folder" in reasons(report)["٠٠٢"]
