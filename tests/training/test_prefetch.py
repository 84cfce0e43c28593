import http.server
import json
import threading
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from containerid.job import Past, Spec
from containerid.training import prefetch


def weights() -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("data.pkl", b"numbers" * 1000)
    return packed.getvalue()


class Releases(http.server.BaseHTTPRequestHandler):
    """Gives out what stands in `files`, and remembers what was asked for."""

    files: dict[str, bytes]
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        content = self.files.get(self.path)
        self.send_response(404 if content is None else 200)
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def releases(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Releases]]:
    handler = type("Handler", (Releases,), {"files": {"/yolo11n.pt": weights()}, "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(prefetch, "RELEASES", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        yield handler
        server.shutdown()


def bring(folder: Path, monkeypatch: pytest.MonkeyPatch, **asked: Any) -> Path:
    """Run the command for a spec. Returns where weights are kept."""
    (folder / "project").mkdir(exist_ok=True)
    monkeypatch.chdir(folder / "project")
    spec = Spec(**{"run": "r1", "internet": True, "params": {"model": {"architecture": "yolo11n"}}, **asked})
    (folder / "spec.json").write_text(json.dumps(spec.to_dict()), encoding="utf-8")
    assert prefetch.main(["--spec", str(folder / "spec.json"), "--input", str(folder / "input")]) == 0
    return prefetch.weights_folder()


def test_the_weights_of_a_first_leg_are_brought_once(tmp_path, monkeypatch, releases, capsys):
    for _ in range(2):
        kept = bring(tmp_path, monkeypatch)
    assert (kept / "yolo11n.pt").read_bytes() == weights()
    assert [path.name for path in kept.iterdir()] == ["yolo11n.pt"]
    assert releases.asked == ["/yolo11n.pt"]
    assert capsys.readouterr().out.startswith("brought meanwhile: yolo11n.pt, 0.0 MB in ")


@pytest.mark.parametrize(
    "asked",
    [
        {"internet": False},
        {"past": Past(kind="kernel", source="ada/before")},
        {"entry": "doors.train"},
        {"params": {"model": {"architecture": "yolo11n", "pretrained": False}}},
        {"params": {"model": {"architecture": "yolo11n.yaml"}}},
        {"params": {"model": {"architecture": "weights/mine.pt"}}},
        {"params": {"model": {"architecture": "timm/resnet18"}}},
        {"params": {}},
    ],
)
def test_what_a_leg_does_not_need_is_not_brought(tmp_path, monkeypatch, releases, capsys, asked):
    bring(tmp_path, monkeypatch, **asked)
    assert releases.asked == []
    assert capsys.readouterr().out == ""


def test_weights_of_the_project_are_not_brought_again(tmp_path, monkeypatch, releases):
    (tmp_path / "project/weights").mkdir(parents=True)
    (tmp_path / "project/weights/yolo11n.pt").write_bytes(weights())
    bring(tmp_path, monkeypatch)
    assert releases.asked == []


@pytest.mark.parametrize("content", [None, b"", b"<html>come back later</html>", weights()[:-50]])
def test_what_is_not_there_or_not_whole_is_left_to_the_training(tmp_path, monkeypatch, releases, capsys, content):
    releases.files = {} if content is None else {"/yolo11n.pt": content}
    kept = bring(tmp_path, monkeypatch)
    assert list(kept.iterdir()) == []
    assert capsys.readouterr().out == ""


def test_a_spec_that_nobody_can_read_stops_nothing(tmp_path, capsys):
    assert prefetch.main(["--spec", str(tmp_path / "none"), "--input", str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""
