"""Results files: merged, listed with their hash, refused once edited or without origin."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest
from saved import cut_short

from hamrepro import evaluate, places, provenance, records, sha256sums
from hamrepro.errors import CheckpointError, RecordError

NAMES = ("smoke", "sprites", "halo-sp", 0)


def entry(value):
    return {"value": value, "ci95": [value, value], "n": 4}


def result(names=NAMES, metrics=None, origin=None, **more):
    keys = ("preset", "dataset", "model", "seed")
    provenance = dict.fromkeys(records.ORIGIN, "x") | {"config": {}, "weights_sha256": "w"} | (origin or {})
    return (
        dict(zip(keys, names, strict=True))
        | {"metrics": metrics or {"ssim/clip/1-8": entry(0.9)}, "provenance": provenance}
        | more
    )


def write(results, record):
    path = records.record_path(record["preset"], record["dataset"], record["model"], record["seed"], results)
    records.write(path, record, results)
    return path


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


def test_what_was_written_is_read(results):
    write(results, result())
    read = records.read(*NAMES, results)
    assert read == {"schema": records.SCHEMA} | result()
    assert records.faults(results) == []
    assert records.seeds(*NAMES[:3], results) == [0]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_the_list_is_sha256sum_s(results):
    write(results, result(("smoke", "sprites", "halo-u", 3)))
    write(results, result())
    assert os.system(f"cd {results} && sha256sum --check --status SHA256SUMS") == 0
    assert [line.split()[1] for line in (results / "SHA256SUMS").read_text().splitlines()] == [
        "smoke/sprites/halo-sp/seed0.json",
        "smoke/sprites/halo-u/seed3.json",
    ]


def test_evaluations_of_one_run_merge(results):
    write(results, result(subset={"ssim/clip/1-8": entry(0.8)}))
    write(results, result(metrics={"accuracy/A/9way": entry(0.5)}, origin={"judge_sha256": "j"}))
    write(results, result(metrics={"ssim/clip/1-8": entry(0.95)}))
    read = records.read(*NAMES, results)
    assert {key: value["value"] for key, value in read["metrics"].items()} == {
        "ssim/clip/1-8": 0.95,
        "accuracy/A/9way": 0.5,
    }
    assert read["subset"]["ssim/clip/1-8"]["value"] == 0.8
    assert read["provenance"]["judge_sha256"] == "j"


def test_a_metric_that_stays_names_the_commit_it_was_measured_at(results):
    both = {"ssim/clip/1-8": entry(0.9), "ssim/clip/9-16": entry(0.8)}
    write(results, result(metrics=both, subset={"a": entry(0.1)}, origin={"commit": "first"}))
    for made in ("second", "third"):
        write(results, result(metrics={"ssim/clip/1-8": entry(0.95), made: entry(0.5)}, origin={"commit": made}))
    read = records.read(*NAMES, results)
    measured = {key: value.get("commit", read["provenance"]["commit"]) for key, value in read["metrics"].items()}
    assert measured == {"ssim/clip/1-8": "third", "ssim/clip/9-16": "first", "second": "second", "third": "third"}
    assert read["subset"]["a"]["commit"] == "first"


def test_a_record_without_a_commit_is_merged_and_invents_none(results):
    bare = result(metrics={"old": entry(0.9)})
    del bare["provenance"]["commit"]
    write(results, bare)
    write(results, result(metrics={"new": entry(0.5)}))
    assert records.read(*NAMES, results)["metrics"] == {"old": entry(0.9), "new": entry(0.5)}


@pytest.mark.parametrize("key", ["weights_sha256", "data_sha256"])
def test_metrics_of_other_weights_or_data_are_dropped(results, key):
    write(results, result(metrics={"old": entry(1.0)}))
    write(results, result(metrics={"new": entry(1.0)}, origin={key: "other"}))
    assert set(records.read(*NAMES, results)["metrics"]) == {"new"}


@pytest.mark.parametrize(("judge", "kept"), [("one", True), (None, True), ("another", False)])
def test_what_another_judge_said_is_dropped(results, judge, kept):
    metrics = {"ssim/clip/1-8": entry(0.9), "accuracy/A/3way": entry(0.5), "h_y-9-16/A/9way": entry(2.0)}
    write(results, result(metrics=metrics, origin={"judge_sha256": "one"}))
    write(results, result(metrics={"is/C/3way": entry(3.0)}, origin={"judge_sha256": judge} if judge else {}))
    left = records.read(*NAMES, results)["metrics"]
    assert left.keys() == ({*metrics, "is/C/3way"} if kept else {"ssim/clip/1-8", "is/C/3way"})


def test_an_edited_record_is_refused_named_and_never_merged(results):
    path = write(results, result())
    path.write_text(path.read_text().replace("0.9", "0.99"))
    with pytest.raises(RecordError, match="was edited") as caught:
        records.read(*NAMES, results)
    assert caught.value.next_step.startswith(f"remove {path} and run the command again; or remove it")
    assert len(records.faults(results)) == 1
    with pytest.raises(RecordError, match="was edited"):
        write(results, result())


def test_one_more_blank_is_an_edit(results):
    path = write(results, result())
    path.write_text(path.read_text() + " ")
    assert len(records.faults(results)) == 1


def test_an_unlisted_record_is_a_fault(results):
    path = write(results, result())
    (results / "SHA256SUMS").unlink()
    assert "not listed" in records.faults(results)[0]
    assert path.exists()


@pytest.mark.parametrize("name", ["smoke/sprites/halo-sp/seed0.json", "bench/cpu.json"])
def test_a_listed_file_that_is_gone_is_a_fault(results, name):
    write(results, result())
    path = results / name
    records.write(path, result(), results)
    assert records.faults(results) == []
    path.unlink()
    assert name in records.faults(results)[0]


def test_a_listed_file_beside_the_records_may_not_be_edited(results):
    records.write(results / "bench" / "cpu.json", result(), results)
    (results / "bench" / "cpu.json").write_text("{}")
    assert "edited" in records.faults(results)[0]


def test_a_missing_record_names_the_command_that_makes_it(results):
    with pytest.raises(RecordError, match="no record") as caught:
        records.read(*NAMES, results)
    assert (
        caught.value.next_step
        == "python -m hamrepro evaluate --preset smoke --dataset sprites --model halo-sp --seed 0"
    )


@pytest.mark.parametrize(("place", "other"), [(0, "laptop"), (1, "mug"), (2, "halo-u"), (3, 1)])
def test_a_record_in_the_place_of_another_is_refused(results, place, other):
    names = tuple(other if number == place else name for number, name in enumerate(NAMES))
    path = records.record_path(*NAMES, results)
    records.write(path, result(names), results)
    with pytest.raises(RecordError, match="says"):
        records.read(*NAMES, results)
    assert len(records.faults(results)) == 1


@pytest.mark.parametrize("key", records.ORIGIN)
@pytest.mark.parametrize("value", [None, ""])
def test_a_record_without_origin_is_refused(results, key, value):
    write(results, result(origin={key: value}))
    with pytest.raises(RecordError, match=f"lacks its origin: {key}"):
        records.read(*NAMES, results)
    assert key in records.faults(results)[0]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000, b'{"schema": 0, "metrics": {}, "provenance": {}}',
                b'{"schema": 1, "metrics": [], "provenance": {}}',
                b'{"schema": 1, "metrics": {}, "subset": [1], "provenance": {}}',
                b'{"schema": 1, "metrics": {}}', b'{"schema": 1']
)  # fmt: skip
def test_what_is_no_record_is_refused(results, content):
    path = write(results, result())
    path.write_bytes(content)
    for use in (lambda: records.read(*NAMES, results), lambda: write(results, result())):
        with pytest.raises(RecordError, match="no results file"):
            use()
    assert len(records.faults(results)) == 1


@pytest.mark.parametrize(
    "wrong",
    [0.9, None, [], {}, {"value": 0.9}, {"value": 0.9, "ci95": [0.8, 1.0]}, entry("high"), entry([]),
     entry(0.9) | {"ci95": []}, entry(0.9) | {"ci95": "to"}, entry(0.9) | {"n": None}],
)  # fmt: skip
@pytest.mark.parametrize("part", ["metrics", "subset"])
def test_what_is_no_metric_is_refused(results, part, wrong):
    write(results, result(**{part: {"ssim/clip/1-8": wrong}}))
    with pytest.raises(RecordError, match="ssim/clip/1-8 is no metric"):
        records.read(*NAMES, results)
    assert len(records.faults(results)) == 1


def test_a_listed_metric_that_is_no_number_is_refused(results, monkeypatch):
    monkeypatch.setattr(records, "as_text", lambda record, name: json.dumps(record))
    write(results, result(metrics={"ssim/clip/1-8": entry(float("nan"))}))
    with pytest.raises(RecordError, match="ssim/clip/1-8 is no metric"):
        records.read(*NAMES, results)


@pytest.mark.parametrize("kind", ["no text", "a folder"])
def test_a_list_of_hashes_that_cannot_be_read_is_named(results, kind):
    write(results, result())
    (results / "SHA256SUMS").unlink()
    (results / "SHA256SUMS").write_bytes(b"\xff\xfe") if kind == "no text" else (results / "SHA256SUMS").mkdir()
    for use in (
        lambda: records.read(*NAMES, results),
        lambda: records.faults(results),
        lambda: write(results, result()),
    ):
        with pytest.raises(RecordError, match="SHA256SUMS cannot be read") as caught:
            use()
        assert "SHA256SUMS and run" in caught.value.next_step


def test_a_record_one_may_not_read_is_a_fault(results, monkeypatch):
    write(results, result())

    def locked(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(
        sha256sums, "read_whole", lambda path: locked(path) if path.suffix == ".json" else path.read_bytes()
    )
    assert "cannot be read: Permission denied" in records.faults(results)[0]


@pytest.mark.parametrize(
    "names", [("smoke", "sprites", "halo-sp" + 60 * "+adam", 0), ("smoke", "sprites", "x", 10**300)]
)
def test_a_name_too_long_for_a_file_has_no_record(results, names):
    with pytest.raises(RecordError, match="no record"):
        records.read(*names, results)


def test_results_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot write"):
        write(tmp_path / "file" / "results", result())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_recorded(results, value):
    path = write(results, result())
    before = path.read_bytes()
    with pytest.raises(RecordError, match="NaN or infinite"):
        write(results, result(metrics={"psnr/clip/1-8": entry(value)}))
    assert path.read_bytes() == before and records.faults(results) == []


def test_a_strange_name_is_a_fault_not_a_crash(results):
    write(results, result())
    (results / "smoke" / "sprites" / "halo-sp" / "seedX.json").write_text("{}")
    assert len(records.faults(results)) == 1
    assert records.seeds(*NAMES[:3], results) == [0]


def test_no_records_at_all_are_a_fault(results):
    assert records.faults(results) != []
    assert records.seeds(*NAMES[:3], results) == []


def test_evaluations_side_by_side_lose_no_line(results):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda seed: write(results, result((*NAMES[:3], seed))), range(8)))
    assert records.seeds(*NAMES[:3], results) == list(range(8))
    assert records.faults(results) == []


def test_origin_says_which_code(monkeypatch):
    made = provenance.origin(config={"a": 1})
    assert made["config"] == {"a": 1} and len(made["source_sha256"]) == 64 and made["created"].endswith("+00:00")
    assert made["commit"]
    monkeypatch.setattr(provenance.subprocess, "run", lambda *words, **_: (_ for _ in ()).throw(OSError("no git")))
    assert provenance.commit() == "unknown"


def test_a_strangers_repository_lends_no_commit(tmp_path, monkeypatch):
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-mx"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert provenance.commit() == "unknown"


def test_paths_are_those_of_the_design(tmp_path):
    assert records.record_path(*NAMES, tmp_path) == tmp_path / "smoke/sprites/halo-sp/seed0.json"
    assert records.weights_path(*NAMES, tmp_path) == tmp_path / "smoke-sprites-halo-sp-seed0.safetensors"


def test_a_file_that_is_something_else_is_not_replaced(results, tmp_path):
    other, kind = tmp_path / "notes.json", tmp_path / "bench.json"
    other.write_text("{}")
    kind.write_text(json.dumps({"schema": 1, "kind": "bench", "metrics": {}, "provenance": {}}))
    for path in (other, kind):
        before = path.read_bytes()
        with pytest.raises(RecordError, match=r"no results file|something else"):
            records.write(path, result())
        assert path.read_bytes() == before


def test_every_file_must_be_listed(results):
    write(results, result())
    (results / "bench").mkdir()
    (results / "bench" / "a-machine.json").write_text("{}")
    assert len(records.faults(results)) == 1 and "a-machine" in records.faults(results)[0]


def test_the_committed_records_are_whole():
    assert records.faults() == []


def test_records_are_text_one_can_read(results):
    text = write(results, result()).read_text()
    assert text.endswith("\n") and json.loads(text)["schema"] == records.SCHEMA and len(text.splitlines()) > 10


COMMITTED = sorted(records.RESULTS.glob("*/*/*/seed*.json"))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: "/".join(path.parts[-4:]))
def test_a_committed_record_of_table_1_has_every_key_that_is_compared_with_it(path):
    record = json.loads(path.read_text())
    metrics = ["ssim", "psnr", "mse"] + ["ssim-gain"] * record["dataset"].startswith("faces")
    conditionings = ("clip",) if record["model"] in evaluate.TRIVIAL else evaluate.CONDITIONINGS
    wanted = {"/".join(key) for key in product(metrics, conditionings, evaluate.SPANS)}
    for part in ("metrics", "subset"):
        if any(key.startswith(("ssim/clip", "ssim/strict")) for key in record.get(part, {})):
            assert wanted <= set(record[part]), part


@pytest.mark.parametrize("cut", range(3))
@pytest.mark.parametrize("there", [False, True])
def test_a_write_cut_short_leaves_the_old_record_or_the_new_one_and_both_go_on(results, monkeypatch, there, cut):
    path = records.record_path(*NAMES, results)
    if there:
        write(results, result(metrics={"old": entry(0.5)}))

    monkeypatch.setattr(sha256sums, "write_atomically", cut_short(sha256sums.write_atomically, cut))
    with pytest.raises(KeyboardInterrupt):
        write(results, result(metrics={"new": entry(0.9)}))
    monkeypatch.undo()
    assert path.exists() is (there or cut == 2)
    if path.exists():
        assert ("new" in records.read(*NAMES, results)["metrics"]) is (cut == 2)
    write(results, result(metrics={"new": entry(0.9)}))
    assert records.read(*NAMES, results)["metrics"].keys() == ({"old", "new"} if there else {"new"})
    assert len((results / "SHA256SUMS").read_text().splitlines()) == 1 and not records.faults(results)


def test_room_for_a_record_is_asked_for_before_the_work(tmp_path, results):
    names = dict(zip(("preset", "dataset", "model", "seed"), NAMES, strict=True))
    records.require_room(tmp_path / "new" / "folder" / "out.json", names)
    path = write(results, result())
    records.require_room(path, names, results)
    with pytest.raises(RecordError, match="something else"):
        records.require_room(path, names | {"seed": 1}, results)
    path.write_text(path.read_text() + " ")
    with pytest.raises(RecordError, match="was edited"):
        records.require_room(path, names, results)
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", Path("/dev/full"), Path("/dev/null"), tmp_path):
        with pytest.raises(RecordError, match="is no file") as caught:
            records.require_room(place, names)
        assert caught.value.next_step == "another --out"
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "at" / "all")
    for folder in ("file", "link"):
        with pytest.raises(CheckpointError, match="cannot write"):
            records.require_room(tmp_path / folder / "out.json", names)
    records.require_room(tmp_path / f"{248 * 'a'}.json", names)
    with pytest.raises(RecordError, match="among the records"):
        records.require_room(records.RESULTS / "any" / "new.json", names)


@pytest.mark.parametrize(
    "line",
    ["", "x  y", f"{64 * 'a'}", f"{64 * 'a'} one-blank", "<<<<<<< HEAD",
     f"{64 * '0'}  /etc/passwd", f"{64 * '0'}  ../x.json", f"{64 * '0'}  a\0b"],
)  # fmt: skip
def test_a_list_of_hashes_with_a_torn_line_is_named_before_the_work(results, line):
    path = write(results, result())
    names = {"preset": "smoke", "dataset": "sprites", "model": "halo-sp", "seed": 0}
    with open(results / "SHA256SUMS", "a") as file:
        file.write(f"{line}\n")
    if line:
        for place in (path, path.with_name("seed9.json")):
            with pytest.raises(RecordError, match="SHA256SUMS"):
                records.require_room(place, names, results)
    else:
        records.require_room(path, names, results)


def test_what_another_blurred_judge_said_is_dropped_alone(results):
    metrics = {"accuracy/C/skin": entry(0.5), "accuracy-blur/C/skin": entry(0.6)}
    write(results, result(metrics=metrics, origin={"judge_sha256": "j", "judge_blur_sha256": "old"}))
    write(results, result(metrics={"new": entry(1.0)}, origin={"judge_sha256": "j", "judge_blur_sha256": "new"}))
    assert records.read(*NAMES, results)["metrics"].keys() == {"accuracy/C/skin", "new"}


def test_looking_for_room_leaves_what_is_there(tmp_path):
    (tmp_path / ".trial").write_text("mine")
    records.require_room(tmp_path / "new.json", {"kind": "bench"})
    assert [path.name for path in tmp_path.iterdir()] == [".trial"] and (tmp_path / ".trial").read_text() == "mine"


def test_a_link_to_itself_is_no_place_for_a_record(tmp_path):
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    records.require_room(tmp_path / "loop.json", {"kind": "bench"})
    records.write(tmp_path / "loop.json", result())
    assert json.loads((tmp_path / "loop.json").read_text())["schema"] == records.SCHEMA


def test_what_the_blurred_judge_said_outlives_another_judge(results):
    metrics = {"accuracy/C/skin": entry(0.5), "accuracy-blur/C/skin": entry(0.6), "is-blur/C/3way": entry(2.0)}
    write(results, result(metrics=metrics, origin={"judge_sha256": "old", "judge_blur_sha256": "b"}))
    write(results, result(metrics={"new": entry(1.0)}, origin={"judge_sha256": "new", "judge_blur_sha256": "b"}))
    kept = {"accuracy-blur/C/skin", "is-blur/C/3way", "new"}
    assert records.read(*NAMES, results)["metrics"].keys() == kept


def test_a_reader_beside_a_writer_reads_the_old_record_or_the_new_one(results, monkeypatch):
    path, real = write(results, result()), sha256sums.sums

    def then_written(place):
        found = real(place)
        monkeypatch.setattr(sha256sums, "sums", real)
        write(results, result(metrics={"new": entry(0.5)}))
        return found

    monkeypatch.setattr(sha256sums, "sums", then_written)
    sha256sums.require_unedited(path, results)


def test_two_files_of_one_s_own_are_written_in_turn(tmp_path, monkeypatch):
    real, out = records.as_text, tmp_path / "out.json"
    records.write(out, result(metrics={"first": entry(0.1)}))
    others = []

    def slow(record, name):
        if not others:
            others.append(ThreadPoolExecutor(1).submit(records.write, out, result(metrics={"second": entry(0.2)})))
            time.sleep(0.2)
        return real(record, name)

    monkeypatch.setattr(records, "as_text", slow)
    records.write(out, result(metrics={"third": entry(0.3)}))
    others[0].result()
    assert json.loads(out.read_text())["metrics"].keys() == {"first", "second", "third"}


def test_what_is_committed_comes_back_from_the_repository_and_the_rest_is_made_anew(tmp_path, monkeypatch):
    (tmp_path / "a b.json").touch()
    assert places.restore(tmp_path / "a b.json") == f"remove '{tmp_path}/a b.json' and run the command again"
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(places, "DATA", tmp_path / "data")
    committed, new = tmp_path / "data" / "x y.json", tmp_path / "data" / "new.json"
    committed.write_text(""), new.write_text("")
    assert places.restore(committed).startswith("copy 'data/x y.json' anew")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "add", str(committed)], check=True)
    assert places.restore(new) == f"remove {new} and run the command again"
    assert places.restore(committed) == f"git -C {tmp_path} checkout -- 'data/x y.json'"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    assert places.restore(tmp_path / "link" / "x y.json") == "git checkout -- 'data/x y.json'"


def test_where_git_cannot_be_asked_nothing_is_said_to_be_removed(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir(), (tmp_path / ".git").mkdir()  # one that git refuses
    monkeypatch.setattr(places, "DATA", tmp_path / "data")
    (tmp_path / "data" / "x.json").write_text("")
    assert "back from the repository" in places.restore(tmp_path / "data" / "x.json")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "back from the repository" in places.restore(tmp_path / "data" / "x.json")


def test_what_is_not_there_is_not_to_be_removed(tmp_path):
    assert places.restore(tmp_path / "gone.json") == "make gone.json again, or take it off its list"


@pytest.mark.parametrize("stray", ["seed00.json", "seed000.json", "seed٣.json", "seed-1.json"])
def test_a_file_that_is_named_nearly_as_a_record_is_none_and_is_told(results, stray):
    path = write(results, result())
    shutil.copy(path, path.with_name(stray))
    assert records.seeds(*NAMES[:3], results) == [0]
    (fault,) = records.faults(results)
    assert stray in fault and "not listed" in fault


def test_a_file_whose_metrics_are_no_entries_is_refused_before_the_work(tmp_path):
    mine = tmp_path / "mine.json"
    records.write(mine, result())
    mine.write_text(json.dumps(json.loads(mine.read_text()) | {"metrics": {"ssim/clip/1-8": 0.9}}))
    with pytest.raises(RecordError, match="is no metric"):
        records.require_room(mine, result())


@pytest.mark.parametrize("place", ["SHA256SUMS", "halo-sp/seed0.json"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(results, place):
    path = write(results, result())
    pipe = path if place.endswith("json") else results / place
    pipe.unlink()
    os.mkfifo(pipe)
    assert records.faults(results)
    with pytest.raises(RecordError):
        records.document(path.parent.parent / "pipe.json" if place == "SHA256SUMS" else path)


def test_a_number_that_json_has_not_is_refused(results):
    with pytest.raises(RecordError, match="none of JSON"):
        write(results, result(metrics={"a": {"value": 1j}}))
    assert not records.record_path(*NAMES, results).exists()
