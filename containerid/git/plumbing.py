"""How git is run: without prompts, without the caller's GIT_* variables, and with its complaints made ours."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from containerid.errors import GitError

if TYPE_CHECKING:
    from git import Git

_OPTIONS = (
    "protocol.ext.allow=never",  # `ext::sh -c …` as a remote URL would run a command
    "core.fsmonitor=false",
    "core.splitIndex=false",
    "core.safecrlf=false",
    "i18n.commitEncoding=UTF-8",
    "push.recurseSubmodules=no",
    "push.followTags=false",
)
_PROMPTLESS = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
_NO_HOOKS = "core.hooksPath=/dev/null"
# What a user sets to reach a remote or to sign a commit with a name stays; what points git at another repository,
# index or object store (as inside a hook), or makes it trace secrets, goes.
_KEPT = re.compile(
    r"GIT_(?:SSH(?:_.*)?|ASKPASS|(?:AUTHOR|COMMITTER)_.*|SSL_.*|HTTP_.*|PROXY_.*|LFS_.*|EXEC_PATH"
    r"|CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)|CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM)"
)
_USERINFO = re.compile(r"(?<=://)[^/@\s'\"]+@")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Answer:
    """What git said: its exit status, its output, and its complaint without credentials and control characters."""

    status: int
    output: bytes
    complaint: str

    @property
    def good(self) -> bool:
        """Git did what it was asked."""
        return self.status == 0

    @property
    def text(self) -> str:
        """The output as text, without the last line end."""
        return as_path(self.output).strip("\n")


class Plumbing:
    """Runs git commands in one work tree, through gitpython's `Repo.git`.

    Arguments reach git as they are, never through a shell; callers put `--` before anything that a user names.
    """

    def __init__(self, git: "Git", root: Path) -> None:
        self._git = git
        self.root = root
        """The root of the work tree, where every command runs."""

    @classmethod
    def at(cls, folder: Path) -> "Plumbing":
        """For the repository that a folder lies in; git then runs in the root of its work tree.

        Raises:
            GitError: git is missing, the folder is in no repository, or the repository has no work tree.
        """
        try:
            from git import Repo
            from git.exc import InvalidGitRepositoryError, NoSuchPathError
        except ImportError:
            raise GitError("git was not found", hint="install git, then run the same command again") from None
        try:
            repo = Repo(folder, search_parent_directories=True, expand_vars=False)
        except NoSuchPathError:
            raise GitError(f"there is no folder {folder}") from None
        except InvalidGitRepositoryError:
            raise GitError(f"{folder} is not in a git repository", hint="git init") from None
        if repo.working_tree_dir is None:
            raise GitError(f"{folder} is in a bare repository", hint="clone it, and run the command in the clone")
        return cls(repo.git, Path(repo.working_tree_dir))

    def ask(
        self,
        *arguments: str,
        stdin: bytes = b"",
        output: BinaryIO | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = None,
        hooks: bool = False,
    ) -> Answer:
        """Run a command and give its answer, good or bad.

        Args:
            arguments: the subcommand and what follows it.
            stdin: what git reads; nothing else can be read from it.
            output: what git writes to, instead of the answer's output.
            environment: added to what git sees.
            timeout: seconds after which git and its children are killed; None for no limit.
            hooks: the repository's hooks run.
        """
        added = _PROMPTLESS | dict(environment or {})
        with _as_file(stdin) as file:
            said = self._git.execute(
                _command(arguments, added, hooks=hooks),
                istream=file,
                output_stream=output,
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
                shell=False,
                env=added,
                kill_after_timeout=timeout,
            )
        status, raw, words = said
        return Answer(status, b"" if output else raw, clean(words))

    def run(self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
        """Run a command that must succeed; its output.

        Raises:
            GitError: it did not; git's own words are the message.
        """
        answer = self.ask(*arguments, stdin=stdin, environment=environment)
        if not answer.good:
            raise complaint(answer, f"git {arguments[0]} failed")
        return answer.output

    def line(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a command that must succeed; its output as text, without the last line end."""
        return as_path(self.run(*arguments, environment=environment)).strip("\n")

    def blobs(self, ids: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Read objects in one go: id and content, in the order asked.

        Raises:
            GitError: an object is missing.
        """
        listed = "".join(f"{each}\n" for each in ids).encode()
        with tempfile.TemporaryFile() as file:
            if listed:
                self.ask("cat-file", "--batch", stdin=listed, output=cast("BinaryIO", file))
            file.seek(0)
            for each in ids:
                header = file.readline().split()
                if len(header) != 3:
                    raise GitError(f"git does not hold the object {each}", hint="git fsck")
                yield each, file.read(int(header[2]))
                file.read(1)


def complaint(answer: Answer, otherwise: str) -> GitError:
    """An answer that is not good, as our error: git's first `fatal:` or `error:` line, or what is given instead."""
    if "dubious ownership" in answer.complaint:
        return GitError("git refuses this repository: it belongs to somebody else", hint=_last(answer.complaint))
    lines = [line for line in answer.complaint.splitlines() if line.startswith(("fatal: ", "error: "))]
    return GitError(lines[0].split(": ", 1)[1].rstrip(".") if lines else _last(answer.complaint) or otherwise)


def clean(text: str) -> str:
    """Text of git or a remote, without credentials in URLs and without terminal control characters."""
    return _CONTROL.sub("", _USERINFO.sub("", text))


def as_path(raw: bytes) -> str:
    """A path as git gives it; bytes that are not UTF-8 survive the way back through `as_bytes`."""
    return raw.decode("utf-8", "surrogateescape")


def as_bytes(path: str) -> bytes:
    """A path as git takes it."""
    return path.encode("utf-8", "surrogateescape")


def _command(arguments: Sequence[str], added: Mapping[str, str], *, hooks: bool) -> list[str]:
    # gitpython can add variables but not drop them; `env -u` can, and drops what was added as well
    foreign = [name for name in os.environ if name.startswith("GIT_") and not _KEPT.fullmatch(name)]
    dropped = [part for name in sorted(set(foreign) - set(added)) for part in ("-u", name)]
    options = [part for each in (*_OPTIONS, *(() if hooks else (_NO_HOOKS,))) for part in ("-c", each)]
    return [*(("env", *dropped) if dropped else ()), "git", *options, *arguments]


@contextmanager
def _as_file(content: bytes) -> Iterator[BinaryIO | None]:
    if not content:
        yield None
        return
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield cast("BinaryIO", file)


def _last(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
