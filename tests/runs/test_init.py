"""`cid init`: a folder that can be submitted at once, and nothing of the user's touched."""

from pathlib import Path

import pytest

from containerid import config
from containerid.errors import CidError
from containerid.events import Event, Step
from containerid.runs.init import init

ROOT = Path(__file__).parents[2]


def test_a_new_folder_gets_three_files_and_says_so(tmp_path: Path) -> None:
    told: list[Event] = []
    written = init(tmp_path, told.append)
    assert [path.name for path in written] == ["params.yaml", ".gitignore", ".dvcignore"]
    assert [event.detail.split(":")[0] for event in told if isinstance(event, Step)] == [it.name for it in written]


def test_the_second_time_changes_nothing(tmp_path: Path) -> None:
    init(tmp_path, lambda _: None)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert init(tmp_path, lambda _: None) == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_what_the_user_wrote_stays_and_only_missing_lines_are_added(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("mine: 1\n", encoding="utf-8")
    (tmp_path / ".gitignore").write_bytes(b"runs/\n# \xff mine\r\n*.pt")
    init(tmp_path, lambda _: None)
    assert (tmp_path / "params.yaml").read_text(encoding="utf-8") == "mine: 1\n"
    lines = (tmp_path / ".gitignore").read_bytes()
    assert lines.startswith(b"runs/\n# \xff mine\r\n*.pt\n\n")
    assert lines.count(b"runs/") == lines.count(b"*.pt") == 1
    assert {b".cid/", b"wandb/", b"kaggle.json", b".env"} <= set(lines.splitlines())


def test_no_comment_is_added_without_a_line_below_it(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("kaggle.json\n.env\n", encoding="utf-8")
    init(tmp_path, lambda _: None)
    assert "# credentials" not in (tmp_path / ".gitignore").read_text(encoding="utf-8")


def test_the_written_experiments_load_and_smoke_needs_nothing(tmp_path: Path) -> None:
    init(tmp_path, lambda _: None)
    project = config.load(tmp_path / "params.yaml")
    smoke = project.params("smoke")
    assert (smoke.data.provider, smoke.model.file) == ("synthetic", "yolo11n.yaml")
    assert smoke.warnings() == project.params("exp001").warnings() == ()
    assert project.params("exp001").gates == {
        "val/mAP50": 0.9, "val/mAP50-95": 0.7, "test/mAP50": 0.88, "speed/inference": 50
    }  # fmt: skip


@pytest.mark.parametrize("experiment", ["exp001", "smoke"])
def test_ultralytics_takes_every_argument_that_the_written_experiments_pass(tmp_path: Path, experiment: str) -> None:
    cfg = pytest.importorskip("ultralytics.cfg")
    init(tmp_path, lambda _: None)
    arguments = config.load(tmp_path / "params.yaml").params(experiment).train_arguments()
    taken = vars(cfg.get_cfg(overrides=arguments))
    assert {name: taken[name] for name in arguments} == arguments


def test_what_init_writes_is_what_this_project_uses_itself(tmp_path: Path) -> None:
    init(tmp_path, lambda _: None)
    ours, theirs = config.load(ROOT / "params.yaml"), config.load(tmp_path / "params.yaml")
    for experiment in ("exp001", "smoke"):
        mine, new = ours.params(experiment).to_dict(), theirs.params(experiment).to_dict()
        mine.pop("wandb"), new.pop("wandb")
        assert mine == new
    assert ours.section("kaggle") == theirs.section("kaggle")


def test_dvc_reads_both_files_as_we_do(tmp_path: Path) -> None:
    serialize = pytest.importorskip("dvc.utils.serialize")
    from containerid.config import yamlfile

    init(tmp_path, lambda _: None)
    for path in (tmp_path / "params.yaml", ROOT / "params.yaml"):
        assert serialize.load_yaml(str(path)) == yamlfile.read(path.read_bytes()).value


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CidError, match="no such file or directory"):
        init(tmp_path / "missing", lambda _: None)
