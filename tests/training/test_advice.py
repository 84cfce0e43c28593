import pytest

from containerid.training.advice import Case, advise
from containerid.training.curves import FITNESS

QUALITY = ["val/mAP50"]


def rows(fitness, train=None, val=None):
    count = len(fitness)
    return [
        {"epoch": number + 1, FITNESS: score, "train/box_loss": left, "val/box_loss": right}
        for number, (score, left, right) in enumerate(
            zip(fitness, train or [1.0] * count, val or [1.0] * count, strict=True)
        )
    ]


FLAT = rows([0.6] * 40)
CASES = {
    "still rose at the end (+0.030 over the last 4 epochs): more epochs, such as --set training.epochs=80": Case(
        rows=rows([0.3 + 0.0075 * number for number in range(40)]), epochs=40
    ),
    "rises since epoch 11 while that on train falls": Case(
        rows=rows(
            [0.6] * 40,
            [1 - 0.02 * number for number in range(40)],
            [1 - 0.03 * number if number <= 10 else 0.7 + 0.02 * (number - 10) for number in range(40)],
        ),
        epochs=40,
    ),
    "It stopped after epoch 40 of 100, nothing being better than epoch 1": Case(rows=FLAT, epochs=100, unmet=QUALITY),
    "It learned next to nothing (val/mAP50 0.010)": Case(metrics={"val/mAP50": 0.01}),
    "worse on test than on val (mAP50 0.800 against 0.900)": Case(metrics={"val/mAP50": 0.9, "test/mAP50": 0.8}),
    "Few boxes of a class (handle 12, over all splits)": Case(counted={"door": 500, "handle": 12}),
    "The weakest class is handle (mAP50 0.500, the others 0.900)": Case(
        per_class={"door": {"mAP50": 0.9}, "lock": {"mAP50": 0.9}, "handle": {"mAP50": 0.5}}
    ),
    "misses more than it invents (precision 0.950, recall 0.700 at confidence 0.25)": Case(
        operating={"confidence": 0.25, "precision": 0.95, "recall": 0.7}
    ),
    "invents more than it misses (precision 0.700, recall 0.950 at confidence 0.25)": Case(
        operating={"confidence": 0.25, "precision": 0.7, "recall": 0.95}
    ),
    "5 boxes count as false though the model is sure of them": Case(sure=5),
    "Too slow on this hardware": Case(unmet=["speed/inference"]),
    "No curve shows why": Case(rows=[{"epoch": 1}], epochs=1, unmet=QUALITY),
}


ACCURACY = "metrics/accuracy_top1"
OF_CLASSIFIERS = {
    "It learned next to nothing (val/accuracy_top1 0.610, and always saying the most frequent class would give": {
        "metrics": {"val/accuracy_top1": 0.61}, "counted": {"door": 600, "wall": 400},
    },
    "The metric val/accuracy still rose at the end (+0.030 over the last 4 epochs)": {
        "rows": [{"epoch": at + 1, ACCURACY: 0.3 + 0.0075 * at} for at in range(40)], "epochs": 40,
    },
    "The loss on val rises since epoch 11 while that on train falls": {
        "rows": [
            {"train/loss": 1 - 0.02 * at, "val/loss": 1 - 0.03 * at if at <= 10 else 0.7 + 0.02 * (at - 10)}
            for at in range(40)
        ], "epochs": 40,
    },
    "worse on test than on val (accuracy_top1 0.800 against 0.900)": {
        "metrics": {"val/accuracy_top1": 0.9, "test/accuracy_top1": 0.8},
    },
    "Few images of a class (wall 12, over all splits)": {"counted": {"door": 500, "wall": 12}},
    "The weakest class is wall (recall 0.500, the others 0.900)": {
        "per_class": {"door": {"recall": 0.9}, "wall": {"recall": 0.5}},
    },
    "4 images are taken for another class though the model is sure": {"sure": 4},
    "a smaller model, or a smaller imgsz (now 224)": {"unmet": ["speed/inference"], "imgsz": 224},
}  # fmt: skip


@pytest.mark.parametrize("line", OF_CLASSIFIERS)
def test_a_classifier_gets_advice_about_images_and_not_about_boxes(line):
    (told,) = advise(Case(classifies=True, **OF_CLASSIFIERS[line]))
    assert line in told
    assert "box" not in told


@pytest.mark.parametrize(("line", "case"), CASES.items(), ids=[line[:30] for line in CASES])
def test_advice_comes_with_the_numbers_that_speak_for_it(line, case):
    (found,) = advise(case)
    assert line in found


GOOD = {
    "metrics": {"val/mAP50": 0.95, "test/mAP50": 0.93},
    "counted": {"door": 500, "lock": 40},
    "per_class": {"door": {"mAP50": 0.94}, "lock": {"mAP50": 0.92}},
    "operating": {"confidence": 0.25, "precision": 0.93, "recall": 0.9},
}


def test_a_good_run_gets_none():
    assert advise(Case(rows=rows([0.7] * 100), epochs=100, **GOOD)) == []
    assert advise(Case()) == []


@pytest.mark.parametrize(
    "case",
    [
        Case(rows=rows([0.1, 0.2, 0.4]), epochs=3),
        Case(rows=rows([0.3 + 0.01 * number for number in range(40)]), epochs=100),
        Case(rows=[{"epoch": 1}] * 50, epochs=50),
        Case(operating={"confidence": 0.25, "precision": None, "recall": 0.0}),
        Case(metrics={"accuracy": 0.01}),
        Case(sure=2),
    ],
    ids=[
        "too short to tell",
        "stopped by patience, with its gates met",
        "No curves",
        "nothing predicted",
        "own metrics",
        "a few sure errors",
    ],
)
def test_what_the_numbers_do_not_say_is_not_said(case):
    assert advise(case) == []


SWINGS = [0.3 + 0.014 * at for at in range(20)] + [0.42] * 7 + [0.425, 0.43, 0.432]
"""Best in epoch 20, much worse after it, and rising again a little in the end."""


def test_after_a_best_epoch_long_ago_it_does_not_still_rise():
    (told,) = advise(
        Case(
            rows=rows(SWINGS, [1 - 0.02 * at for at in range(30)], [0.7 + 0.02 * abs(at - 19) for at in range(30)]),
            epochs=30,
        )
    )
    assert told.startswith("The loss on val rises since epoch 20")


def test_what_still_rises_is_not_learned_by_heart():
    losses = [1 - 0.02 * at for at in range(30)], [0.7 + 0.02 * abs(at - 9) for at in range(30)]
    (told,) = advise(Case(rows=rows([0.3 + 0.01 * at for at in range(30)], *losses), epochs=30))
    assert told.startswith("The metric val/mAP50-95 still rose at the end")
    (told,) = advise(Case(rows=rows([0.3 + 0.01 * at for at in range(30)], *losses), epochs=30, best_epoch=9))
    assert told.startswith("The loss on val rises since epoch 10"), "what the trainer saved is what counts"


@pytest.mark.parametrize("case", [*CASES.values(), *(Case(classifies=True, **one) for one in OF_CLASSIFIERS.values())])
def test_advice_is_a_sentence_about_what_its_reader_has(case):
    for line in advise(case):
        assert line[0].isupper() or line[0].isdigit()
        assert "train_batch" not in line


def test_a_metric_that_is_no_number_is_next_to_nothing():
    assert "nothing" in advise(Case(metrics={"val/mAP50": float("nan")}))[0]
