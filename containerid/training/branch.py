"""A commit on top of one that a remote has, and the branch that it becomes there: git by its plumbing, no work tree."""

import base64
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from containerid.errors import CredentialsError, GitError, UsageError
from containerid.lonegit import git_command, git_environment, refusal
from containerid.training.secrets import GITHUB

_DENIED = re.compile(
    r"authentication failed|could not read (?:user|pass)|error: 40[134]|not found|denied|not granted", re.IGNORECASE
)
_MOVED = re.compile(r"error: 30[12378]")
_AUTHOR = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "cid"), ("EMAIL", "cid@localhost"))
}
_USER = "x-access-token"
"""Who a token belongs to, where it does not say: GitHub wants this name or any, others any."""

_SETTINGS = ("http.followRedirects=false", "http.lowSpeedLimit=1000", "http.lowSpeedTime=60")
"""A redirect is an error: where it leads to is not what the token is for."""


class Branch:
    """A branch of a remote, and a bare repository in which its commit is made.

    Args:
        folder: where the repository is made; it does not exist yet.
        url: of the remote, without credentials.
        name: of the branch.
        token: what the remote takes in place of a password; `user:token` where it asks for a user. Git gets it in its
            environment alone, for the origin of this URL alone.
        left: the seconds that are left; after them git and its helpers are killed.

    Raises:
        GitError: there is no git.
    """

    def __init__(self, folder: Path, url: str, name: str, token: str, left: Callable[[], float]) -> None:
        self._folder, self._url, self._ref, self._left = folder, url, f"refs/heads/{name}", left
        self._environ = git_environment() | _AUTHOR | _authorization(url, token)
        folder.mkdir(parents=True)
        self._git("init", "-q", "--bare", "--template=")

    def bring(self, sha: str, ref: str) -> None:
        """Fetch a commit without those before it: by the ref that held it, else by its id.

        Raises:
            CredentialsError: the remote takes no such token.
            UsageError: it is at another address by now.
            GitError: it does not give the commit out.
        """
        reasons = [GitError(f"{ref} is another commit by now")]
        for wanted in (ref, sha):
            try:
                self._git("fetch", "-q", "--depth", "1", "--no-tags", "--", self._url, wanted)
            except GitError as error:
                reasons.append(error)
            else:
                if self._line("rev-parse", "FETCH_HEAD") == sha:
                    return
        raise reasons[-1]

    def read(self, sha: str, path: str) -> bytes | None:
        """A file as a commit holds it; None when it does not."""
        if not self._git("ls-tree", "-z", sha, "--", path):
            return None
        return self._git("cat-file", "blob", f"{sha}:{path}")

    def commit(self, parent: str, files: Mapping[str, bytes], message: str, when: str) -> str:
        """A commit of a few files, beside all that its parent holds; the same arguments give the same id.

        Args:
            parent: was brought.
            files: path to content.
            message: of the commit.
            when: as git takes it, such as `@1700000000 +0000`.
        """
        index = {"GIT_INDEX_FILE": str(self._folder / "results.index")}
        self._git("read-tree", parent, environ=index)
        blobs = {path: self._line("hash-object", "-w", "--stdin", stdin=content) for path, content in files.items()}
        rows = "".join(f"100644 {blob}\t{path}\0" for path, blob in blobs.items())
        self._git("update-index", "-z", "--index-info", stdin=rows.encode(), environ=index)
        dates = {f"GIT_{role}_DATE": when for role in ("AUTHOR", "COMMITTER")}
        tree = self._line("write-tree", environ=index)
        return self._line("commit-tree", tree, "-p", parent, "-F", "-", stdin=message.encode(), environ=dates)

    def there(self, sha: str) -> str:
        """Which commit the branch is at the remote now: this one, or another with the same tree; empty for none.

        Raises:
            GitError: the branch holds other files, or the remote does not answer.
        """
        tip = self._tip()
        if not tip or tip == sha:
            return tip
        self.bring(tip, self._ref)
        if self._line("rev-parse", f"{tip}^{{tree}}") != self._line("rev-parse", f"{sha}^{{tree}}"):
            raise GitError(f"{self._ref.removeprefix('refs/heads/')} is there already, with other files")
        return tip

    def push(self, sha: str) -> None:
        """Push a commit that was made here, and see that the remote has it. Nothing is forced.

        Raises:
            CredentialsError: the remote takes no such token.
            GitError: it refused, or does not show the commit.
        """
        self._git("push", "--porcelain", "--", self._url, f"{sha}:{self._ref}")
        if self._tip() != sha:
            raise GitError("the remote took the push, but does not show the commit")

    def probe(self) -> None:
        """Ask the remote whether it would take the branch; nothing is sent.

        Raises:
            CredentialsError: it takes no such token.
            UsageError: it is at another address by now.
            GitError: it does not answer, or would refuse.
        """
        tree = self._line("hash-object", "-t", "tree", "-w", "--stdin")
        sha = self._line("commit-tree", tree, "-m", "nothing")
        self._git("push", "--dry-run", "--porcelain", "--", self._url, f"{sha}:{self._ref}")

    def _tip(self) -> str:
        rows = self._git("ls-remote", "--refs", "--", self._url, self._ref).decode().splitlines()
        return next((sha for sha, _, ref in (row.partition("\t") for row in rows) if ref == self._ref), "")

    def _line(self, *arguments: str, stdin: bytes = b"", environ: Mapping[str, str] = {}) -> str:
        return self._git(*arguments, stdin=stdin, environ=environ).decode().strip()

    def _git(self, *arguments: str, stdin: bytes = b"", environ: Mapping[str, str] = {}) -> bytes:
        doing, limit = f"git {arguments[0]}", max(self._left(), 1.0)
        settings = (part for each in _SETTINGS for part in ("-c", each))
        command = git_command(*settings, *arguments)
        try:
            status, said, complaint = _run(command, self._folder, {**self._environ, **environ}, stdin, limit)
        except FileNotFoundError as error:
            raise GitError("git is not installed there") from error
        except subprocess.TimeoutExpired as error:
            raise GitError(f"{doing} did not end within {limit:.0f} s", retryable=True) from error
        if status == 0:
            return said
        words = complaint.decode("utf-8", "replace")
        reason = "".join(filter(str.isprintable, refusal(said.decode("utf-8", "replace"), words)))[:300]
        if _MOVED.search(words):
            moved = f"{self._url} sends on to another address, and the token does not go along"
            raise UsageError(moved, hint="git remote set-url origin, with that address (GitLab's ends in .git)")
        if _DENIED.search(words):
            hint = f"cid secrets set {GITHUB}, one that may write contents of this repository"
            # What git says of a refused sign-in is that it could not ask anybody for another.
            more = "" if reason.startswith("could not read") else f": {reason}"
            raise CredentialsError(f"{urlsplit(self._url).hostname} does not take {GITHUB}{more}", hint=hint)
        raise GitError(f"{doing}: {reason}")


def password(token: str) -> str:
    """The secret part of a token that may name its user."""
    return token.partition(":")[2] or token


def _authorization(url: str, token: str) -> dict[str, str]:
    """Variables that are a setting for git: neither a command line nor a file ever holds it."""
    if not token:
        return {}
    parts = urlsplit(url)
    pair = token if ":" in token else f"{_USER}:{token}"
    header = f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}"
    key = f"http.{parts.scheme}://{parts.netloc}/.extraHeader"
    return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": key, "GIT_CONFIG_VALUE_0": header}


def _run(
    command: list[str], folder: Path, environ: Mapping[str, str], stdin: bytes, timeout: float
) -> tuple[int, bytes, bytes]:
    """Exit status, output and complaint. Whatever ends it early ends git's helpers too."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    ) as process:
        try:
            said, complaint = process.communicate(stdin, timeout)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, said, complaint
