"""What is packed comes out of the file as it went in."""

import io
from typing import Any

import pytest
import torch

from containerid.training.packing import Packer


def through_a_file(content: Any) -> Any:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


def test_a_tree_comes_out_as_it_went_in() -> None:
    tree = {
        "state": {
            0: {"step": torch.tensor(3.0), "average": torch.arange(6.0).view(2, 3)},
            1: {"step": torch.tensor(1)},
        },
        "half": torch.tensor([0.5], dtype=torch.float16),
        "none": torch.empty(0),
        "groups": [{"lr": 0.01, "params": [0, 1]}],
        "nothing": None,
    }
    found = through_a_file(Packer().pack("any", tree))
    assert found["groups"] == tree["groups"]
    assert found["nothing"] is None
    for path in (("state", 0, "step"), ("state", 0, "average"), ("state", 1, "step"), ("half",), ("none",)):
        one: Any = tree
        other: Any = found
        for key in path:
            one, other = one[key], other[key]
        assert torch.equal(one, other)
        assert one.dtype == other.dtype


def test_what_was_packed_first_is_packed_anew() -> None:
    packer, weights = Packer(), {"a": torch.zeros(2), "b": torch.zeros(3)}
    packer.pack("model", weights)
    weights["b"] += 1
    packer.pack("other", {"b": torch.full((5,), 7.0)})
    assert through_a_file(packer.pack("model", weights))["b"].tolist() == [1, 1, 1]
    assert through_a_file(packer.pack("model", {})) == {}
    assert through_a_file(packer.pack("model", {"a": torch.ones(9)}))["a"].sum() == 9


def test_a_model_is_its_structure_and_the_numbers_of_now() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.BatchNorm1d(64))
    model[0].weight.requires_grad = False
    packer = Packer()
    packer.pack_model("ema", model)
    with torch.no_grad():
        model[0].bias += 3
    packed = packer.pack_model("ema", model)
    assert len(packed.structure) < 64 * 64 * 2, "the numbers are not in it twice"
    found = through_a_file({"ema": packed})["ema"]
    assert not found[0].weight.requires_grad
    for one, other in zip(model.state_dict().values(), found.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    image = torch.ones(4, 64)
    assert torch.equal(model(image), found(image))


@pytest.mark.parametrize("name", ["yolo11n.yaml", "yolo26n.yaml"])
def test_a_real_model_predicts_what_it_did(name: str) -> None:
    from ultralytics.nn import tasks

    model = tasks.DetectionModel(name, verbose=False)
    found = through_a_file(Packer().pack_model("ema", model))
    with torch.no_grad():
        one, other = (each.eval()(torch.full((1, 3, 64, 64), 0.3))[0] for each in (model, found))
    assert torch.equal(one, other)
