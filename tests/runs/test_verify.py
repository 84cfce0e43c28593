import json

import pytest

from containerid.errors import CidError, NotFound, OutputsUnverified
from containerid.job import State
from containerid.runs.fetch import fetch
from containerid.runs.find import find
from containerid.runs.resume import resume
from containerid.runs.verify import verify


@pytest.fixture
def fetched(submitted, platform, home):
    run = submitted()
    platform.files = {"weights/best.pt": b"weights" * 1000, "results.csv": b"epoch\n1\n"}
    platform.finish(run.run)
    return fetch(run, home=home)


def test_outputs_as_they_were_written_are_verified_again(fetched, home, tmp_path):
    findings = verify(fetched, home=home)
    assert findings.verified
    assert findings.good == ("result.json", "results.csv", "weights/best.pt")
    assert findings.unknown == (), "the log is cid's own"


def test_a_file_that_was_changed_or_removed_is_named_and_the_registry_knows(fetched, home, registry, tmp_path):
    folder = tmp_path / "runs" / fetched.run
    (folder / "weights/best.pt").write_bytes(b"weighty" * 1000)
    (folder / "results.csv").unlink()
    (folder / "notes.txt").write_text("mine")
    findings = verify(fetched, home=home)
    assert (findings.changed, findings.missing) == (("weights/best.pt",), ("results.csv",))
    assert "notes.txt" in findings.unknown
    assert registry.get(fetched.run).verified is False
    assert fetch(registry.get(fetched.run), home=home).verified
    assert verify(fetched, home=home).verified
    assert registry.get(fetched.run).verified


def test_a_link_in_place_of_a_file_is_not_the_file(fetched, home, tmp_path):
    path = tmp_path / "runs" / fetched.run / "results.csv"
    path.rename(tmp_path / "elsewhere.csv")
    path.symlink_to(tmp_path / "elsewhere.csv")
    assert verify(fetched, home=home).missing == ("results.csv",)


def test_outputs_that_were_never_fetched_or_are_gone_are_said(submitted, fetched, home, registry, tmp_path):
    with pytest.raises(NotFound, match="not fetched"):
        verify(registry.move(submitted("exp002-1").run, State.SUCCEEDED), home=home)
    (tmp_path / "runs" / fetched.run).rename(tmp_path / "moved")
    with pytest.raises(NotFound, match="is gone"):
        verify(fetched, home=home)


def test_without_a_manifest_nothing_can_be_said(fetched, home, tmp_path):
    (tmp_path / "runs" / fetched.run / "manifest.json").write_text("{}")
    with pytest.raises(OutputsUnverified, match="no manifest"):
        verify(fetched, home=home)


def test_the_command_tells_it_in_one_document_and_its_exit_code(fetched, cid, tmp_path):
    assert (cid("verify", fetched.run).code, cid("verify", fetched.run, "--json").document["good"]) == (0, 3)
    (tmp_path / "runs" / fetched.run / "results.csv").unlink()
    said = cid("verify", fetched.run, "--json")
    assert (said.code, json.loads(said.out)["missing"]) == (10, ["results.csv"])
    assert f"cid fetch {fetched.run}" in said.err


def test_a_foreign_kernel_is_named_as_it_is_found(registry, home, platform):
    for ask in (verify, resume):
        with pytest.raises(CidError) as failure:
            ask(find(registry, "bob/his-kernel", backend="platform"), home=home)
        assert "bob/his-kernel" in failure.value.hint
