import json
import shutil

import pytest
from fakes.reports import HOSTILE, Read, leave, leave_classifier
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from containerid.report import run as report
from containerid.report.outputs import Doc, read


def made(folder, **more):
    return Read(report.write(folder, **more).read_text(encoding="utf-8"))


def test_the_page_of_a_run_tells_all_that_it_left(tmp_path):
    page = made(leave(tmp_path / "out"))
    for told in (
        "exp001-20261121-080000-abc123", "1 gate not met", "test mAP50-95 is 0.710, not ≥ 0.9.", "yolo11n",
        "1 × Tesla T4 (15 GiB, sm_75)", "13 min", "12 min 34 s", "≥ 0.9, not met", "≤ 50, met",
            "More epochs: the last one was the best.",
        "Precision over recall", "best F1: 0.894 at 0.41", "not reached; the highest is 0.930", "handle",
        "What was taken for what", "9.1 ms, 95 % within 11.2 ms", "9.41 million",
        "Something is wrong in 17 of 73 images: 13 boxes missed, 9 seen where there is none", "1 missed, 1 false",
        "Box loss", "Learning rate", "best: 6", "the box reaches over the edge", "1 warning, 2 to know",
        "2026-11-21 08:00:00 UTC", "https://git.example/doors", "a" * 40, "c" * 64, "d" * 64, "cid reproduce",
        "training.learning_rate", "torch==2.15.0", "87.5 images a second in training", "2.3 of 4", "550.54",
        "91%, 100%", "9.1 GiB, 11.2 GiB", "21.4 TFLOPS", "not used",
    ):  # fmt: skip
        assert told in page.text, told
    links = [each["href"] for each in page.tags["a"] if not each["href"].startswith("#")]
    assert links == ["https://wandb.example/doors/runs/1"]


def test_the_page_of_a_classifier_speaks_of_images_and_of_no_boxes(tmp_path):
    page = made(leave_classifier(tmp_path / "out"))
    for told in (
        "0.810 to 0.960, 95 %", "recall is the share of its images that are right", "0.900 0.810–0.960",
        "Accuracy over confidence", "5 of 50 images are taken for another class, 2 of them at a confidence over 0.8",
        "alpha, taken for background", "Images of each class, all splits", "Accuracy of validation", "best: 3",
        "cid model runs/", "What timm was given", "val accuracy, top 1 is 0.910, not ≥ 0.95.",
    ):  # fmt: skip
        assert told in page.text, told
    for foreign in ("box", "mAP", "Ultralytics", "nothing there", "not seen", "yolo predict"):
        assert foreign not in page.text, foreign


def test_a_classifier_of_ultralytics_is_used_with_ultralytics(tmp_path):
    page = made(leave_classifier(tmp_path / "out", "yolo11n-cls"))
    assert "yolo predict model=runs/" in page.text
    assert "What Ultralytics was given" in page.text


def test_the_confidence_that_an_interval_has_is_given_to_its_own_metric_alone(tmp_path):
    gates = {"gates": []}
    page = made(leave(tmp_path, metadata=gates))
    assert "0.860 to 0.950, 95 %" in page.text
    assert "0.100" not in page.text  # the interval of another recall


def test_a_picture_shows_the_mistake_with_both_boxes_and_says_it_in_words(tmp_path):
    page = made(leave(tmp_path))
    pictures = [each for each in page.tags["svg"] if "images/test" in (each.get("aria-label") or "")]
    assert (
        pictures[0]["aria-label"]
        == "images/test/1 b.jpg: 1 missed, 1 false; there: door missed; predicted: handle 0.83"
    )
    kinds = [each["class"] for each in page.tags["rect"] if each["class"].startswith("box")]
    assert kinds == ["box under", "box true", "box under", "box guess"] * 2


def test_a_weight_that_only_a_next_leg_would_need_is_not_listed(tmp_path):
    assert "e" * 64 not in made(leave(tmp_path)).text


@pytest.mark.parametrize(
    "missing", ["metadata.json", "result.json", "evaluation.json", "results.csv", "test", "weights"]
)
def test_whatever_is_missing_the_page_shows_the_rest(tmp_path, missing):
    leave(tmp_path)
    path = tmp_path / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert "exp001-20261121-080000-abc123" in made(tmp_path).text


def test_an_empty_folder_has_a_page_too(tmp_path):
    page = made(tmp_path / "exp001-1")
    assert "exp001-1" in page.text
    assert "no result.json" in page.text


def test_a_run_that_failed_early_says_why_first(tmp_path):
    result = {"run": "r1", "outcome": "failed", "phase": "validate", "reason": "the data cannot be used: x"}
    (tmp_path / "result.json").write_text(json.dumps(result), encoding="utf-8")
    spec = {"run": "r1", "experiment": "exp9", "params": {"model": {"architecture": "yolo12s"}}, "quick": True}
    page = made(tmp_path, spec=spec)
    assert "Failed in validate." in page.text
    assert page.text.index("The data cannot be used: x.") < page.text.index("What it was made from")
    assert "yolo12s" in page.text
    assert "A quick run." in page.text


def test_a_run_of_several_legs_lists_its_sessions(tmp_path):
    legs = [
        {
            "number": 1,
            "handle": "ada/cid-x",
            "url": "https://kaggle.example/ada/cid-x",
            "state": "paused",
            "hours": 9.1,
        },
        {"number": 2, "handle": "ada/cid-x-l2", "url": "javascript:alert(1)", "state": "succeeded", "hours": 2.0},
    ]
    page = made(leave(tmp_path), legs=legs)
    assert "cid-x-l2" in page.text
    assert "https://kaggle.example/ada/cid-x" in [each["href"] for each in page.tags["a"]]
    assert "javascript:" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_later_leg_says_what_it_went_on_from(tmp_path):
    page = made(leave(tmp_path), spec={"leg": 2, "past": {"kind": "kernel", "source": "ada/cid-x"}})
    assert "This is leg 2 of the run; it went on from the checkpoint of the one before (ada/cid-x)" in page.text


def test_an_epoch_that_was_done_twice_counts_as_it_was_the_last_time(tmp_path):
    (tmp_path / "results.csv").write_text(" epoch, a\n1,5\n2,9\n2,4\n3,nan\n", encoding="utf-8")
    history = read(tmp_path).history
    assert history["epoch"] == [1, 2, 3]
    assert history["a"][:2] == [5, 4]


def test_hostile_names_are_text_everywhere(tmp_path):
    names = {"names": [HOSTILE, HOSTILE], "confusion": {"names": [HOSTILE, "background"], "matrix": [[1, 2], [3, 4]]}}
    metadata = {
        "experiment": HOSTILE, "project": HOSTILE, "architecture": HOSTILE, "advice": [HOSTILE],
        "data": {"classes": {HOSTILE: 3}, "provider": HOSTILE, "source": HOSTILE},
        "params": {HOSTILE: {HOSTILE: HOSTILE}}, "code": {"sha": HOSTILE, "remote": HOSTILE, "ref": HOSTILE},
    }  # fmt: skip
    result = {"run": HOSTILE, "reason": HOSTILE, "tracking": {HOSTILE: f"javascript:{HOSTILE}"}, "proof": HOSTILE}
    leave(tmp_path, metadata=metadata, result=result, evaluation=names)
    text = report.write(tmp_path).read_text(encoding="utf-8")
    assert "<script" not in text
    assert Read(text).text.count("<script>") > 15


def test_a_picture_outside_of_the_outputs_is_never_shown(tmp_path):
    folder = leave(tmp_path / "out")
    shutil.copy(folder / "test/worst/01.jpg", tmp_path / "secret.jpg")
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    outputs = read(folder)
    for name in ("../secret.jpg", str(tmp_path / "secret.jpg"), "link.jpg", "", "a\0b", "none.jpg", "test"):
        assert outputs.inside(name) is None, name
    assert outputs.inside("test/worst/01.jpg")


def test_without_an_evaluation_ultralytics_plots_stand_in(tmp_path):
    folder = leave(tmp_path)
    (folder / "evaluation.json").unlink()
    shutil.copy(folder / "test/worst/01.jpg", folder / "confusion_matrix.png")
    shutil.copy(folder / "test/worst/01.jpg", folder / "test/val_batch0_pred.jpg")
    page = made(folder)
    assert "Plots of Ultralytics" in page.text
    assert "What was predicted" in page.text


def test_a_page_stays_small_enough_to_be_sent(tmp_path):
    import random

    from PIL import Image

    noise = Image.frombytes("RGB", (480, 480), random.Random(0).randbytes(480 * 480 * 3))
    folder = leave(tmp_path, epochs=600)
    worst = []
    for number in range(12):
        noise.save(folder / f"test/worst/n{number}.jpg", quality=95)
        worst.append({"image": f"{number}.jpg", "score": 1, "missed": 1, "picture": f"test/worst/n{number}.jpg"})
    document = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    document["mistakes"]["worst"] = worst
    (folder / "evaluation.json").write_text(json.dumps(document), encoding="utf-8")
    assert report.write(folder).stat().st_size < 3_000_000


def test_what_went_on_beside_the_phases_is_told_and_is_no_bar(tmp_path):
    timeline = {"train": 700, "pull": 41.0, "weights": 3.2, "first_batch": 43.4}
    folder = leave(tmp_path / "out", result={"timeline": timeline})
    page = made(folder)
    assert "43 s after the beginning" in page.text
    assert "downloaded in 3.2 s" in page.text
    assert "pulled in 41 s" in page.text
    assert "first_batch" not in page.text


def test_the_time_is_the_same_wherever_it_is_told(tmp_path):
    page = made(leave(tmp_path, result={"timeline": {"data": 20, "train": 700}}))
    assert "on 1 × Tesla T4 (15 GiB, sm_75) in 13 min ·" in page.text
    assert "13 min together" in page.text
    bars = [each["aria-label"] for each in page.tags["svg"] if "phase" in (each.get("aria-label") or "")]
    assert bars == ["Time of each phase: data 20 s, train 11 min 40 s, start and end 1 min"]


def test_a_rehearsal_is_not_on_a_rehearsal(tmp_path):
    page = made(leave(tmp_path, result={"proof": "rehearsed on CPU", "timeline": {"train": 60}}))
    assert "epochs rehearsed on CPU in" in page.text


def test_the_time_of_several_sessions_is_that_of_their_epochs(tmp_path):
    page = made(leave(tmp_path, metadata={"leg": 2, "duration_seconds": 7200.0}))
    assert "sm_75) in 2 h ·" in page.text


def test_a_model_that_finds_nothing_has_no_curves(tmp_path):
    zeros = {f"test/{name}": 0.0 for name in ("mAP50", "mAP50-95", "precision", "recall")}
    intervals = {"mAP50": {"low": 0.0, "high": 0.0}}
    leave(tmp_path, metadata={"gates": []}, result={"metrics": zeros}, evaluation={"intervals": intervals})
    page = made(tmp_path)
    assert "Nothing was found." in page.text
    for told in ("0.000 to 0.000", "best F1", "Precision over recall", "Which confidence"):
        assert told not in page.text


def test_a_long_hash_is_short_where_one_reads_and_whole_where_one_looks(tmp_path):
    page = made(leave(tmp_path))
    assert page.text.count("c" * 64) == 1
    assert next(each["title"] for each in page.tags["code"] if each.get("title")) == "c" * 64


def test_many_classes_are_told_by_their_most_frequent_confusions(tmp_path):
    names = [f"c{n}" for n in range(30)]
    matrix = [
        [50 if row == column else 7 if (row, column) == (3, 9) else 0 for column in range(30)] for row in range(30)
    ]
    page = made(leave(tmp_path, evaluation={"confusion": {"names": names, "matrix": matrix}}))
    assert "The most frequent confusions" in page.text


def test_a_split_that_also_chose_the_weights_is_called_what_it_is(tmp_path):
    assert "the numbers flatter" in made(leave(tmp_path, evaluation={"split": "val"})).text


def test_a_perfect_run_says_so(tmp_path):
    page = made(leave(tmp_path, evaluation={"mistakes": {"images_with_errors": 0, "worst": []}}))
    assert "Every box of every image was found" in page.text


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = leave(tmp_path_factory.mktemp("whole"))
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in ("metadata", "result", "evaluation")}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_that_a_document_holds_can_break_the_page(tmp_path, whole, data):
    name = data.draw(st.sampled_from(sorted(whole)))
    document = json.loads(json.dumps(whole[name]))
    place = document
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    leave(tmp_path, epochs=2)
    (tmp_path / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    Read(report.write(tmp_path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", ["", "[1]", "{", "null", '{"a":' * 5000, "\ufeff{}"])
def test_a_broken_document_is_an_empty_one(tmp_path, text):
    (tmp_path / "metadata.json").write_text(text, encoding="utf-8")
    assert not read(tmp_path).metadata


def test_a_document_gives_what_was_asked_for_or_nothing():
    doc = Doc({"a": "x", "n": 3, "b": True, "nan": float("nan"), "l": [1, "x", None, {"k": 1}], "d": {"e": 1}})
    assert (doc.text("a"), doc.text("n"), doc.text("b"), doc.text("d"), doc.text("?")) == ("x", "3", "", "", "")
    assert (doc.number("n"), doc.number("b"), doc.number("nan"), doc.number("a")) == (3.0, None, None, None)
    assert [each.plain for each in doc.docs("l")] == [{"k": 1}]
    assert doc.texts("l") == ["1", "x"]
    assert doc.row("l")[0] == 1.0
    assert len(doc.row("l")) == 4
    assert doc["d"]["e"].plain == {}
