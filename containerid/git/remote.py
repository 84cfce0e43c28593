"""Remotes: which one, what it holds, and who may read it. Credentials in a URL go no further than this package."""

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from containerid.errors import GitError, UsageError
from containerid.git.plumbing import Plumbing, as_path, complaint
from containerid.job import RESULTS

RUNS = "refs/cid/runs/"
"""Where a remote keeps the snapshots of runs that are on no branch; a plain clone does not fetch them."""

_ASKING = 30
_READING = 10
_SCP = re.compile(r"(?:[^@/:\s]+@)?(?P<host>[^/:\s]+):(?!//)(?P<path>[^\s]+)")
_NETWORK = ("http", "https", "git")


@dataclass(frozen=True, slots=True)
class Remote:
    """Where code is pushed to.

    Attributes:
        name: empty when it was given by URL.
        url: as git uses it, perhaps with credentials; it is not shown, logged or stored.
        public: the same place without credentials, for an anonymous fetch; empty when there is no such URL.
        branch: the branch on the remote that belongs to the one that is checked out; empty when there is none.
    """

    name: str
    url: str = field(repr=False)
    public: str
    branch: str

    @property
    def place(self) -> str:
        """What git is told: the name, so that git keeps its tracking refs, else the URL."""
        return self.name or self.url

    @property
    def label(self) -> str:
        """What the user is told."""
        return self.name or self.public or "the remote"

    @property
    def local(self) -> bool:
        """It lies on this machine's disk: nobody else can fetch from it."""
        return urlsplit(self.public).scheme == "file"


def choose(plumbing: Plumbing, branch: str, preferred: str, environ: Mapping[str, str]) -> Remote | None:
    """The branch's upstream, else the preferred one, else origin, else the only one; None when there is none.

    Args:
        plumbing: of the repository.
        branch: what is checked out; empty when detached.
        preferred: `git.remote` of params.yaml; may be empty.
        environ: `REPO_URL` and `GIT_BRANCH` override the place and the branch there.

    Raises:
        GitError: the preferred remote does not exist, or several exist and none is chosen.
        UsageError: `GIT_BRANCH` cannot be a branch.
    """
    names = plumbing.line("remote").splitlines()
    tracked = plumbing.ask("config", "--get", f"branch.{branch}.remote").text
    merged = plumbing.ask("config", "--get", f"branch.{branch}.merge").text.removeprefix("refs/heads/")
    url = environ.get("REPO_URL", "")
    name = "" if url else _name(names, tracked, preferred)
    if not (url or name):
        return None
    url = url or plumbing.line("remote", "get-url", "--", name)
    target = merged if merged and name == tracked else branch
    if named := environ.get("GIT_BRANCH", ""):
        target = named.removeprefix("refs/heads/").removeprefix(f"{name or 'origin'}/")
        if not plumbing.ask("check-ref-format", f"refs/heads/{target}").good:
            raise UsageError(f"GIT_BRANCH is {named!r}, which cannot be the name of a branch")
    return Remote(name, url, public_url(url, plumbing.root), target)


def _name(names: list[str], tracked: str, preferred: str) -> str:
    if tracked in names:
        return tracked
    if preferred and preferred not in names:
        raise GitError(
            f"params.yaml names the remote {preferred!r}, which this repository does not have",
            hint="git remote -v; then mend git.remote",
        )
    if preferred or "origin" in names or len(names) < 2:
        return preferred or ("origin" if "origin" in names else "".join(names))
    raise GitError(
        f"several remotes and no choice: {', '.join(sorted(names))}",
        hint="git push -u REMOTE, or name one in params.yaml: git.remote",
    )


def public_url(url: str, root: Path | None = None) -> str:
    """A URL for an anonymous fetch: no user, no password, no query; ssh becomes https. Empty when there is none.

    Args:
        url: in any form that git takes.
        root: what a relative path is relative to.
    """
    if "://" in url:
        return _of_url(url)
    scp = _SCP.fullmatch(url)
    if scp and not url.startswith((".", "/")):
        return _https(scp["host"], scp["path"])
    return Path(root or "", url).resolve().as_uri() if url and "::" not in url else ""


def _of_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if parts.scheme in ("ssh", "git+ssh", "ssh+git"):
        return _https(host, parts.path)
    if parts.scheme == "file":
        return f"file://{parts.path}"
    bracketed = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{bracketed}{port}{parts.path}" if parts.scheme in _NETWORK and host else ""


def _https(host: str, path: str) -> str:
    # a name without a dot is an alias of the user's ssh config, which nobody else has
    return f"https://{host}/{path.lstrip('/')}" if "." in host and not path.startswith("/~") else ""


def tips(plumbing: Plumbing, remote: Remote) -> dict[str, str]:
    """The remote's branches, tags and runs as they are now: ref to object id.

    Raises:
        GitError: it did not answer; retryable.
    """
    patterns = ("refs/heads/*", "refs/tags/*", f"{RUNS}*")
    answer = plumbing.ask("ls-remote", "--refs", "--", remote.place, *patterns, timeout=_ASKING)
    if not answer.good:
        error = complaint(answer, "no answer")
        hint = f"git fetch {remote.name}".strip()
        raise GitError(f"{remote.label} cannot be read: {error.message}", hint=hint, retryable=True)
    rows = (line.split("\t", 1) for line in answer.text.splitlines() if "\t" in line)
    return {ref: sha for sha, ref in rows}


def holder(plumbing: Plumbing, found: Mapping[str, str], sha: str, *, first: str = "") -> str:
    """A ref on the remote from which a commit can be reached; empty when there is none.

    Args:
        plumbing: of the repository, which holds the commit.
        found: the remote's refs, as `tips` gives them.
        sha: the commit.
        first: the ref to prefer.
    """
    passing = f"refs/heads/{RESULTS}"
    order = sorted(found, key=lambda ref: (ref != first, found[ref] != sha, ref.startswith(passing), ref))
    if exact := [ref for ref in order if found[ref] == sha]:
        return exact[0]
    local = known(plumbing, found)
    if not local or not plumbing.ask("cat-file", "-e", f"{sha}^{{commit}}").good:
        return ""
    excluded = "".join(f"^{each}\n" for each in sorted(local))
    if plumbing.run("rev-list", "--max-count=1", "--stdin", stdin=f"{sha}\n{excluded}".encode()):
        return ""
    above = (ref for ref in order if found[ref] in local and _reaches(plumbing, found[ref], sha))
    return next(above, "")


def _reaches(plumbing: Plumbing, tip: str, sha: str) -> bool:
    return plumbing.ask("merge-base", "--is-ancestor", sha, tip).good


def known(plumbing: Plumbing, found: Mapping[str, str]) -> set[str]:
    """Those of a remote's objects that are here too."""
    listed = "".join(f"{sha}\n" for sha in sorted(set(found.values())))
    if not listed:
        return set()
    lines = as_path(plumbing.run("cat-file", "--batch-check", stdin=listed.encode())).splitlines()
    return {line.split()[0] for line in lines if not line.endswith(" missing")}


def anonymously_readable(url: str) -> bool:
    """Whether anybody can fetch from a URL: asked with no credentials, no configuration and no prompt, in 10 seconds.

    Args:
        url: as `public_url` gives it; the user's git configuration, `.netrc` and helpers play no part.
    """
    if urlsplit(url).scheme not in (*_NETWORK, "file"):
        return False
    from git import Git

    with tempfile.TemporaryDirectory(prefix="cid-anonymous-") as nobody:
        return Plumbing(Git(nobody), Path(nobody)).ask(
            "-c", "credential.helper=", "-c", "core.askPass=", "ls-remote", "--", url, "HEAD",
            environment=_NOBODY | dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "GIT_CEILING_DIRECTORIES"), nobody),
            timeout=_READING,
        ).good  # fmt: skip


_NOBODY = {
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_COUNT": "0",
}
