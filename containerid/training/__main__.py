"""`python -m containerid.training`: run a spec on this machine."""

import argparse
import os
import sys
from pathlib import Path

_MOUNTS = "/kaggle/input"
_EPILOG = """\
phases   environment, data, validate, train, evaluate, report
outputs  weights/best.pt, weights/last.pt, results.csv, args.yaml, plots, progress.jsonl, train.log, metadata.json,
         summary.md, result.json (on every exit), manifest.json (size and SHA-256 of all others)
exit     0 succeeded, 7 failed or a gate not met, 8 cancelled by a signal, 9 paused with weights/resume.pt
environ  CID_REHEARSAL=1 lets a missing GPU pass; CID_PHASES_BEFORE=N numbers the phases after N others;
         GDRIVE_CREDENTIALS_DATA and WANDB_API_KEY are used when the spec needs them, and never printed

The spec is the JSON document that `cid train --dry-run` writes: at least {"run": "some-id", "params": {...}, "data":
{"provider": "folder", "source": "path/to/data"}}. Relative data sources start at the working folder.
"""


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m containerid.training",
        description="Run one training from its spec: check, train, evaluate, and leave a verified record.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--spec", required=True, type=Path, metavar="FILE", help="the spec, a JSON document")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the outputs go; made if missing")
    parser.add_argument(
        "--input", type=Path, default=Path(_MOUNTS), metavar="DIR", help=f"attached datasets (default: {_MOUNTS})"
    )
    options = parser.parse_args(arguments)
    from containerid.training.run import run

    return run(options.spec, options.out, options.input)


if __name__ == "__main__":
    ended_with = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The result is written: no thread or service that a library started may hold the process or change its exit code.
    os._exit(ended_with)
