import pytest

from containerid.training.gates import judge


def unmet(gates: dict[str, float], metrics: dict[str, float]) -> list[str]:
    return [str(gate) for gate in judge(gates, metrics) if not gate.met]


@pytest.mark.parametrize(
    ("gate", "value", "phrase"),
    [
        ({"val/mAP50": 0.9}, 0.9, []),
        ({"val/mAP50": 0.9}, 0.8999, ["val/mAP50 0.8999 < 0.9"]),
        ({"speed/inference": 50}, 50.0, []),
        ({"speed/inference": 50}, 51.0, ["speed/inference 51 > 50"]),
        ({"val/mAP50": 0.9}, float("nan"), ["val/mAP50 nan < 0.9"]),
        ({"speed/inference": 50}, float("nan"), ["speed/inference nan > 50"]),
    ],
)
def test_a_gate_is_a_bound_on_the_right_side(gate: dict[str, float], value: float, phrase: list[str]) -> None:
    assert unmet(gate, dict.fromkeys(gate, value)) == phrase


def test_what_was_not_measured_meets_no_gate() -> None:
    assert unmet({"test/mAP50": 0.1}, {"val/mAP50": 1}) == ["test/mAP50 was not measured"]


def test_every_gate_is_told_with_its_bound_and_its_value() -> None:
    gates = {"val/mAP50": 0.9, "speed/inference": 50, "test/mAP50": 0.8}
    found = judge(gates, {"val/mAP50": 0.91, "speed/inference": 61.5})
    assert [(gate.metric, gate.kind, gate.bound, gate.value, gate.met) for gate in found] == [
        ("val/mAP50", "at least", 0.9, 0.91, True),
        ("speed/inference", "at most", 50, 61.5, False),
        ("test/mAP50", "at least", 0.8, None, False),
    ]
    assert str(found[0]) == "val/mAP50 0.91 ≥ 0.9"
