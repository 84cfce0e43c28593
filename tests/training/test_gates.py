import pytest

from containerid.training.gates import unmet


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
