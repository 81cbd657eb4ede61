"""Sheets: what is refused of a user's folder, and a fetch against a local server that fails in 40 ways."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import struct
import sys
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hamrepro import sheets
from hamrepro.errors import DataError, MissingDataError
from hamrepro.mug import licensed_folder

LPC = os.environ.get("HAMREPRO_LPC")
needs_sheets = pytest.mark.skipif(not LPC, reason="HAMREPRO_LPC, the folder of the LPC sheets, is not set")


def png(mode: str = "RGBA", size: tuple[int, int] = (sheets.WIDTH, sheets.HEIGHT), **options: int) -> bytes:
    buffer = BytesIO()
    Image.new(mode, size).save(buffer, "PNG", **options)
    return buffer.getvalue()


def png16() -> bytes:
    """A sheet with 16 bits a channel, which Pillow would quietly halve."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", sheets.WIDTH, sheets.HEIGHT, 16, 6, 0, 0, 0)
    rows = zlib.compress(bytes((1 + 8 * sheets.WIDTH) * sheets.HEIGHT), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


# The registry


def test_registry_lists_every_sheet_once():
    registry = sheets.registry()
    assert len(sheets.NEEDED) == len(set(sheets.NEEDED)) == 26
    assert tuple(registry)[:26] == sheets.NEEDED and tuple(registry)[-3:] == sheets.NOTICES and len(registry) == 39
    assert all(len(digest) == 64 and int(digest, 16) >= 0 for digest in registry.values())
    assert len(set(registry.values())) == 39
    assert sheets.COMMIT in sheets.URL and sheets.COMMIT in sheets.REGISTRY.read_text(encoding="utf-8")


@needs_sheets
def test_real_sheets_are_the_pinned_ones():
    root = Path(LPC or "")
    sheets.verify(root, tuple(sheets.registry()))
    text = (root / "AUTHORS.txt").read_text(encoding="utf-8-sig").splitlines()
    authors = [text[i - 1].strip() for i in range(1, len(text)) if text[i].startswith("----")]
    assert len(authors) == 18
    assert all(author.split(" (AKA")[0] in sheets.CREDIT for author in authors)


@pytest.mark.parametrize("content", ["", "# nothing\n", "body/male/light.png\n", "one two three\n", "CUT", "NOTICE"])
def test_a_registry_without_a_sheet_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str):
    whole = sheets.REGISTRY.read_text(encoding="utf-8")
    content = {"CUT": re.sub("[0-9a-f]{64}", 10 * "a", whole, count=1), "NOTICE": whole.replace("AUTHORS", "x")}.get(
        content, content
    )
    (tmp_path / "registry.txt").write_text(content)
    monkeypatch.setattr(sheets, "REGISTRY", tmp_path / "registry.txt")
    with pytest.raises(DataError, match=r"registry\.txt"):
        sheets.registry.__wrapped__()


def test_missing_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(sheets, "REGISTRY", tmp_path / "registry.txt")
    with pytest.raises(DataError, match=r"registry\.txt.*No such file"):
        sheets.registry.__wrapped__()


# A user's folder


GOOD = png()
DAMAGED = {
    "empty": (b"", "not a PNG"),
    "signature only": (GOOD[:8], "not a PNG"),
    "header cut": (GOOD[:20], "not a PNG"),
    "text": (b"<html>404: not found</html>" * 9, "not a PNG"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(999), "not a PNG"),
    "one row short": (png(size=(832, 1343)), "832 x 1343 pixels"),
    "one column more": (png(size=(833, 1344)), "833 x 1344 pixels"),
    "a cell": (png(size=(64, 64)), "64 x 64 pixels"),
    "huge": (GOOD[:16] + struct.pack(">II", 2**31 - 1, 2**31 - 1) + GOOD[24:], "2147483647 x 2147483647"),
    "16 bits": (png16(), "16 bits"),
    "16-bit grey": (png("I;16"), "16 bits"),
    "grey": (png("L"), "mode L"),
    "black and white": (png("1"), "mode 1"),
    "no transparency": (png("RGB"), "mode RGB"),
    "palette without transparency": (png("P"), "mode P"),
    "cut in half": (GOOD[: len(GOOD) // 2], "damaged PNG"),
    "first half overwritten": (GOOD[:60] + b"\x5a" * (len(GOOD) // 2) + GOOD[60 + len(GOOD) // 2 :], "damaged PNG"),
    "header's checksum": (GOOD[:30] + b"\0" + GOOD[31:], "damaged PNG"),
    "empty profile": (GOOD[:-12] + struct.pack(">I4sI", 0, b"iCCP", zlib.crc32(b"iCCP")) + GOOD[-12:], "damaged PNG"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_pictures_are_named(tmp_path: Path, case: str):
    content, words = DAMAGED[case]
    (tmp_path / "a sheet é.png").write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        sheets.compose(tmp_path, ("a sheet é.png",))
    assert "a sheet é.png" in caught.value.given and "832 x 1344" in caught.value.expected
    assert "data fetch sprites" in caught.value.next_step


@pytest.mark.parametrize("content", [GOOD, png("P", transparency=0)], ids=["RGBA", "palette"])
def test_sound_pictures_are_read(tmp_path: Path, content: bytes):
    (tmp_path / "a.png").write_bytes(content)
    image = sheets.compose(tmp_path, ("a.png", "a.png"))
    assert image.mode == "RGBA" and image.size == (832, 1344)


def test_flipped_bits_never_pass_a_pin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(sheets, "registry", lambda: {"a.png": sha256(GOOD).hexdigest()})
    draws = np.random.default_rng(0)
    for bit in draws.choice(8 * len(GOOD), 100, replace=False):
        content = bytearray(GOOD)
        content[bit // 8] ^= 1 << bit % 8
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(DataError, match=r"a\.png"):
            sheets.verify(tmp_path, ["a.png"])


def test_another_picture_is_refused_where_pinned_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(sheets, "registry", lambda: {"a.png": sha256(GOOD).hexdigest()})
    other = BytesIO()
    Image.new("RGBA", (832, 1344), (1, 2, 3, 255)).save(other, "PNG")
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(other.getvalue())
    sheets.verify(tmp_path, ["b.png"])
    with pytest.raises(DataError, match="another picture") as caught:
        sheets.verify(tmp_path, ["a.png", "b.png"])
    assert sha256(GOOD).hexdigest() in caught.value.expected


def spoil_by_removing(path: Path) -> None:
    path.unlink()


def spoil_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def spoil_dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.png")


def spoil_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def spoil_parent(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_bytes(b"")


def spoil_permission(path: Path) -> None:
    path.chmod(0)


def spoil_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def spoil_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def spoil_beyond_memory(path: Path) -> None:
    with open(path, "r+b") as file:
        file.truncate(2**43)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_by_removing, "No such file"), (spoil_folder, "Is a directory"), (spoil_dangling, "No such file"),
        (spoil_loop, "symbolic link"), (spoil_parent, "Not a directory"), (spoil_permission, "Permission denied"),
        (spoil_pipe, "another picture"), (spoil_device, "another picture"), (spoil_beyond_memory, "another picture"),
    ],
)  # fmt: skip
def test_unreadable_sheets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spoil: Callable[[Path], None], words: str):
    path = tmp_path / "hair" / "a.png"
    path.parent.mkdir()
    path.write_bytes(GOOD)
    sheets.verify(tmp_path, ["hair/a.png"])
    monkeypatch.setattr(sheets, "decode", lambda content, name: None)
    monkeypatch.setattr(sheets, "registry", lambda: {"hair/a.png": sha256(GOOD).hexdigest()})
    spoil(path)
    if spoil is spoil_permission and os.access(path, os.R_OK):
        pytest.skip("this user reads everything")
    with pytest.raises(DataError, match=words):
        sheets.verify(tmp_path, ["hair/a.png"])


def test_a_link_to_the_right_bytes_is_fine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(sheets, "registry", lambda: {"a.png": sha256(GOOD).hexdigest()})
    (tmp_path / "stored").write_bytes(GOOD)
    (tmp_path / "a.png").symlink_to("stored")
    sheets.verify(tmp_path, ["a.png"])


def test_all_wrong_sheets_are_counted(tmp_path: Path):
    with pytest.raises(DataError, match=r"body/male/light\.png.*and 25 more of 26 sheets"):
        sheets.verify(tmp_path)
    with pytest.raises(DataError, match="not a folder"):
        sheets.verify(tmp_path / "none")


def test_where_sheets_are_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HAMREPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HAMREPRO_LPC", raising=False)
    with pytest.raises(DataError, match="HAMREPRO_LPC is not set") as caught:
        sheets.locate()
    assert "data fetch sprites" in caught.value.next_step and "sprites-procedural" in caught.value.next_step
    stored = tmp_path / "cache" / "lpc-2668274d"
    (stored / "body" / "male").mkdir(parents=True)  # what a fetch without network leaves
    with pytest.raises(MissingDataError, match="holds none"):
        sheets.locate()
    (stored / sheets.NEEDED[0]).touch()
    assert sheets.locate() == stored
    monkeypatch.setenv("HAMREPRO_LPC", str(tmp_path))
    assert sheets.locate() == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HAMREPRO_LPC", "~/cache")
    assert sheets.locate() == tmp_path / "cache"


WHERE = {
    "nothing there": "none", "a file": "file", "under a file": "file/lpc", "a link to itself": "loop",
    "a name too long": 300 * "a", "a path too long": 3000 * "a/", "no text": "\udcff",
}  # fmt: skip


@pytest.mark.parametrize("kind", WHERE)
def test_what_is_no_folder_of_sheets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.setenv("HAMREPRO_LPC", str(tmp_path / WHERE[kind]))
    with pytest.raises(DataError, match="is not a folder") as caught:
        sheets.locate()
    assert caught.value.next_step


@pytest.mark.parametrize("variable", ["HAMREPRO_LPC", "HAMREPRO_CACHE", "HAMREPRO_MUG"])
def test_the_home_of_nobody(monkeypatch: pytest.MonkeyPatch, variable: str):
    monkeypatch.delenv("HAMREPRO_LPC", raising=False)
    monkeypatch.setenv(variable, "~no-such-user/folder")
    with pytest.raises(DataError, match=f"{variable}=~no-such-user") as caught:
        licensed_folder() if variable == "HAMREPRO_MUG" else sheets.locate()
    assert caught.value.next_step


# A fetch


CONTENT = {f"body/{name}.png": np.random.default_rng(i).bytes(5000) for i, name in enumerate(("a", "b", "c"))}
FAULTY = "body/b.png"
WHOLE = CONTENT[FAULTY]


def flip(position: int) -> bytes:
    return WHOLE[:position] + bytes([WHOLE[position] ^ 1]) + WHOLE[position + 1 :]


def reply(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def status(code: int) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: reply(handler, b"sorry", code)


def body(content: bytes, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: reply(handler, content, **headers)


def raw(content: bytes) -> Callable[[BaseHTTPRequestHandler], object]:
    return lambda handler: handler.wfile.write(content)


def stall(handler: BaseHTTPRequestHandler) -> None:
    handler.server.over.wait(3)  # type: ignore[attr-defined]


def stall_within(handler: BaseHTTPRequestHandler) -> None:
    reply(handler, WHOLE[:2000], Content_Length="5000")
    handler.wfile.flush()
    stall(handler)


Fault = Callable[[BaseHTTPRequestHandler], object]
CUTS = (0, 1, 100, 1023, 1024, 1025, 2500, 4096, 4999)
FAULTS: dict[str, Fault] = {
    **{f"dies after {cut} bytes": body(WHOLE[:cut], Content_Length="5000") for cut in CUTS},
    **{f"sends {cut} bytes only": body(WHOLE[:cut]) for cut in CUTS},
    **{f"status {code}": status(code) for code in (400, 401, 403, 404, 410, 429, 500, 502, 503)},
    **{f"byte {position} wrong": body(flip(position)) for position in (0, 2500, 4999)},
    "another sheet": body(CONTENT["body/a.png"]),
    "a page that says sorry": body(b"<html>sorry</html>", Content_Type="text/html"),
    "one byte too many": body(WHOLE + b"\0"),
    "twice the file": body(WHOLE * 2),
    "hangs up": raw(b""),
    "speaks no HTTP": raw(b"\x16\x03\x01\x02" * 9),
    "broken chunks": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"),
    "chunks that stop": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + WHOLE[:2000] + b"\r\n"),
    "not really gzip": body(WHOLE, Content_Encoding="gzip"),
    "gzip cut": body(gzip.compress(WHOLE)[:3000], Content_Encoding="gzip"),
    "redirects for ever": lambda handler: reply(handler, b"", 302, Location=f"/{FAULTY}"),
    "redirects to nothing": lambda handler: reply(handler, b"", 301, Location="/none.png"),
    "redirects to a local file": lambda handler: reply(handler, b"", 302, Location="file:///etc/hostname"),
    "redirects to nonsense": lambda handler: reply(handler, b"", 302, Location="http://[::bad/"),
    "stalls": stall,
    "stalls within": stall_within,
}


class Server(ThreadingHTTPServer):
    """Serves `CONTENT`; replies to `FAULTY` by the next of `faults` while there is one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.over = threading.Event()
        self.seen: Counter[str] = Counter()
        self.faults: list[Fault] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up on a fault is what is wanted."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None: ...

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        self.server.seen[path] += 1
        if path == FAULTY and self.server.faults:
            # The last one stays, so that a redirect to itself never ends.
            fault = self.server.faults[0] if len(self.server.faults) == 1 else self.server.faults.pop(0)
            fault(self)
        elif path == "moved.png":
            reply(self, WHOLE)
        elif path in CONTENT:
            reply(self, CONTENT[path])
        else:
            reply(self, b"", 404)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("HAMREPRO_LPC_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HAMREPRO_CACHE", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(sheets, "registry", lambda: {path: sha256(data).hexdigest() for path, data in CONTENT.items()})
    monkeypatch.setattr(sheets, "NEEDED", tuple(CONTENT))
    monkeypatch.setattr(sheets, "NOTICES", ())
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if not path.is_dir()}


def fetch(retries: int = 0) -> Path:
    return sheets.fetch(retries=retries, timeout=0.8, progress=False)


def test_a_good_fetch_and_a_warm_cache(server: Server, monkeypatch: pytest.MonkeyPatch):
    folder = fetch()
    assert folder == sheets.stored() and files(folder) == CONTENT and set(server.seen.values()) == {1}
    monkeypatch.setenv("HAMREPRO_LPC_URL", "http://127.0.0.1:1")
    assert fetch() == folder and set(server.seen.values()) == {1}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_leaves_nothing_and_a_second_fetch_ends_it(server: Server, tmp_path: Path, fault: str):
    server.faults = [FAULTS[fault]]
    with pytest.raises(DataError, match=r"body/b\.png could not be fetched from http://127") as caught:
        fetch()
    assert sha256(WHOLE).hexdigest() in caught.value.expected and "again" in caught.value.next_step
    assert files(tmp_path) == {"lpc-2668274d/body/a.png": CONTENT["body/a.png"]}
    server.faults = []
    assert files(fetch()) == CONTENT
    assert server.seen["body/a.png"] == server.seen["body/c.png"] == 1


def test_there_are_forty_faults():
    assert len(FAULTS) >= 40


@pytest.mark.parametrize(
    "fault", ["dies after 1024 bytes", "status 503", "byte 2500 wrong", "hangs up", "stalls within"]
)
def test_retries_outlast_a_fault(server: Server, monkeypatch: pytest.MonkeyPatch, fault: str):
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    server.faults = [FAULTS[fault], FAULTS[fault], body(WHOLE)]
    assert files(fetch(retries=2)) == CONTENT
    assert server.seen[FAULTY] == 3 and waits == [1, 2]


@pytest.mark.parametrize(
    "way",
    [
        lambda handler: reply(handler, b"", 302, Location="/moved.png"),
        body(gzip.compress(WHOLE), Content_Encoding="gzip"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + WHOLE + b"\r\n0\r\n\r\n"),
        raw(b"HTTP/1.0 200 OK\r\n\r\n" + WHOLE),
    ],
    ids=["redirect", "gzip", "chunks", "no length"],
)
def test_other_honest_replies(server: Server, way: Fault):
    server.faults = [way]
    assert files(fetch()) == CONTENT


def test_stored_files_that_went_bad_are_fetched_again(server: Server):
    folder = fetch()
    (folder / "body/a.png").write_bytes(WHOLE)
    (folder / "body/b.png").unlink()
    (folder / "body/b.png").symlink_to("nowhere")
    assert files(fetch()) == CONTENT and server.seen["body/c.png"] == 1


@pytest.mark.parametrize("block", ["file in place of the folder", "folder in place of a file", "read-only folder"])
def test_a_store_that_cannot_be_written(server: Server, tmp_path: Path, block: str):
    store = tmp_path / "lpc-2668274d"
    if block.startswith("file"):
        store.write_bytes(b"")
    elif block.startswith("folder"):
        (store / "body/b.png").mkdir(parents=True)
    else:
        store.mkdir(mode=0o500)
        if os.access(store, os.W_OK):
            pytest.skip("this user writes everywhere")
    with pytest.raises(DataError, match="could not be fetched"):
        fetch()
    assert not [path for path in files(tmp_path) if path.startswith("lpc-2668274d/body/b")]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "nowhere", "file:///tmp/", "http://", "gopher://127.0.0.1/"])
def test_bad_addresses(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str):
    monkeypatch.setenv("HAMREPRO_LPC_URL", url)
    with pytest.raises(DataError, match="could not be fetched"):
        fetch()
    assert not files(tmp_path)


def test_the_default_set_and_the_extra_one(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sheets, "NEEDED", ("body/a.png",))
    assert list(files(sheets.fetch(progress=False))) == ["body/a.png"]
    assert files(sheets.fetch(extra=True, progress=False)) == CONTENT


def test_a_cache_that_cannot_be_written_is_said_to_be_the_fault(server: Server, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pooch.core.Pooch.fetch", refuse)
    with pytest.raises(DataError, match=r"(?s)cannot be written.*set HAMREPRO_CACHE"):
        fetch()


def test_pooch_is_needed_to_fetch_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    monkeypatch.delenv("HAMREPRO_CACHE", raising=False)
    monkeypatch.delenv("HAMREPRO_LPC", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DataError, match=f"HAMREPRO_LPC is not set and {tmp_path}.* holds none"):
        sheets.locate()
    with pytest.raises(DataError, match="pooch is not installed"):
        sheets.fetch()
