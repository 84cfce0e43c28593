"""Submits under fire, 60 a row: how many sessions were started too many. `python -m benchmarks.submit_fuzz`."""

import os
import sys
import tempfile
from pathlib import Path

SUBMITS = 60
_SEED = 20261121
_GIT = "[user]\n name = Ada\n email = ada@example.com\n[init]\n defaultBranch = main\n"


def main(submits: int = SUBMITS) -> None:
    """Print the table; the exit code is 1 when a session was started twice, or a run was lost."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from fakes.fuzz import fuzz, table

    with tempfile.TemporaryDirectory(prefix="cid-fuzz-") as folder:
        (Path(folder) / "gitconfig").write_text(_GIT, encoding="utf-8")
        os.environ |= {"GIT_CONFIG_GLOBAL": f"{folder}/gitconfig", "GIT_CONFIG_NOSYSTEM": "1", "NO_COLOR": "1"}
        rows = fuzz(Path(folder), submits, _SEED)
    print(table(rows))
    if not all(row.good for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
