"""Git where nobody can be asked: no prompts, no helpers, no settings of the machine, and what a refused push says.

Standard library only, and nothing of ours: the far side carries this very source.
"""

import os

_ALONE = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "LC_ALL": "C",
}
_SETTINGS = ("protocol.ext.allow=never", "credential.helper=", "core.autocrlf=false", "core.symlinks=true")


def git_command(*arguments: str) -> list[str]:
    """How git is called; for the environment of `git_environment`."""
    return ["git", *(part for each in _SETTINGS for part in ("-c", each)), *arguments]


def git_environment() -> dict[str, str]:
    """The variables in which git runs: those of this process without its GIT_*, which trace, or point elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _ALONE


def refusal(report: str, complaint: str) -> str:
    """Why a push was not taken, in one phrase, from what git reported (with `--porcelain`) and complained."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip() and "failed to push some refs" not in line]
    said = [line.split(": ", 1)[1] for line in lines if line.startswith(("fatal: ", "error: ", "remote: "))]
    # a refused ref has a line of its own: `!<tab>from:to<tab>[rejected] (fetch first)`
    refused = [line for line in report.splitlines() if line.startswith("!\t") and line.endswith(")")]
    if refused:
        explained = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote: ")]
        return ": ".join([refused[0].rsplit("(", 1)[1].rstrip(")"), *explained[:1]])
    return (said or lines[-1:] or ["git push failed"])[0]
