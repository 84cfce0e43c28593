"""params.yaml → frozen, strict, typed settings; every fault at once, each with its line and dotted path.

A fault of the file as a whole, of its base section or its settings stops whoever reads it. A fault of an experiment
stops only who asks for that one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr

from containerid.config import experiments
from containerid.config.faults import Fault, Problem, checked, refusal
from containerid.config.layers import Layer, merge, of_file, of_option
from containerid.config.params import Params
from containerid.config.rules import Rule, duration, flag, nothing, slug, suggestion, word
from containerid.config.sections import Name, Section, Words, obeys, row
from containerid.config.shapes import shape
from containerid.config.versioning import Versioning
from containerid.config.yamlfile import LARGEST, Document, read
from containerid.errors import ConfigError, UsageError

FILE = "params.yaml"


def _sources(example: str, parts: str) -> BeforeValidator:
    rule = slug(example, parts)
    return obeys(row(rule, says=f"a list, each item {rule.says}"))


class Kaggle(Section):
    """How a run goes to Kaggle. Credentials and addresses never stand in this file.

    Attributes:
        username: whose account; None takes the credentials' own.
        accelerator: Kaggle's `machine_shape`.
        install: the project's extras that are installed there.
        session_limit: seconds after which Kaggle ends the session; None leaves it to Kaggle.
    """

    username: Name = None
    accelerator: Annotated[
        str, obeys(Rule("one of Kaggle's machine shapes such as `NvidiaTeslaT4` (the P100 is retired)", shape))
    ] = "NvidiaTeslaT4"
    gpu: Annotated[bool, obeys(flag())] = True
    internet: Annotated[bool, obeys(flag())] = True
    install: Words = ("training",)
    dataset_sources: Annotated[tuple[str, ...], _sources("owner/dataset", "2|3")] = ()
    kernel_sources: Annotated[tuple[str, ...], _sources("owner/kernel", "2|3")] = ()
    competition_sources: Annotated[tuple[str, ...], _sources("competition", "1")] = ()
    model_sources: Annotated[tuple[str, ...], _sources("owner/model/framework/variation/1", "4|5")] = ()
    session_limit: Annotated[float | None, obeys(duration(), nothing())] = None


class Git(Section):
    """How the code is pinned.

    Attributes:
        mode: `branch` commits to the branch and pushes, `snapshot` never touches it, `clean` refuses a dirty tree.
        remote: its name; None takes the branch's upstream, else `origin`, else the only one.
        allow: findings of the secret scan that may leave: a glob, or `path:line`.
        exclude: files and folders that the archive in the kernel leaves out, besides data folders.
    """

    mode: Annotated[Literal["branch", "snapshot", "clean"], obeys(word("branch", "snapshot", "clean"))] = "branch"
    remote: Name = None
    allow: Words = ()
    exclude: Words = ()


class _File(Section):
    """The top level of params.yaml. Experiments are looked at after merging."""

    project: Name = None
    default_experiment: Name = None
    detection: dict[str, Any] | None = None
    experiments: dict[str, Any] | None = None
    kaggle: Kaggle = Kaggle()
    git: Git = Git()
    versioning: Versioning = Versioning()


class Project(Section):
    """One params.yaml.

    Attributes:
        path: of the file, absolute.
        name: `project:` in the file, else the name of its folder.
        experiments: names to descriptions, in the order of the file; those that hold faults too.
    """

    path: Path
    name: str
    default_experiment: str | None = None
    experiments: dict[str, str] = Field(default_factory=dict)
    kaggle: Kaggle = Kaggle()
    git: Git = Git()
    versioning: Versioning = Versioning()
    _layers: dict[str, Layer] = PrivateAttr(default_factory=dict)
    _default: list[Fault] = PrivateAttr(default_factory=list)

    @property
    def folder(self) -> Path:
        """The project's folder, where the file lies."""
        return self.path.parent

    def section(self, backend: str) -> dict[str, Any]:
        """The settings of one backend, as plain types; a rehearsal is what Kaggle would get."""
        return self.kaggle.model_dump(mode="json") if backend in {"kaggle", "rehearsal"} else {}

    def chosen(self, experiment: str | None) -> str:
        """The experiment that is meant: the one named, else the default; empty for the base section.

        Raises:
            UsageError: there is none of this name.
            ConfigError: `default_experiment` names none that there is.
        """
        if experiment is not None and experiment not in self.experiments:
            raise _no_such(experiment, list(self.experiments))
        if not experiment and self._default:
            raise refusal(self._default)
        return experiment or self.default_experiment or ""

    def params(self, experiment: str | None = None, overrides: Sequence[str] = ()) -> Params:
        """The base section with the experiment's overrides, then those of the command line.

        Args:
            experiment: its name; None takes the default experiment, else the base section.
            overrides: `key.path=value`, such as `training.epochs=12`; the value is read as YAML reads a word.

        Raises:
            UsageError: no experiment has this name.
            ConfigError: the experiment or an override is wrong; every fault is told.
        """
        layer = self._layers[self.chosen(experiment)]
        for override in overrides:
            layer = merge(layer, of_option(override))
        found = Params.check(layer.value)
        if isinstance(found, Params) and not (layer.faults or layer.unread):
            return found
        raise refusal(experiments.faults_of(layer))

    def faults(self) -> dict[str, list[Fault]]:
        """What is wrong with experiments, by their names, and with `default_experiment`; empty when all is well."""
        named = {experiments.DEFAULT: self._default} if self._default else {}
        return named | experiments.faults(self._layers)

    def check(self) -> None:
        """Raises ConfigError with every fault of every experiment."""
        if faults := self.faults():
            raise refusal(chain.from_iterable(faults.values()))

    def warnings(self) -> tuple[str, ...]:
        """What stops only those who ask for an experiment with a fault: one line, or none."""
        if not (faults := self.faults()):
            return ()
        count = sum(map(len, faults.values()))
        told = f"{count} fault{'s' * (count > 1)} in {', '.join(faults)}"
        return (f"{self.path.name} has {told}; nothing of it is used here, and `cid params` lists all",)


def _no_such(name: str, known: list[str]) -> UsageError:
    there = f"there are {', '.join(known)}" if known else "the file has none"
    return UsageError(f"no experiment is called `{name}`{suggestion(name, known)}; {there}", hint="cid params")


def find(folder: Path) -> Path:
    """The params.yaml of the project that a folder belongs to: here, or above up to the repository's root.

    Raises:
        ConfigError: there is none.
    """
    for each in (folder.absolute(), *folder.absolute().parents):
        if (each / FILE).is_file():
            return each / FILE
        if (each / ".git").exists():
            break
    raise ConfigError(f"there is no {FILE} here or above", hint="cid init")


def load(path: Path) -> Project:
    """Read a params.yaml, and check all of it but the experiments, which are checked when somebody asks for one.

    Raises:
        ConfigError: the file cannot be read, or holds faults; every one is told, those of experiments too.
    """
    document = _document(path)
    whole = of_file(document, (), path.name)
    if not isinstance(document.value, dict):
        raise refusal(whole.unread)
    top = checked(_File, _sections(document.value), {})
    layers, default = experiments.layers(document, path.name), experiments.default_faults(document, path.name)
    faults = [*_faults_of_file(top, whole), *experiments.faults_of(layers[experiments.BASE])]
    if faults or not isinstance(top, _File):
        raise refusal([*faults, *default, *chain.from_iterable(experiments.faults(layers, faults).values())])
    path = path.absolute()
    project = Project(
        path=path,
        name=top.project or path.parent.name or "project",
        default_experiment=top.default_experiment,
        experiments={name: _description(section) for name, section in (top.experiments or {}).items()},
        kaggle=top.kaggle,
        git=top.git,
        versioning=top.versioning,
    )
    project._layers.update(layers)
    project._default.extend(default)
    return project


def _description(experiment: object) -> str:
    return str(experiment.get("description") or "") if isinstance(experiment, dict) else ""


def _document(path: Path) -> Document:
    try:
        with path.open("rb") as file:
            document = read(file.read(LARGEST + 1))
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or str(error)).lower()}", hint="cid init") from error
    if document.value is None and not document.faults:
        document.value = {}
    if not document.faults and not isinstance(document.value, dict):
        document.faults.append((1, (), "must hold sections such as `detection:`"))
    return document


def _sections(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: section for key, section in value.items() if section is not None or key not in _File.model_fields}


_ADDRESS = "is never read from this file; set CID_KAGGLE_URL in the environment"
_CREDENTIALS = "does not belong in this file, which goes into git; cid finds credentials as Kaggle's own client does"
_NEVER = {
    **dict.fromkeys(("kaggle_url", "url", "api_url", "endpoint", "host"), _ADDRESS),
    **dict.fromkeys(("key", "token", "api_key", "api_token", "password"), _CREDENTIALS),
}


def _faults_of_file(top: _File | list[Problem], whole: Layer) -> list[Fault]:
    """Those of no experiment: sections and keys that are not what they should be, and what cannot be read."""
    shared = replace(whole, faults=(), unread=tuple(it for it in whole.unread if not experiments.owns(it)))
    return shared.faulty([] if isinstance(top, _File) else [(at, _NEVER.get(str(at[-1]), why)) for at, why in top])
