from containerid.config.layers import Layer, merge


def test_sections_are_merged_and_values_replaced():
    base = Layer({"training": {"epochs": 3, "imgsz": 64}, "tags": [1]})
    assert merge(base, Layer({"training": {"epochs": 5}, "tags": [2]})).value == {
        "training": {"epochs": 5, "imgsz": 64},
        "tags": [2],
    }


def test_an_empty_section_that_is_written_out_clears_and_one_left_blank_does_not():
    base = Layer({"gates": {"val/mAP50": 0.9}})
    assert merge(base, Layer({"gates": {}})).value == {"gates": {}}
    assert merge(base, Layer({"gates": None})).value == {"gates": {"val/mAP50": 0.9}}
