import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stamina

from containerid.clock import Clock
from containerid.events import Event
from containerid.home import Home
from containerid.job import Spec
from containerid.kaggle import kernel
from containerid.kaggle.account import Account
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.kaggle.vault import Vault
from containerid.training.sealed import CannotOpen, Sealed, key_id, unseal

NAME, VALUE = "WANDB_API_KEY", "v4lue-" + "x" * 40


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=3):
        yield


@pytest.fixture
def make(kaggle: EmbeddedKaggle, tmp_path: Path) -> Callable[[str], Vault]:
    """A vault of one machine; each name is a machine with a home of its own."""

    def vault(machine: str = "laptop") -> Vault:
        home, clock = Home(tmp_path / machine), Clock(sleep=lambda _: None)
        return Vault(Account(home, "", rehearses=False, clock=clock), home, clock)

    return vault


def quiet(event: Event) -> None:
    pass


def rpcs(kaggle: EmbeddedKaggle) -> list[str]:
    return [call.rpc for call in kaggle.calls]


def mounts(tmp_path: Path, slug: str = "cid-vault") -> Path:
    """What a kernel would mount of the newest version, laid out as Kaggle does."""
    versions = tmp_path / "kaggle/datasets/alice" / slug
    newest = max(versions.iterdir(), key=lambda path: int(path.name))
    place = tmp_path / "mounted" / newest.name / "datasets/alice"
    place.mkdir(parents=True, exist_ok=True)
    if not (place / slug).exists():
        (place / slug).symlink_to(newest)
    return place.parents[1]


def test_the_key_lies_in_a_private_dataset_and_opens_the_value(make, kaggle, tmp_path):
    spec = make().seal(Spec(run="r1"), {NAME: VALUE}, quiet)
    assert VALUE not in str(spec)
    (create,) = (call.body for call in kaggle.calls if call.rpc == "CreateDataset")
    assert (create["slug"], create["isPrivate"]) == ("cid-vault", True)
    assert unseal(spec.secrets[NAME], name=NAME, run="r1", mounts=mounts(tmp_path)) == VALUE
    options = kernel.KernelOptions(owner="alice")
    assert kernel.metadata(spec, options)["dataset_sources"] == ["alice/cid-vault"]
    assert kernel.metadata(Spec(run="r2"), options)["dataset_sources"] == []


def test_the_second_run_sends_nothing(make, kaggle):
    make().seal(Spec(run="r1"), {NAME: VALUE}, quiet)
    before = len(kaggle.calls)
    make().seal(Spec(run="r2"), {NAME: VALUE}, quiet)
    assert rpcs(kaggle)[before:] == ["GetDatasetStatus", "ListDatasetFiles"]


def test_a_new_key_leaves_the_one_before_for_runs_that_wait(make, kaggle, tmp_path):
    first = make().seal(Spec(run="r1"), {NAME: VALUE}, quiet)
    assert make().renew(quiet) == "alice/cid-vault"
    second = make().seal(Spec(run="r2"), {NAME: VALUE}, quiet)
    for run, spec in (("r1", first), ("r2", second)):
        assert unseal(spec.secrets[NAME], name=NAME, run=run, mounts=mounts(tmp_path)) == VALUE
    make().renew(quiet)
    with pytest.raises(CannotOpen):
        unseal(first.secrets[NAME], name=NAME, run="r1", mounts=mounts(tmp_path))
    versions = [path for path in (tmp_path / "kaggle/datasets/alice/cid-vault").iterdir() if path.is_dir()]
    assert len(versions) == 1, "an older version still holds an old key"


def test_a_dataset_that_was_deleted_is_made_again(make, kaggle, alice, tmp_path):
    make().seal(Spec(run="r1"), {NAME: VALUE}, quiet)
    alice.rpc("DeleteDataset", ownerSlug="alice", datasetSlug="cid-vault")
    spec = make().seal(Spec(run="r2"), {NAME: VALUE}, quiet)
    assert unseal(spec.secrets[NAME], name=NAME, run="r2", mounts=mounts(tmp_path)) == VALUE


def test_another_machine_has_a_vault_of_its_own(make, tmp_path):
    make().seal(Spec(run="r1"), {NAME: VALUE}, quiet)
    spec = make("desktop").seal(Spec(run="r2"), {NAME: VALUE}, quiet)
    dataset = Sealed.read(spec.secrets[NAME]).dataset
    assert dataset.startswith("alice/cid-vault-")
    assert unseal(spec.secrets[NAME], name=NAME, run="r2", mounts=mounts(tmp_path, dataset.partition("/")[2])) == VALUE


def test_the_key_is_in_no_call_and_no_file_of_this_machine_but_the_keychain(make, kaggle, tmp_path):
    spec = make().seal(Spec(run="r1"), {NAME: VALUE}, quiet)
    (path,) = (tmp_path / "kaggle/datasets/alice/cid-vault").rglob("*.key")
    key = path.read_bytes()
    assert key_id(base64.b64decode(key)) == Sealed.read(spec.secrets[NAME]).key_id
    holding = {each.name for each in (tmp_path / "laptop").rglob("*") if each.is_file() and key in each.read_bytes()}
    assert holding == {"secrets.json"}
    assert key.decode() not in str([call.body for call in kaggle.calls])


def test_how_it_stands_is_told(make, kaggle, alice):
    assert make().look() == ("", "")
    make().seal(Spec(run="r1"), {NAME: VALUE}, quiet)
    assert make().look() == ("alice/cid-vault", "")
    alice.rpc("DeleteDataset", ownerSlug="alice", datasetSlug="cid-vault")
    assert "does not hold this machine's key" in make().look()[1]
