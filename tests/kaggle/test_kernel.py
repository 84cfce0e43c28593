import ast
import hashlib
import json
import subprocess
import sys
import tarfile
import tomllib
from collections import Counter
from fnmatch import fnmatch
from io import BytesIO
from pathlib import Path

import pytest
from fakes.kernels import pythons
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from containerid import job
from containerid.errors import CidError, UsageError
from containerid.job import Code, Data, Spec
from containerid.kaggle import kernel
from containerid.kaggle.bootstrap import child, journal, outcome, pins, wheels
from containerid.kaggle.bootstrap.requirements import TRAINER
from containerid.kaggle.kernel import KernelOptions, SourceTooLarge
from containerid.kaggle.package import gather

EMPTY = hashlib.sha256(b"").hexdigest()
PLAIN = Code(sha="5" * 40, digest=EMPTY, holds_package=True)
OWNER = KernelOptions(owner="ada")


def spec(**fields: object) -> Spec:
    return Spec(**{"run": "exp001-20260101-abcd", "code": PLAIN} | fields)


# --- kernel-metadata.json


def test_metadata_is_what_kaggle_documents_and_nothing_else():
    assert kernel.metadata(spec(), OWNER) == {
        "id": "ada/cid-exp001-20260101-abcd",
        "title": "cid-exp001-20260101-abcd",
        "code_file": "kernel.py",
        "language": "python",
        "kernel_type": "script",
        "is_private": True,
        "enable_gpu": True,
        "enable_tpu": False,
        "enable_internet": True,
        "machine_shape": "NvidiaTeslaT4",
        "dataset_sources": [],
        "competition_sources": [],
        "kernel_sources": [],
        "model_sources": [],
        "keywords": [],
    }


def test_metadata_says_what_was_asked_for():
    options = KernelOptions(
        owner="ada",
        gpu=False,
        internet=False,
        private=False,
        competition_sources=("titanic",),
        kernel_sources=("bob/earlier",),
        model_sources=("google/gemma/pyTorch/2b/1",),
        slug="my-kernel",
    )
    document = kernel.metadata(spec(), options)
    assert document["id"] == "ada/my-kernel"
    assert document["title"] == "my-kernel"
    assert not document["is_private"]
    assert not document["enable_gpu"]
    assert not document["enable_internet"]
    assert document["machine_shape"] == ""
    assert document["competition_sources"] == ["titanic"]
    assert document["kernel_sources"] == ["bob/earlier"]
    assert document["model_sources"] == ["google/gemma/pyTorch/2b/1"]


def test_the_data_and_the_code_of_a_run_are_attached_once():
    sent = spec(
        data=Data(provider="kaggle", source="ada/doors"), code=Code(transport="dataset", dataset="ada/cid-code")
    )
    options = KernelOptions(owner="ada", dataset_sources=("bob/extra", "ada/doors"))
    assert kernel.metadata(sent, options)["dataset_sources"] == ["ada/doors", "ada/cid-code", "bob/extra"]


def test_data_that_is_not_on_kaggle_is_not_attached():
    sent = spec(data=Data(provider="dvc", source="data/processed.dvc"))
    assert kernel.metadata(sent, OWNER)["dataset_sources"] == []


@pytest.mark.parametrize("run", ["exp_001.a-B7", "Übung 3", "x", "lr=0.01+cos"])
def test_a_run_of_any_name_has_a_slug_that_kaggle_keeps(run):
    document = kernel.metadata(spec(run=run), OWNER)
    assert document["title"] == kernel.slug(run) == document["id"].removeprefix("ada/")
    assert kernel.slug(run).startswith("cid-")


@pytest.mark.parametrize("name", ["My Kernel", "under_score", "tiny", "a--b-c", "-lead"])
def test_a_slug_that_kaggle_would_change_is_refused(name):
    with pytest.raises(UsageError, match="Kaggle cannot call a kernel") as caught:
        kernel.metadata(spec(), KernelOptions(owner="ada", slug=name))
    assert f"--slug {kernel.slug(name)}" in caught.value.hint


# --- the source


def test_the_source_gives_back_what_was_put_in_and_is_ascii():
    sent = spec(project="Türen ✓", params={"a": "\u2028"})
    source = kernel.render(sent)
    assert source.isascii()
    assert kernel.read_cargo(source) == {"spec": sent.to_dict(), "package": "", "code": ""}
    assert Spec.from_dict(kernel.read_cargo(source)["spec"]) == sent
    assert sent.code.sha in source


def test_only_one_line_differs_between_two_runs():
    one, other = (kernel.render(spec(run=run)) for run in ("exp001-1", "exp002-2"))
    ((line, _),) = _unlike(one, other)
    assert line.startswith("CARGO = json.loads(")


HOSTILE = st.one_of(
    st.text(),
    st.text(alphabet="'\"\\\n\r{}%#\x00\u2028\ud800`$;"),
    st.sampled_from(
        [
            '"); import os; os._exit(9); ("',
            "'); import os; os._exit(9); ('",
            "{{ 7 * 7 }}",
            "{% include 'x' %}{% endraw %}{# #}",
            '"""\nimport os\n"""',
            "# coding: utf-16",
            "\\",
            "\\N{BULLET}",
            "${HOME}$(id)`id`",
        ]
    ),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(HOSTILE, min_size=100, max_size=200), st.text(), st.text())
def test_thousands_of_hostile_values_survive(values, name, run):
    sent = spec(run=run, project=name, experiment=name, params={"values": values, name: {name: values[0]}})
    source = kernel.render(sent)
    cargo = kernel.read_cargo(source)
    assert json.dumps(cargo["spec"]) == json.dumps(sent.to_dict())
    assert len(_unlike(source, kernel.render(spec()))) == 1


def _unlike(one: str, other: str) -> list[tuple[str, str]]:
    return [pair for pair in zip(one.split("\n"), other.split("\n"), strict=True) if pair[0] != pair[1]]


@pytest.mark.parametrize("source", ["", "print(1)", "CARGO = json.loads(", "CARGO = json.loads('no')", "\0"])
def test_a_source_of_somebody_else_carries_nothing(source):
    with pytest.raises(CidError, match="not the source of a kernel of cid"):
        kernel.read_cargo(source)


@pytest.mark.parametrize("python", pythons().values(), ids=pythons())
def test_the_source_compiles_on_each_python(python, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(kernel.render(spec()), encoding="utf-8")
    done = subprocess.run([python, "-W", "error", "-m", "py_compile", str(script)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_parts_of_the_source_fit_into_one_namespace():
    tree = ast.parse(kernel.render(spec()))
    imported, defined = [], []
    for node in tree.body:
        match node:
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                imported += [each.asname or each.name.partition(".")[0] for each in names]
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                defined.append(name)
            case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)):
                defined.append(name)
    assert len(defined) == len(set(defined))
    assert not set(defined) & set(imported)


def test_the_source_imports_the_standard_library_alone():
    for node in ast.walk(ast.parse(kernel.render(spec()))):
        match node:
            case ast.ImportFrom(module=str(module)):
                assert module.partition(".")[0] in sys.stdlib_module_names
            case ast.Import(names=names):
                assert {each.name.partition(".")[0] for each in names} <= sys.stdlib_module_names


def test_every_name_that_the_source_uses_stands_in_it(tmp_path):
    script = tmp_path / "kernel.py"
    script.write_text(kernel.render(spec()), encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821,E9", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_two_modules_of_the_bootstrap_use_one_name():
    tree = ast.parse(kernel.render(spec()))
    defined = [each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.ClassDef)]
    named = [each.targets[0] for each in tree.body if isinstance(each, ast.Assign)]
    names = defined + [name.id for target in named for name in ast.walk(target) if isinstance(name, ast.Name)]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_the_bootstrap_speaks_the_same_words_as_the_package():
    assert journal.SPEC == job.SPEC_VERSION
    assert (outcome.RESULT, outcome.MANIFEST, outcome.MARK) == (job.RESULT_FILE, job.MANIFEST_FILE, job.RESULT_MARK)
    assert pins.PACKAGES == job.PACKAGES_FILE
    assert fnmatch(wheels.PACKED.format("0" * 64), job.PACKED_FILES)
    assert child.GRACE > 0


def test_the_bootstrap_installs_the_versions_that_pyproject_names():
    path = Path(kernel.__file__).parents[2] / "pyproject.toml"
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    known = {*project["dependencies"], *extras["training"], *extras["timm"]}
    assert {each for lines in TRAINER.values() for each in lines} <= known


# --- sizes


def test_code_that_is_too_large_to_ride_along_names_the_next_transport():
    archive = b"x" * 750_000
    code = Code(digest=hashlib.sha256(archive).hexdigest(), holds_package=True)
    with pytest.raises(SourceTooLarge) as caught:
        kernel.render(spec(code=code), code=archive)
    assert caught.value.limit == kernel.EMBED_LIMIT == 930_000
    assert caught.value.size > 937_500
    assert caught.value.transport == "dataset"
    assert f"{caught.value.size:,} bytes" in caught.value.message
    assert caught.value.hint == "cid train --transport dataset"


def test_code_with_a_remote_is_fetched_when_it_is_too_large():
    archive = b"x" * 750_000
    code = Code(digest=hashlib.sha256(archive).hexdigest(), holds_package=True, remote="https://example.com/a.git")
    with pytest.raises(SourceTooLarge) as caught:
        kernel.render(spec(code=code), code=archive)
    assert caught.value.transport == "fetch"


def test_no_source_is_larger_than_kaggle_takes():
    code = Code(transport="fetch", holds_package=True)
    fitting = spec(code=code, params={"note": "x" * 930_000})
    assert kernel.EMBED_LIMIT < len(kernel.render(fitting)) <= kernel.SOURCE_LIMIT == 1_000_000
    with pytest.raises(SourceTooLarge) as caught:
        kernel.render(spec(code=code, params={"note": "x" * 1_000_000}))
    assert caught.value.transport == ""


def test_a_source_that_would_not_run_is_not_made():
    with pytest.raises(CidError, match="not the one that the spec names"):
        kernel.render(spec(), code=b"another")
    with pytest.raises(CidError, match="carries no code"):
        kernel.render(spec(code=Code(transport="fetch", holds_package=True)), code=b"some")
    with pytest.raises(CidError, match="rides along exactly when"):
        kernel.render(spec(), package=b"some")
    with pytest.raises(CidError, match="rides along exactly when"):
        kernel.render(spec(code=Code(digest=EMPTY)))


# --- the package that rides along


def test_the_package_is_small_and_the_same_each_time():
    packed = gather()
    assert packed == gather()
    assert len(packed) < 250_000, "it shares a megabyte of source, as text, with the project's code"
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        assert {(each.mtime, each.mode, each.uid, each.uname) for each in archive} == {(0, 0o644, 0, "")}
        assert archive.getnames() == sorted(archive.getnames())


def test_the_package_holds_the_far_side_and_nothing_of_this_one():
    with tarfile.open(fileobj=BytesIO(gather())) as archive:
        names = archive.getnames()
    assert {"containerid/__init__.py", "containerid/job.py", "containerid/training/__init__.py"} <= set(names)
    for foreign in ("cli", "console", "runs/", "backends/", "kaggle/", "git/", "__pycache__", "templates/kernel.py.j2"):
        assert not [name for name in names if name.startswith(f"containerid/{foreign}")]


@pytest.mark.parametrize("python", pythons().values(), ids=pythons())
def test_the_package_stands_on_its_own(python, tmp_path):
    with tarfile.open(fileobj=BytesIO(gather())) as archive:
        archive.extractall(tmp_path, filter="data")
    command = [python, "-P", "-c", "import containerid.training, containerid.job; print(containerid.__file__)"]
    environment = {"PYTHONPATH": str(tmp_path), "PATH": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(tmp_path)), done.stderr
