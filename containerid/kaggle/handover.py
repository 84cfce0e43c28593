"""What one leg leaves, made reachable for the next: its outputs attached, else its checkpoint in a private dataset."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from containerid.errors import UsageError
from containerid.job import Leg, Output, Past, Spec, State, Tell
from containerid.kaggle.account import Account

_CHECKPOINT = "weights/resume.pt"
_CARRIED = (_CHECKPOINT, "weights/best.pt", "results.csv", "progress.jsonl", "train.log")


def hand_over(
    account: Account,
    spec: Spec,
    leg: Leg,
    state: State,
    outputs: Sequence[Output],
    download: Callable[[Output, Path], str],
    scratch: Path,
    tell: Tell,
) -> Past:
    """Where the next leg finds what this one left.

    Kaggle attaches the outputs of a kernel's last complete version; those of a session that was cancelled, failed or
    ran over its time can be downloaded, but not attached.

    Args:
        account: whose kernels these are.
        spec: of the leg that has ended.
        leg: its session.
        state: what Kaggle calls that.
        outputs: its files.
        download: writes one of them to a path.
        scratch: a folder for what is on its way.
        tell: gets the steps.

    Raises:
        UsageError: it left no checkpoint.
        Refused: Kaggle does not take the dataset.
    """
    from containerid.config import ENTRY

    found = {output.name: output for output in outputs if output.name in _CARRIED}
    if _CHECKPOINT not in found and spec.entry == ENTRY:
        raise UsageError(f"leg {spec.leg} of {spec.run} left no checkpoint to go on from", hint="cid train")
    if state is State.SUCCEEDED:
        return Past(kind="kernel", source=leg.handle)
    name = f"{account.owner}/cid-leg-{sha256(f'{spec.run} {spec.leg}'.encode()).hexdigest()[:12]}"
    with TemporaryDirectory(dir=scratch) as folder:

        def bring() -> list[Path]:
            paths = [Path(folder, PurePosixPath(each).name) for each in found]
            for path, output in zip(paths, found.values(), strict=True):
                download(output, path)
            return paths

        account.datasets.ensure(name, bring, tell)
    return Past(kind="dataset", source=name)
