"""Annotated tags: what they point at, and what is written in them."""

from dataclasses import dataclass

from containerid.git.plumbing import Plumbing, as_path


@dataclass(frozen=True, slots=True)
class Tag:
    """An annotated tag: its name, the commit it marks, its message."""

    name: str
    commit: str
    message: str


def listed(plumbing: Plumbing) -> list[Tag]:
    """The annotated tags of a repository, the newest first."""
    form = "%(refname:short)%00%(objecttype)%00%(*objectname)%00%(contents)%00"
    said = as_path(plumbing.run("for-each-ref", "--sort=-creatordate", f"--format={form}", "refs/tags/"))
    fields = said.split("\0")
    rows = zip(fields[0::4], fields[1::4], fields[2::4], fields[3::4], strict=False)
    return [Tag(name.strip("\n"), sha, message) for name, kind, sha, message in rows if kind == "tag"]
