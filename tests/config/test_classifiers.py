"""The names of timm's models are known without importing it."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from containerid.config import Params, classifiers
from containerid.errors import ConfigError


def of(name: str) -> Params:
    return Params.from_dict({"model": {"architecture": f"timm/{name}", "pretrained": False}})


@pytest.mark.training
def test_the_list_and_what_is_read_off_the_files_are_what_timm_says() -> None:
    """When the version moves: write `timm.list_models()` to containerid/templates/timm-models.txt, a line each."""
    timm = pytest.importorskip("timm")
    assert metadata.version("timm") == classifiers.VERSION
    assert classifiers.listed() == set(timm.list_models())
    installed = classifiers.installed()
    assert set(timm.list_models()) < installed
    assert all(map(timm.is_model, installed)), "old names are taken too"


def test_an_unknown_name_is_refused_with_the_nearest_where_timm_is_installed() -> None:
    pytest.importorskip("timm")
    with pytest.raises(ConfigError) as caught:
        of("resnet81")
    assert str(caught.value) == (
        f"model.architecture: timm {metadata.version('timm')}, which is installed here, has no such model "
        "(did you mean `timm/resnet18`?); a newer one may"
    )
    assert of("resnet18.a1_in1k").warnings() == of("resnet18").warnings() == ()


def test_where_timm_is_not_installed_an_unknown_name_is_doubted_and_not_refused() -> None:
    assert classifiers.refused("timm/resnet81", here=frozenset()) == ""
    assert classifiers.doubted("timm/resnet81", here=frozenset()) == (
        f"timm {classifiers.VERSION} has no model `resnet81` (did you mean `timm/resnet18`?); a newer one may, and "
        "decides where it trains"
    )
    assert classifiers.doubted("timm/resnet18.a1_in1k", here=frozenset()) == ""


def test_what_one_of_both_knows_is_taken() -> None:
    """The timm where it trains may be newer than the list, and newer than the one that is installed here."""
    assert classifiers.refused("timm/resnet9000", here=frozenset({"resnet9000"})) == ""
    assert classifiers.refused("timm/resnet18", here=frozenset({"resnet9000"})) == ""


def test_names_are_read_off_the_files(tmp_path: Path) -> None:
    (tmp_path / "resnet.py").write_text(
        "@register_model\n@other\ndef resnet9000(pretrained=False):\n    ...\n\n\ndef helper(x): ...\n"
        "register_model_deprecations(__name__, {\n    'resnet_old': 'resnet9000.in1k',\n})\n"
    )
    assert classifiers.names_in(tmp_path) == {"resnet9000", "resnet_old"}


def test_names_are_looked_up_without_importing_timm_or_torch() -> None:
    asks = (
        "import sys\nfrom containerid.config import Params, classifiers\n"
        "Params.check({'model': {'architecture': 'timm/resnet81'}})\n"
        "print(len(classifiers.installed()), {'timm', 'torch'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True).stdout.split(" ", 1)
    assert said[1].strip() == "set()"
