"""params.yaml as a whole: experiments over the base, overrides over both, and every fault at its line."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containerid import config
from containerid.errors import ConfigError, UsageError

FILE = """\
default_experiment: exp001
detection:
  model: {architecture: yolo11s}
  training:
    epochs: 100
    batch_size: 16
    lr_scheduler: cosine
  wandb: {tags: [door, base]}
  gates: {val/mAP50: 0.5, test/mAP50: 0.5}
experiments:
  exp001:
    description: the baseline
  smoke:
    training: {epochs: 2, batch: 4, cos_lr: false}
    model: {pretrained: false}
    wandb: {tags: [smoke]}
    gates: {val/mAP50: null}
kaggle:
  username: ada
  session_limit: 90m
  dataset_sources: [ada/doors, ada/more/3]
git:
  mode: snapshot
"""


@pytest.fixture
def project(tmp_path: Path) -> config.Project:
    path = tmp_path / "yard" / "params.yaml"
    path.parent.mkdir()
    path.write_text(FILE, encoding="utf-8")
    return config.load(path)


def faults_of(folder: Path, text: str) -> list[str]:
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load(folder / "params.yaml").check()
    return str(caught.value).splitlines()


def test_an_experiment_is_the_base_with_what_it_says_laid_over_it(project: config.Project) -> None:
    smoke = project.params("smoke")
    assert (smoke.training.epochs, smoke.training.batch_size, smoke.training.lr_scheduler) == (2, 4, "linear")
    assert smoke.model.file == "yolo11s.yaml"
    assert smoke.wandb.tags == ("smoke",)
    assert smoke.gates == {"test/mAP50": 0.5}


def test_an_empty_section_of_an_experiment_keeps_the_base(tmp_path: Path) -> None:
    text = "detection: {training: {epochs: 7}}\nexperiments:\n  a:\n    training:\n    #  epochs: 3\n  b:\n"
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    project = config.load(tmp_path / "params.yaml")
    assert project.params("a").training.epochs == project.params("b").training.epochs == 7


def test_no_name_means_the_default_experiment(project: config.Project) -> None:
    assert project.params() == project.params("exp001")
    assert project.chosen(None) == "exp001"
    assert project.experiments == {"exp001": "the baseline", "smoke": ""}


def test_without_a_default_the_base_section_is_meant(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("detection: {training: {epochs: 7}}", encoding="utf-8")
    project = config.load(tmp_path / "params.yaml")
    assert (project.chosen(None), project.params().training.epochs) == ("", 7)


def test_an_unknown_experiment_is_answered_with_the_nearest_and_the_list(project: config.Project) -> None:
    with pytest.raises(UsageError, match=r"`smok` \(did you mean `smoke`\?\); there are exp001, smoke"):
        project.params("smok")


def test_the_command_line_beats_the_experiment_in_either_spelling(project: config.Project) -> None:
    params = project.params(
        "smoke", ["training.batch=2", "training.lr0=1e-3", "wandb.tags=[a, b]", "training.epochs=9"]
    )
    assert (params.training.batch_size, params.training.learning_rate, params.training.epochs) == (2, 0.001, 9)
    assert params.wandb.tags == ("a", "b")
    assert params.model.pretrained is False


def test_the_last_of_two_overrides_wins(project: config.Project) -> None:
    assert project.params(None, ["training.epochs=1", "training.epochs=2"]).training.epochs == 2


OVERRIDES = {
    "training.epochs=abc": 'must be a whole number of at least 1, not "abc"',
    "training.epohs=3": "unknown argument (did you mean `epochs`?)",
    "epochs=3": "belongs under `training`",
    "training=3": "must be a section of `key: value` lines, not 3",
    "data={provider: kaggle}": "provider: is `kaggle`, but `data.kaggle` names no dataset",
    "training.epochs": "must be key.path=value, such as training.epochs=12",
    "=3": "must be key.path=value, such as training.epochs=12",
    "training..epochs=3": "must be key.path=value, such as training.epochs=12",
    "training.lr0=.nan": ".nan is not a finite number",
    "wandb.tags=[a": "not valid YAML",
    "wandb.name=\udcff": "is not UTF-8 text",
}


@pytest.mark.parametrize(("override", "reason"), OVERRIDES.items())
def test_a_wrong_override_is_told_by_the_option_as_it_was_typed(
    project: config.Project, override: str, reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        project.params(None, [override])
    assert str(caught.value).startswith(f"--set {override}: ")
    assert reason in str(caught.value)


def test_an_override_is_read_as_yaml_reads_a_word(project: config.Project) -> None:
    params = project.params(None, ["wandb.name=on", "wandb.entity=a: b", "model.pretrained=false", "wandb.project='1'"])
    assert (params.wandb.name, params.wandb.entity, params.wandb.project) == ("on", "a: b", "1")
    assert params.model.pretrained is False


def test_every_fault_of_the_file_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    told = faults_of(
        tmp_path,
        """\
default_experiment: exp01
detectoin: {}
detection:
  training:
    epochs: abc
    batch: 3
    batch_size: 4
experiments:
  exp001:
    description: one
    training:
      epochs: 0
    augmentation: {mosaik: 1}
  smoke test: {}
  broken: 3
kaggle:
  kaggle_url: http://localhost:1
  token: abc
  accelerator: NvidiaTeslaP100
git: {mode: auto}
""",
    )
    assert told == [
        "params.yaml:1: default_experiment: no experiment is called `exp01` (did you mean `exp001`?)",
        "params.yaml:2: detectoin: unknown key (did you mean `detection`?)",
        'params.yaml:5: detection.training.epochs: must be a whole number of at least 1, not "abc"',
        "params.yaml:7: detection.training.batch_size: says the same as `batch`; keep one of them",
        "params.yaml:12: experiments.exp001.training.epochs: must be a whole number of at least 1, not 0",
        "params.yaml:13: experiments.exp001.augmentation.mosaik: unknown argument (did you mean `mosaic`?)",
        "params.yaml:14: experiments.smoke test: must be letters, digits, `-`, `_` or `.`, 64 at most",
        "params.yaml:15: experiments.broken: must be a section of `key: value` lines, not 3",
        "params.yaml:17: kaggle.kaggle_url: is never read from this file; set CID_KAGGLE_URL in the environment",
        "params.yaml:18: kaggle.token: does not belong in this file, which goes into git; "
        "cid finds credentials as Kaggle's own client does",
        "params.yaml:19: kaggle.accelerator: must be one of Kaggle's machine shapes such as `NvidiaTeslaT4` "
        '(the P100 is retired), not "NvidiaTeslaP100"',
        'params.yaml:20: git.mode: must be one of branch, snapshot, clean, not "auto"',
    ]


def test_a_fault_of_the_base_is_told_once_and_not_again_for_each_experiment(tmp_path: Path) -> None:
    told = faults_of(tmp_path, "detection:\n  training: {epochs: 0}\nexperiments: {a: {}, b: {}, c: {}}\n")
    assert told == ["params.yaml:2: detection.training.epochs: must be a whole number of at least 1, not 0"]


ONE_IS_WRONG = """\
default_experiment: good
detection:
  model: {pretrained: false}
  augmentation:
    mosaic: 1
experiments:
  good: {training: {epochs: 3}}
  bad:
    description: tried in a hurry
    training: {epohcs: 3, batch: 0}
  worse:
    model: {architecture: timm/resnet18}
    wandb: {tags: *tags}
    training: {epochs: .nan}
  nothing: 3
git: {mode: snapshot}
"""
BAD = [
    "params.yaml:10: experiments.bad.training.batch: must be a whole number of at least 1, "
    "auto, -1 (as the GPU's memory allows) or a number from 0.01 to 0.99, not 0",
    "params.yaml:10: experiments.bad.training.epohcs: unknown argument (did you mean `epochs`?)",
]


@pytest.fixture
def one_is_wrong(tmp_path: Path) -> config.Project:
    (tmp_path / "params.yaml").write_text(ONE_IS_WRONG, encoding="utf-8")
    return config.load(tmp_path / "params.yaml")


def test_a_faulty_experiment_stops_no_other(one_is_wrong: config.Project) -> None:
    assert one_is_wrong.params("good").training.epochs == one_is_wrong.params().training.epochs == 3
    assert one_is_wrong.git.mode == "snapshot"
    assert one_is_wrong.experiments == {"good": "", "bad": "tried in a hurry", "worse": "", "nothing": ""}
    assert one_is_wrong.warnings() == (
        "params.yaml has 6 faults in bad, worse, nothing; nothing of it is used here, and `cid params` lists all",
    )


def test_who_asks_for_it_is_told_every_fault_of_it_and_of_no_other(one_is_wrong: config.Project) -> None:
    with pytest.raises(ConfigError) as caught:
        one_is_wrong.params("bad", ["training.imgsz=7"])
    assert str(caught.value).splitlines() == [
        "--set training.imgsz=7: must be a whole number from 32 to 8192, not 7",
        *BAD,
    ]
    with pytest.raises(ConfigError, match=r"^params.yaml:15: experiments.nothing: must be a section of .*, not 3$"):
        one_is_wrong.params("nothing")


def test_a_value_that_the_command_line_mends_is_no_fault(one_is_wrong: config.Project) -> None:
    with pytest.raises(ConfigError) as caught:
        one_is_wrong.params("bad", ["training.batch=4"])
    assert str(caught.value) == BAD[1]


def test_all_faults_of_all_experiments_can_be_had_at_once(one_is_wrong: config.Project) -> None:
    with pytest.raises(ConfigError) as caught:
        one_is_wrong.check()
    assert str(caught.value).splitlines() == [
        "params.yaml:5: detection.augmentation.mosaic: "
        "the timm trainer has no such parameter; `augmentation: {}` in the experiment drops the base's (in worse)",
        *BAD,
        "params.yaml:13: experiments.worse.wandb.tags: `*tags` is an alias; write the value out",
        "params.yaml:14: experiments.worse.training.epochs: .nan is not a finite number",
        "params.yaml:15: experiments.nothing: must be a section of `key: value` lines, not 3",
    ]


@pytest.mark.parametrize(
    ("default", "reason"),
    [
        ("goood", r"params.yaml:1: default_experiment: no experiment is called `goood` \(did you mean `good`\?\)"),
        ("nothing", r"params.yaml:15: experiments.nothing: must be a section"),
    ],
)
def test_a_default_that_cannot_be_used_stops_who_names_none(tmp_path: Path, default: str, reason: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(ONE_IS_WRONG.replace("default_experiment: good", f"default_experiment: {default}"), "utf-8")
    project = config.load(path)
    assert project.params("good").training.epochs == 3
    for asked in (project.params, project.check):
        with pytest.raises(ConfigError, match=reason):
            asked()


def test_what_is_wrong_with_the_base_stops_everybody(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(ONE_IS_WRONG.replace("mosaic: 1", "mosaik: 1"), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    told = str(caught.value).splitlines()
    assert told[0].startswith("params.yaml:5: detection.augmentation.mosaik: unknown argument")
    assert set(BAD) < set(told)


def test_what_two_places_contradict_is_told_where_the_later_one_stands(tmp_path: Path) -> None:
    base = "detection:\n  model: {architecture: yolo12s-seg, pretrained: false}\n"
    told = faults_of(tmp_path, f"{base}experiments:\n  a:\n    model:\n      pretrained: true\n")
    assert told == [
        "params.yaml:6: experiments.a.model.pretrained: "
        "no weights are published for `yolo12s-seg`; say false, or take another model"
    ]


def test_a_syntax_error_names_line_and_column(tmp_path: Path) -> None:
    (told,) = faults_of(tmp_path, "detection:\n  training: [1,\nx: 1\n")
    assert told.startswith("params.yaml:4: column 1: not valid YAML: ")


@pytest.mark.parametrize("text", ["- a\n- b\n", "3", "text"])
def test_a_file_that_holds_no_sections_is_told_so(tmp_path: Path, text: str) -> None:
    assert faults_of(tmp_path, text) == ["params.yaml:1: must hold sections such as `detection:`"]


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("# nothing yet\n", encoding="utf-8")
    assert config.load(tmp_path / "params.yaml").params() == config.Params()


def test_a_missing_file_is_answered_with_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file") as caught:
        config.load(tmp_path / "params.yaml")
    assert caught.value.hint == "cid init"
    with pytest.raises(ConfigError, match="is a directory"):
        config.load(tmp_path)


def test_the_file_is_found_from_a_folder_below_but_not_above_the_repository(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("", encoding="utf-8")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert config.find(inner) == tmp_path / "params.yaml"
    (tmp_path / "a" / ".git").mkdir()
    with pytest.raises(ConfigError, match=r"no params\.yaml here or above") as caught:
        config.find(inner)
    assert caught.value.hint == "cid init"


def test_the_project_is_called_as_the_file_says_or_as_its_folder(project: config.Project, tmp_path: Path) -> None:
    assert project.name == "yard"
    (tmp_path / "params.yaml").write_text("project: doors", encoding="utf-8")
    assert config.load(tmp_path / "params.yaml").name == "doors"


WRONG = {
    "session_limit: soon": 'must be a duration such as `11h` or `90m` or empty, not "soon"',
    "session_limit: 0h": 'must be a duration such as `11h` or `90m` or empty, not "0h"',
    "accelerator: [T4]": "must be one of Kaggle's machine shapes",
    "accelerator: two T4": "must be one of Kaggle's machine shapes",
    "gpu: 1": "must be true or false, not 1",
    "install: training": 'must be a list of words, not "training"',
    "dataset_sources: [doors]": "must be a list, each item a name such as `owner/dataset`",
    "model_sources: [ada/doors]": "must be a list, each item a name such as `owner/model/framework/variation/1`",
    "competition_sources: [ada/doors]": "must be a list, each item a name such as `competition`",
}


@pytest.mark.parametrize(("line", "reason"), WRONG.items())
def test_a_wrong_kaggle_setting_is_told_with_what_would_be_right(tmp_path: Path, line: str, reason: str) -> None:
    (told,) = faults_of(tmp_path, f"kaggle:\n  {line}\n")
    assert told.startswith(f"params.yaml:2: kaggle.{line.partition(':')[0]}: {reason}")


def test_an_accelerator_is_spelled_as_kaggle_does_and_unknown_ones_are_left_to_kaggle(tmp_path: Path) -> None:
    for word, read in (("nvidiateslat4", "NvidiaTeslaT4"), ("NvidiaB300", "NvidiaB300")):
        (tmp_path / "params.yaml").write_text(f"kaggle: {{accelerator: {word}}}", encoding="utf-8")
        assert config.load(tmp_path / "params.yaml").kaggle.accelerator == read


def test_a_list_left_empty_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("kaggle: {install: , dataset_sources: }\ngit: {allow: }", encoding="utf-8")
    project = config.load(tmp_path / "params.yaml")
    assert (project.kaggle.install, project.kaggle.dataset_sources, project.git.allow) == ((), (), ())


def test_the_settings_of_backends_are_typed_and_plain_for_whoever_submits(project: config.Project) -> None:
    assert (project.kaggle.username, project.kaggle.session_limit, project.git.mode) == ("ada", 5400, "snapshot")
    section = project.section("kaggle")
    assert section["dataset_sources"] == ["ada/doors", "ada/more/3"]
    assert (section["accelerator"], section["gpu"], section["internet"]) == ("NvidiaTeslaT4", True, True)
    assert (section["install"], project.section("rehearsal"), project.section("local")) == (["training"], section, {})


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80) | st.binary(max_size=60))
def test_any_file_is_a_project_or_a_list_of_faults(tmp_path_factory: pytest.TempPathFactory, text: str | bytes) -> None:
    check_any(tmp_path_factory, text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))


LINES = st.sampled_from(
    """\
detection:
  training:
    epochs: 3
    batch: x
    training: []
    gates: {val/mAP50: 2}
    model: {pretrained: 0}
  data: {provider: dvc}
detection: null
experiments:
  a:
  b: [
  experiments: 1
kaggle:
  install: [x]
git: 3
default_experiment: a
x: &a 1
- a
  ? a
\t""".splitlines()
)


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=9))
def test_any_shuffled_file_is_a_project_or_a_list_of_faults(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    check_any(tmp_path_factory, "\n".join(lines).encode())


def check_any(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "params.yaml"
    path.write_bytes(content)
    try:
        project = config.load(path)
    except ConfigError as error:
        told = error.message.splitlines()
    else:
        faulty = project.faults()
        told = [str(fault) for faults in faulty.values() for fault in faults]
        assert all(project.params(name).model.file for name in project.experiments if name not in faulty)
    assert all(line.startswith("params.yaml:") for line in told)


def test_how_models_are_versioned_is_checked_like_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("versioning: {promote: on-pass, from_kernel: always, path: models/doors}\n", encoding="utf-8")
    wanted = config.Versioning(promote="on-pass", from_kernel="always", path="models/doors")
    assert config.load(path).versioning == wanted
    paths = ("path: /models", "path: ../models", "path: .dvc/models", "path: .")
    for wrong in (*paths, "promote: always", "from_kernel: yes"):
        path.write_text(f"versioning: {{{wrong}}}\n", encoding="utf-8")
        with pytest.raises(ConfigError, match=r"params.yaml:1: versioning\."):
            config.load(path)


def test_what_is_no_number_hides_no_other_fault(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("detection:\n  training: {lr0: .nan, epochs: 0}\n  trainin: {}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as failure:
        config.load(path)
    told = failure.value.message.split("\n")
    assert [fault.split(": ")[1] for fault in told] == [
        "detection.training.epochs",
        "detection.training.lr0",
        "detection.trainin",
    ]
