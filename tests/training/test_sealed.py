import base64
import os
from pathlib import Path

import pytest

from containerid.training import secrets
from containerid.training.log import Redactor
from containerid.training.sealed import CannotOpen, Sealed, key_file, key_id, seal, unseal

VALUE = "one line\nand another: ü"
KEY = bytes(range(32))


@pytest.fixture(params=["datasets/ada/cid-vault", "cid-vault"])
def mounts(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Both layouts that Kaggle has."""
    folder = tmp_path / request.param
    folder.mkdir(parents=True)
    (folder / key_file(key_id(KEY))).write_bytes(base64.b64encode(KEY))
    return tmp_path


def closed(run: str = "r1", name: str = secrets.WANDB, key: bytes = KEY) -> str:
    return str(seal(VALUE, name=name, run=run, key=key, dataset="ada/cid-vault"))


def test_what_was_sealed_opens_for_its_run(mounts: Path) -> None:
    assert unseal(closed(), name=secrets.WANDB, run="r1", mounts=mounts) == VALUE


def test_the_same_value_never_looks_the_same() -> None:
    assert closed() != closed()
    assert Sealed.read(closed()).dataset == "ada/cid-vault"


@pytest.mark.parametrize(("run", "name"), [("r2", secrets.WANDB), ("r1", secrets.GDRIVE)])
def test_it_opens_for_no_other_run_and_under_no_other_name(mounts: Path, run: str, name: str) -> None:
    with pytest.raises(CannotOpen, match="another run or name"):
        unseal(closed(), name=name, run=run, mounts=mounts)


def test_a_changed_bit_keeps_it_closed(mounts: Path) -> None:
    sealed = Sealed.read(closed())
    changed = Sealed(sealed.dataset, sealed.key_id, bytes([sealed.content[0] ^ 1]) + sealed.content[1:])
    with pytest.raises(CannotOpen, match="was changed"):
        unseal(str(changed), name=secrets.WANDB, run="r1", mounts=mounts)


def test_another_key_in_the_dataset_is_told(mounts: Path) -> None:
    with pytest.raises(CannotOpen, match="does not hold this run's key"):
        unseal(closed(key=os.urandom(32)), name=secrets.WANDB, run="r1", mounts=mounts)


def test_a_key_that_is_not_what_its_name_says_is_told(mounts: Path) -> None:
    (path,) = mounts.rglob("*.key")
    path.write_bytes(base64.b64encode(os.urandom(32)))
    with pytest.raises(CannotOpen, match="not the one that its name says"):
        unseal(closed(), name=secrets.WANDB, run="r1", mounts=mounts)


def test_without_the_dataset_it_stays_closed(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen, match="ada/cid-vault, which holds the key, is not attached"):
        unseal(closed(), name=secrets.WANDB, run="r1", mounts=tmp_path)


@pytest.mark.parametrize("text", ["", "cid1:x", "cid2:ada/cid-vault:0123456789abcdef:AAAA", "gAAAAA=="])
def test_what_was_not_sealed_is_told(text: str) -> None:
    with pytest.raises(CannotOpen, match="not sealed by this version"):
        Sealed.read(text)


def test_a_sealed_secret_comes_first_and_nothing_is_written(mounts: Path, tmp_path: Path) -> None:
    redactor, environ = Redactor(), {secrets.WANDB: "e" * 40}
    before = sorted(tmp_path.rglob("*"))
    parcel = secrets.Parcel("r1", {secrets.WANDB: closed()}, mounts)
    found = secrets.collect([], redactor, environ, parcel)
    assert str(found[secrets.WANDB]) == "WANDB_API_KEY: from the spec (hidden)"
    assert environ == {secrets.WANDB: VALUE}
    assert redactor.clean(VALUE) == "[redacted]"
    assert sorted(tmp_path.rglob("*")) == before


def test_one_that_stays_closed_falls_back_and_says_why(tmp_path: Path) -> None:
    parcel = secrets.Parcel("r1", {secrets.WANDB: closed()}, tmp_path)
    found = secrets.collect([], Redactor(), {secrets.WANDB: "e" * 40}, parcel)[secrets.WANDB]
    assert (found.origin, "is not attached" in found.problem) == ("environment", True)
    nowhere = secrets.collect([], Redactor(), {}, parcel)[secrets.WANDB]
    assert str(nowhere).startswith("WANDB_API_KEY: not set (sealed: the dataset ada/cid-vault")


def test_outputs_are_swept(tmp_path: Path) -> None:
    redactor = Redactor()
    redactor.add("s3cret-value-of-run")
    (tmp_path / "a.json").write_text('{"k": "s3cret-value-of-run", "ü": 1}', encoding="utf-8")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/best.pt").write_bytes(b"\0" * 100)
    (tmp_path / "weights/bad.pt").write_bytes(b"\0s3cret-value-of-run\xff")
    told = secrets.sweep(tmp_path, redactor)
    assert told == [
        "a.json held a secret, which was taken out of it",
        "weights/bad.pt held a secret, and was taken out of the outputs",
    ]
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{"k": "[redacted]", "ü": 1}'
    assert (tmp_path / "weights/best.pt").read_bytes() == b"\0" * 100
    assert secrets.sweep(tmp_path, redactor) == []
