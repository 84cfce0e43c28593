"""`python -m containerid.kaggle.emulator`: the server that rehearsals share; `daemon` starts it."""

import argparse
from pathlib import Path

from containerid.kaggle.emulator import daemon, serve


def main() -> None:
    """Serve the folder until idle; sessions outlive the server."""
    parser = argparse.ArgumentParser(prog="python -m containerid.kaggle.emulator", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the server's folder")
    parser.add_argument("--port", type=int, default=0, help="0 takes any that is free")
    parser.add_argument("--idle-stop", type=float, default=daemon.IDLE_STOP, help="seconds without a request or a run")
    asked = parser.parse_args()
    serve(asked.state, asked.port, lambda _: None, idle_stop=asked.idle_stop, detached=True)


if __name__ == "__main__":
    main()
