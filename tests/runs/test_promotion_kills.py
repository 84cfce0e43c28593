"""Kill -9 at every step of a promotion: the next command leaves all of it, or nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import dvc as fake
from fakes.models import Studio
from fakes.monkey import Monkey

from containerid.runs import promotion
from containerid.runs.registry import Registry

pytestmark = pytest.mark.kills


@pytest.fixture
def monkey(tmp_path: Path) -> Iterator[Monkey]:
    with Monkey(tmp_path) as runner:
        yield runner


def studio_at(folder: Path) -> Studio:
    studio = Studio(folder)
    studio.project.commit("weights/detection/.gitignore", "/old.pt\n")
    studio.project.git("push", "-q")
    studio.run()
    studio.mess()
    studio.project.write("weights/detection/.gitignore", "/old.pt\n/mine.pt\n")
    return studio


@pytest.mark.parametrize("how", ["--push", "--no-push"])
def test_killed_at_any_step_it_is_whole_or_nothing(tmp_path, monkey, how):
    environment = {"CID_DVC": str(fake.program(tmp_path))}

    def promote(studio: Studio, step: int = 0):
        told = {**environment, "CID_HOME": str(studio.home.root)}
        return monkey.cid("promote", "exp001", how, "-y", "--json", cwd=studio.root, step=step, **told)

    whole = studio_at(tmp_path / "whole")
    first = promote(whole)
    assert first.code == 0, first
    assert first.steps >= 20
    seen = set()
    begin = 1 if how == "--push" else 5  # where they begin to differ
    for step in range(begin, first.steps + 1):
        studio = studio_at(tmp_path / f"at{step}")
        before = studio.picture()
        assert promote(studio, step).killed, step
        after = studio.picture()
        taken = any(ref.startswith("refs/tags/") for ref in after["remote"])
        final = taken or "refs/tags/" in after["refs"]
        if not (studio.root / ".dvc").exists() and not taken:
            assert after == before, step  # nothing has taken its place: not even the next command is needed
        promotion.recover(studio.root, studio.home, lambda _: None)
        assert studio.stages() == [], step
        seen.add(final)
        if not final:
            assert studio.picture() == before, step
            continue
        (model,) = promotion_of(studio)
        assert studio.project.git("rev-parse", "main") == model.commit, step
        assert studio.project.status() == whole.project.status(), step
        assert shown(studio) == shown(whole), step
    assert seen == {True, False}
    last = promote(studio)
    assert last.document["created"] is False


def promotion_of(studio: Studio):
    from containerid import runs

    return runs.models(studio.root)


def shown(studio: Studio) -> dict[str, bytes]:
    """The files, but for what names a place of this very studio."""
    files = studio.files()
    del files[".dvc/config"]
    return files


def test_the_next_promotion_begins_with_what_was_cut_short(tmp_path, monkey):
    studio = studio_at(tmp_path / "studio")
    environment = {"CID_DVC": str(fake.program(tmp_path)), "CID_HOME": str(studio.home.root)}
    order = ("promote", "exp001", "-y", "--json")
    assert monkey.cid(*order, cwd=studio.root, step=4, **environment).killed
    assert studio.stages()
    said = monkey.cid(*order, cwd=studio.root, **environment)
    assert said.code == 0, said
    assert "undone: a promotion that was cut short" in said.err
    assert said.document["created"] is True
    assert studio.stages() == []


def test_the_doctor_mends_it_too(tmp_path, monkey):
    studio = studio_at(tmp_path / "studio")
    before = studio.picture()
    environment = {"CID_DVC": str(fake.program(tmp_path)), "CID_HOME": str(studio.home.root)}
    assert monkey.cid("promote", "exp001", "--no-push", "-y", cwd=studio.root, step=12, **environment).killed
    said = monkey.cid("doctor", "--json", cwd=studio.root, **environment)
    (check,) = [each for each in said.document["checks"] if each["name"] == "promotion"]
    assert check["found"] == "undone: a promotion that was cut short"
    assert studio.picture() == before
    assert Registry(studio.home.registry).get("exp001-1").verified
