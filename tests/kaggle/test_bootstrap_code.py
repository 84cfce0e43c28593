import base64
import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from fakes.kernels import embedded, pack, write_tree

from containerid.job import Code, Spec
from containerid.kaggle.bootstrap import code as bootstrap
from containerid.kaggle.bootstrap.journal import Stop
from containerid.treeid import tree_id


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with what a tree can hold: a program, a link inside, an empty file, a name that is not ASCII."""
    folder = write_tree(tmp_path / "project", {"train.py": "print(1)\n", "bin/run": "#!/bin/sh\n", "ü/leer": ""})
    (folder / "bin/run").chmod(0o755)
    (folder / "link").symlink_to("bin/run")
    return folder


def cargo(code: Code, archive: bytes = b"") -> dict[str, object]:
    return {"spec": Spec(run="r", code=code).to_dict(), "code": base64.b85encode(archive).decode()}


def tar(*members: tarfile.TarInfo) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for member in members:
            archive.addfile(member)
    return packed.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


# --- embed


def test_the_archive_in_the_source_becomes_the_same_tree(project, tmp_path):
    code, archive = embedded(project)
    bootstrap.bring_code(cargo(code, archive), tmp_path / "code", tmp_path)
    assert tree_id(tmp_path / "code") == code.carried_tree
    assert os.access(tmp_path / "code/bin/run", os.X_OK)
    assert (tmp_path / "code/link").readlink() == Path("bin/run")


def test_a_tampered_archive_is_refused_before_it_is_opened(project, tmp_path):
    code, archive = embedded(project)
    changed = archive[:-20] + bytes([archive[-20] ^ 1]) + archive[-19:]
    with pytest.raises(Stop, match="the code could not be fetched: the archive was changed on the way"):
        bootstrap.bring_code(cargo(code, changed), tmp_path / "code", tmp_path)
    assert not (tmp_path / "code").exists()


def test_an_archive_of_another_tree_is_refused(project, tmp_path):
    _, archive = embedded(project)
    (project / "train.py").write_text("print(2)\n")
    code, _ = embedded(project, archive)
    with pytest.raises(Stop, match=f"what arrived is tree [0-9a-f]{{40}}, sent was {code.carried_tree}"):
        bootstrap.bring_code(cargo(code, archive), tmp_path / "code", tmp_path)


@pytest.mark.parametrize(
    "hostile",
    [
        [member("../outside")],
        [member("a/../../outside")],
        [member("link", tarfile.SYMTYPE, "../../outside")],
        [member("link", tarfile.SYMTYPE, "/etc/passwd")],
        [member("link", tarfile.LNKTYPE, "../outside")],
        [member("dir", tarfile.SYMTYPE, ".."), member("dir/outside")],
        [member("pipe", tarfile.FIFOTYPE)],
        [member("device", tarfile.CHRTYPE)],
    ],
    ids=["parent", "detour", "link out", "absolute link", "hard link", "through a link", "pipe", "device"],
)
def test_a_hostile_member_of_the_archive_is_refused(hostile, tmp_path):
    archive = tar(*hostile)
    code = Code(digest=hashlib.sha256(archive).hexdigest(), carried_tree="0" * 40)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(Stop, match="the code could not be fetched"):
        bootstrap.bring_code(cargo(code, archive), tmp_path / "scratch", tmp_path)
    assert set(tmp_path.rglob("*")) - before <= {tmp_path / "scratch", *(tmp_path / "scratch").rglob("*")}


def test_what_is_not_an_archive_is_refused(tmp_path):
    code = Code(digest=hashlib.sha256(b"no").hexdigest())
    with pytest.raises(Stop, match="the code could not be fetched"):
        bootstrap.bring_code(cargo(code, b"no"), tmp_path / "code", tmp_path)


def test_an_unknown_transport_is_refused(tmp_path):
    with pytest.raises(Stop, match="no kernel knows the transport worktree"):
        bootstrap.bring_code(cargo(Code(transport="worktree")), tmp_path / "code", tmp_path)


# --- fetch


class Remote:
    """A bare repository, and a clone that pushes to it."""

    def __init__(self, root: Path, project: Path) -> None:
        self.url = (root / "remote.git").as_uri()
        self.folder = project
        subprocess.run(["git", "init", "-q", "--bare", root / "remote.git"], check=True)
        self.git("init", "-q")
        self.sha = self.commit()

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "work")
        self.git("push", "-q", self.url, "HEAD:refs/heads/main")
        return self.git("rev-parse", "HEAD")

    def code(self, **more: str) -> Code:
        tree = self.git("rev-parse", f"{self.sha}^{{tree}}")
        return Code(**{"transport": "fetch", "sha": self.sha, "tree": tree, "remote": self.url, "ref": "main"} | more)


@pytest.fixture
def remote(tmp_path: Path, project: Path) -> Remote:
    return Remote(tmp_path, project)


def test_the_commit_is_fetched_and_nothing_of_git_stays(remote, tmp_path):
    bootstrap.bring_code(cargo(remote.code()), tmp_path / "code", tmp_path)
    assert tree_id(tmp_path / "code") == remote.code().tree
    assert not (tmp_path / "code/.git").exists()
    assert os.access(tmp_path / "code/bin/run", os.X_OK)


def test_a_branch_that_moved_on_does_not_matter(remote, tmp_path):
    (remote.folder / "train.py").write_text("print('later')\n")
    remote.commit()
    bootstrap.bring_code(cargo(remote.code()), tmp_path / "code", tmp_path)
    assert (tmp_path / "code/train.py").read_text() == "print(1)\n"


def test_a_server_that_gives_out_tips_alone_is_asked_for_the_ref(remote, tmp_path, monkeypatch):
    git = bootstrap.run_git

    def strict(folder: Path, *arguments: str) -> str:
        if arguments[0] == "fetch" and arguments[-1] == remote.sha:
            raise Stop("git fetch: error: Server does not allow request for unadvertised object")
        return git(folder, *arguments)

    monkeypatch.setattr(bootstrap, "run_git", strict)
    bootstrap.bring_code(cargo(remote.code()), tmp_path / "code", tmp_path)
    assert tree_id(tmp_path / "code") == remote.code().tree


def test_the_bytes_are_those_of_the_repository_whatever_its_attributes_say(remote, tmp_path):
    write_tree(remote.folder, {".gitattributes": "*.txt text eol=crlf ident\n", "a.txt": "$Id$\nline\n"})
    remote.sha = remote.commit()
    bootstrap.bring_code(cargo(remote.code()), tmp_path / "code", tmp_path)
    assert (tmp_path / "code/a.txt").read_bytes() == b"$Id$\nline\n"


def test_a_ref_that_holds_another_commit_is_refused(remote, tmp_path):
    with pytest.raises(Stop, match=f"commit {remote.sha} with tree [0-9a-f]{{40}} arrived, sent was {'1' * 40} with"):
        bootstrap.bring_code(cargo(remote.code(sha="1" * 40)), tmp_path / "code", tmp_path)


def test_a_commit_with_another_tree_is_refused(remote, tmp_path):
    with pytest.raises(Stop, match="arrived, sent was"):
        bootstrap.bring_code(cargo(remote.code(tree="1" * 40)), tmp_path / "code", tmp_path)


def test_a_remote_that_is_not_there_is_said_once(tmp_path):
    gone = Code(transport="fetch", sha="1" * 40, tree="2" * 40, remote=(tmp_path / "gone.git").as_uri())
    with pytest.raises(Stop, match=r"the code could not be fetched: git fetch: fatal: .*gone\.git"):
        bootstrap.bring_code(cargo(gone), tmp_path / "code", tmp_path)


def test_a_remote_is_never_an_option_or_a_command(tmp_path):
    for remote in ("--upload-pack=touch pwned", f"ext::touch {tmp_path}/pwned"):
        code = Code(transport="fetch", sha="1" * 40, tree="2" * 40, remote=remote)
        with pytest.raises(Stop, match="git fetch"):
            bootstrap.bring_code(cargo(code), tmp_path / hashlib.sha256(remote.encode()).hexdigest(), tmp_path)
    assert not list(tmp_path.rglob("pwned"))


def test_a_remote_that_does_not_answer_is_asked_again(remote, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "PAUSES", (0.0, 0.0))
    git = bootstrap.run_git
    faults = ["fatal: unable to access: Could not resolve host: example.com", "error: RPC failed; HTTP error: 502"]

    def faulty(folder: Path, *arguments: str) -> str:
        if arguments[0] == "fetch" and arguments[-1] == remote.sha and faults:
            raise Stop(faults.pop(0))
        if arguments[0] == "fetch" and arguments[-1] == "main":
            raise Stop("fatal: unable to access")
        return git(folder, *arguments)

    monkeypatch.setattr(bootstrap, "run_git", faulty)
    bootstrap.bring_code(cargo(remote.code()), tmp_path / "code", tmp_path)
    assert capsys.readouterr().out.count("the remote does not answer, next try in 0 s") == 2


def test_git_asks_nobody(remote, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_ASKPASS", "/nonexistent")
    shown = bootstrap.run_git(remote.folder, "config", "--get-all", "credential.helper")
    assert shown.strip() == ""
    assert bootstrap.run_git(remote.folder, "rev-parse", "HEAD").strip() == remote.sha


# --- dataset


def stored(project: Path) -> Code:
    code, _ = embedded(project, transport="dataset", dataset="ada/cid-code")
    return code


@pytest.mark.parametrize("mount", ["cid-code", "datasets/ada/cid-code"])
@pytest.mark.parametrize("name", ["code.tar.xz", "anything", "folder/code.tar.xz"])
def test_the_archive_is_found_in_an_attached_dataset(project, tmp_path, mount, name):
    code = stored(project)
    write_tree(tmp_path / "input" / mount, {name: pack(project), "another": "file"})
    bootstrap.bring_code(cargo(code), tmp_path / "code", tmp_path / "input")
    assert tree_id(tmp_path / "code") == code.carried_tree


@pytest.mark.parametrize("place", ["cid-code", "datasets/ada/cid-code/code", "cid-code/code/code.tar"])
def test_a_dataset_that_kaggle_unpacked_is_taken_as_it_is(project, tmp_path, place):
    code = stored(project)
    home = tmp_path / "input" / place
    home.parent.mkdir(parents=True)
    project.rename(home)
    for path in (*home.rglob("*"), home):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o555)
    bootstrap.bring_code(cargo(code), tmp_path / "code", tmp_path / "input")
    assert tree_id(tmp_path / "code") == code.carried_tree
    assert (tmp_path / "code/bin").stat().st_mode & 0o200
    assert (tmp_path / "code/train.py").stat().st_mode & 0o200


def test_a_dataset_that_is_not_attached_is_named(project, tmp_path):
    (tmp_path / "input/datasets/bob/cid-code").mkdir(parents=True)
    with pytest.raises(Stop, match="the dataset ada/cid-code is not attached"):
        bootstrap.bring_code(cargo(stored(project)), tmp_path / "code", tmp_path / "input")


def test_a_dataset_with_other_code_is_refused(project, tmp_path):
    code = stored(project)
    write_tree(tmp_path / "input/cid-code", {"code.tar.xz": b"other", "train.py": "print(2)"})
    with pytest.raises(Stop, match=f"holds neither archive {code.digest} nor tree {code.carried_tree}"):
        bootstrap.bring_code(cargo(code), tmp_path / "code", tmp_path / "input")


# --- the package


def test_a_broken_package_is_said(tmp_path):
    with pytest.raises(Stop, match="the carried containerid cannot be unpacked"):
        bootstrap.bring_package({"package": base64.b85encode(b"not an archive").decode()}, tmp_path / "package")
