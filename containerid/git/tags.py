"""Annotated tags: what they point at, and what is written in them."""

from dataclasses import dataclass

from containerid.git.plumbing import Plumbing, as_path


@dataclass(frozen=True, slots=True)
class Tag:
    """An annotated tag: its name, the commit it marks, its message, and the id of its object."""

    name: str
    commit: str
    message: str
    mark: str = ""


def listed(plumbing: Plumbing) -> list[Tag]:
    """The annotated tags of a repository, the newest first."""
    form = "%(refname:short)%00%(objecttype)%00%(*objectname)%00%(contents)%00%(objectname)%00"
    said = as_path(plumbing.run("for-each-ref", "--sort=-creatordate", f"--format={form}", "refs/tags/"))
    fields = said.split("\0")
    rows = zip(*(fields[at::5] for at in range(5)), strict=False)
    return [Tag(name.strip("\n"), sha, message, mark) for name, kind, sha, message, mark in rows if kind == "tag"]
