"""What one leg leaves, made reachable for the next: its outputs attached, else its checkpoint in a private dataset."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath

from containerid.errors import NoCheckpoint
from containerid.home import Home
from containerid.job import CHECKPOINT_FILE, EPOCHS_FILE, PACKAGES_FILE, Leg, Output, Past, Spec, Tell
from containerid.kaggle.account import Account
from containerid.kaggle.scratch import scratch

_CARRIED = (CHECKPOINT_FILE, "weights/best.pt", "results.csv", EPOCHS_FILE, PACKAGES_FILE, "train.log")


def carrier(owner: str, run: str, leg: int) -> str:
    """The private dataset that carries what a leg has left to the next one."""
    return f"{owner}/cid-leg-{sha256(f'{run} {leg}'.encode()).hexdigest()[:12]}"


def hand_over(
    account: Account,
    spec: Spec,
    leg: Leg,
    attach: bool,
    outputs: Sequence[Output],
    download: Callable[[Output, Path], str],
    home: Home,
    tell: Tell,
) -> Past:
    """Where the next leg finds what this one left.

    Kaggle attaches the outputs of a kernel's last complete version; those of a session that was cancelled, failed or
    ran over its time can be downloaded, but not attached.

    Args:
        account: whose kernels these are.
        spec: of the leg that has ended.
        leg: its session.
        attach: Kaggle can attach its outputs.
        outputs: its files.
        download: writes one of them to a path.
        home: the user's folder, in which lies what is on its way.
        tell: gets the steps.

    Raises:
        NoCheckpoint: it left none.
        Refused: Kaggle does not take the dataset.
    """
    from containerid.config import ENTRY

    found = {output.name: output for output in outputs if output.name in _CARRIED}
    if CHECKPOINT_FILE not in found and spec.entry == ENTRY:
        raise NoCheckpoint(f"leg {spec.leg} of {spec.run} left no checkpoint to go on from", hint="cid train")
    if attach:
        return Past(kind="kernel", source=leg.handle)
    name = carrier(account.owner, spec.run, spec.leg)
    with scratch(home) as folder:

        def bring() -> list[Path]:
            paths = [folder / PurePosixPath(each).name for each in found]
            for path, output in zip(paths, found.values(), strict=True):
                download(output, path)
            return paths

        account.datasets.ensure(name, bring, tell)
    return Past(kind="dataset", source=name)
