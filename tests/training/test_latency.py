from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from containerid.training import latency

cv2 = pytest.importorskip("cv2")
pytest.importorskip("ultralytics.utils.patches")


class Model:
    """Answers at once, and says how long it would have taken."""

    def __init__(self, times: list[float]) -> None:
        self.times = iter(times)
        self.asked: list[dict[str, object]] = []

    def predict(self, picture: np.ndarray, **settings: object):
        self.asked.append({**settings, "shape": picture.shape})
        return [SimpleNamespace(speed={"preprocess": 1.0, "inference": next(self.times), "postprocess": 2.0})]


def measured(model: Model, images: list[Path]) -> dict[str, Any]:
    return latency.measure(latency.of_ultralytics(model), images, latency.read)


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    files = [tmp_path / f"{number}.jpg" for number in range(20)]
    for number, file in enumerate(files):
        file.write_bytes(cv2.imencode(".jpg", np.zeros((8 + number, 8, 3), dtype=np.uint8))[1].tobytes())
    return files


def test_the_first_times_are_warm_up_and_the_slow_ones_are_in_the_tail(images: list[Path]) -> None:
    model = Model([900.0] * 5 + [10.0] * 46 + [50.0] * 4)
    found = latency.measure(latency.of_ultralytics(model, imgsz=64), images, latency.read)
    assert found["images"] == 50
    assert found["inference"] == {"median": 10, "p95": 50}
    assert found["latency"] == {"median": 13, "p95": 53}
    assert len({asked["shape"] for asked in model.asked}) == 16
    assert {(asked["imgsz"], asked["verbose"]) for asked in model.asked} == {(64, False)}


def test_a_slow_model_is_not_measured_for_ever(images: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "_SECONDS", -1)
    assert measured(Model([10.0] * 99), images)["images"] == 1


def test_an_image_that_cannot_be_read_is_left_out(images: list[Path], tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"x")
    assert measured(Model([1.0] * 99), [tmp_path / "broken.jpg", images[0]])["images"] == 50
    with pytest.raises(ValueError, match="no image"):
        measured(Model([]), [tmp_path / "broken.jpg"])


def test_throughput_counts_all_that_an_image_takes() -> None:
    speed = {"preprocess": 1.0, "inference": 6.0, "loss": 99.0, "postprocess": 3.0}
    assert latency.throughput(speed, 16) == {"images_per_second": 100.0, "batch": 16}
