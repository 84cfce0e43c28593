import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fakes.gpus import NO_KERNEL, P100, T4, Torch, broken

from containerid.errors import RunFailed
from containerid.job import Spec
from containerid.training import hardware

_PATHS = {"PYTHONPATH": str(Path(__file__).parents[2])}
REHEARSAL = {"CID_REHEARSAL": "1"}


def prove(torch: Torch, environ: dict[str, str] | None = None, **asked: Any) -> hardware.Hardware:
    return hardware.prove(Spec(run="r1", **{"backend": "kaggle", **asked}), environ=environ or {}, torch=torch)


def test_two_gpus_are_one_line() -> None:
    found = prove(Torch(T4, T4))
    assert found.proof == "2 × Tesla T4 (15 GiB, sm_75)"
    assert (found.kind, found.device) == ("cuda", "0")


def test_different_gpus_are_all_named() -> None:
    assert prove(Torch(T4, ("L4", 22, (8, 9)))).proof == "Tesla T4 (15 GiB, sm_75), L4 (22 GiB, sm_89)"


@pytest.mark.parametrize("asked", [{}, {"device": "cuda"}, {"device": "cuda", "backend": "local"}])
def test_a_gpu_that_was_asked_for_and_is_not_there_stops(asked: dict[str, str]) -> None:
    with pytest.raises(RunFailed, match="a GPU was asked for, and there is none"):
        prove(Torch(), **asked)


def test_a_cpu_build_is_named_as_the_cause() -> None:
    with pytest.raises(RunFailed, match="is a CPU build"):
        prove(Torch(cuda=None))


def test_a_gpu_without_code_for_it_is_not_a_gpu() -> None:
    with pytest.raises(RunFailed, match=r"no code for the GPU Tesla P100.*sm_60.*built for sm_70 sm_75") as error:
        prove(broken(NO_KERNEL, P100))
    assert "NvidiaTeslaT4" in error.value.hint


def test_every_gpu_has_to_compute() -> None:
    with pytest.raises(RunFailed, match="does not compute: CUDA error: unspecified launch failure"):
        prove(broken("CUDA error: unspecified launch failure", T4, T4, on=[1]))


def test_a_gpu_that_multiplies_wrongly_is_refused() -> None:
    with pytest.raises(RunFailed, match="multiplies wrongly"):
        prove(broken("wrong", T4))


def test_a_rehearsal_says_that_it_was_one() -> None:
    found = prove(Torch(), REHEARSAL, device="cuda")
    assert (found.kind, found.proof, found.device) == ("cpu", "rehearsed on CPU", "cpu")


def test_a_rehearsal_uses_the_gpu_that_is_there() -> None:
    assert prove(Torch(T4), REHEARSAL).proof == "Tesla T4 (15 GiB, sm_75)"


@pytest.mark.parametrize("asked", [{"device": "cpu"}, {"gpu": False}, {"backend": "local"}])
def test_who_does_not_ask_for_a_gpu_gets_the_cpu(asked: dict[str, Any]) -> None:
    assert prove(Torch(), **asked).proof == "CPU"


def test_cpu_means_cpu_even_beside_a_gpu() -> None:
    assert prove(Torch(T4), device="cpu").kind == "cpu"


def test_an_apple_gpu_is_taken_where_there_is_one() -> None:
    assert prove(Torch(mps=True), backend="local").device == "mps"
    with pytest.raises(RunFailed, match="an Apple GPU was asked for"):
        prove(Torch(T4), device="mps")


@pytest.mark.parametrize(
    ("named", "devices"),
    [(1, "1"), ([1, 0], "1,0"), ("cuda:1", "1"), ("0,1", "0,1"), ("all", "0,1"), ("auto", "0"), ("cuda", "0")],
)
def test_the_device_of_the_parameters_counts_when_the_command_names_none(named: object, devices: str) -> None:
    found = prove(Torch(T4, T4), params={"training": {"device": named}})
    assert found.devices == devices
    assert found.device == devices.partition(",")[0]
    assert found.single.devices == found.device


def test_what_is_there_is_told_with_what_is_used() -> None:
    told = prove(Torch(T4, T4), device="1").told()
    assert [gpu["used"] for gpu in told["gpus"]] == [False, True]
    assert told["gpus"][0]["capability"] == "sm_75"
    assert told["threads"] >= 1


def test_the_driver_is_read_where_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "version"
    assert hardware.driver(file) == ""
    file.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  560.35.03  Fri Aug 16\nGCC version: 11\n")
    assert hardware.driver(file) == "560.35.03"


BF16 = {"training": {"amp": "bf16"}}


@pytest.mark.parametrize("torch", [Torch(), Torch(T4), Torch(("L4", 22, (8, 9)), T4)], ids=["CPU", "T4", "one of two"])
def test_a_precision_that_the_hardware_has_not_stops_before_anything_is_installed(torch: Torch) -> None:
    asked = {"training": {**BF16["training"], "device": "all"}} if torch.cuda.is_available() else BF16
    needed = r"amp: bf16 needs a GPU of sm_80 or newer, and this is (CPU|Tesla T4)"
    with pytest.raises(RunFailed, match=needed) as error:
        prove(torch, params=asked, backend="local")
    assert "training.amp: true" in error.value.hint


def test_a_precision_that_the_gpus_in_use_have_is_used() -> None:
    assert prove(Torch(("L4", 22, (8, 9)), T4), params=BF16).index == 0
    assert prove(Torch(("B200", 180, (10, 0))), params=BF16).index == 0
    assert prove(Torch(T4), params=BF16, entry="doors.train").index == 0, "what its parameters mean is its own business"


def test_a_gpu_number_that_is_not_there_is_refused() -> None:
    with pytest.raises(RunFailed, match="GPU 2 was asked for, and there are 2"):
        prove(Torch(T4, T4), params={"training": {"device": 2}})


def test_this_machine_can_be_proven(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(Spec(run="r1", device="cpu").to_dict()), encoding="utf-8")
    assert hardware.main(["--spec", str(spec)]) == 0
    assert capsys.readouterr().out == "CPU\n"


def test_the_command_ends_with_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hardware.main(["--spec", str(tmp_path / "none.json")]) == 7
    assert "none.json cannot be read" in capsys.readouterr().out.splitlines()[-1]


def test_it_needs_no_package_that_is_not_installed_yet() -> None:
    code = (
        "import sys, containerid.training.hardware\n"
        "print({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names) - {'__main__'})"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, env=_PATHS)
    assert done.stdout == "{'containerid'}\n"
