"""Planted defects, one at a time: what `cid data check --deep` says of each, and what Ultralytics' own scan does."""

import logging
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from fakes.defects import DEFECTS, Defect, clean, plant

from containerid.dataset import check, sets


class _Heard(logging.Handler):
    """Remembers what is said."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def ours(folder: Path, defect: Defect, expected: tuple[str, str, str, int]) -> str:
    """The severity of the finding, or that there is none."""
    findings = check.check(sets.survey(folder / "data.yaml"), deep=True, processes=1).findings
    found = {(each.path, each.kind, each.severity, each.line) for each in findings}
    return defect.severity if expected in found else "MISSED"


def theirs(folder: Path) -> str:
    """What becomes of the image: dropped, repaired, mentioned, or kept without a word."""
    os.environ["YOLO_VERBOSE"] = "false"
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset
    from ultralytics.utils import LOGGER

    before = {path: path.stat().st_size for path in folder.rglob("*.jpg") if path.is_file()}
    heard = _Heard()
    LOGGER.addHandler(heard)
    dropped = 0
    try:
        data: dict[str, Any] = check_det_dataset(str(folder / "data.yaml"))
        for split in ("train", "val", "test"):
            found = YOLODataset(img_path=data[split], data=data, augment=False)
            dropped += len(found.get_img_files(data[split])) - len(found.labels)
    except Exception as error:
        return f"stops: {type(error).__name__}"
    finally:
        LOGGER.removeHandler(heard)
    if any(path.stat().st_size != size for path, size in before.items()):
        return "writes the image anew"
    if dropped:
        return "leaves the image out"
    return "mentions it" if any("duplicate" in line for line in heard.lines) else "nothing"


def main() -> None:
    """Print a line for each defect, and the sums."""
    sums: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        pattern = clean(Path(scratch) / "clean")
        for number, defect in enumerate(DEFECTS):
            folders = [shutil.copytree(pattern, Path(scratch) / f"{who}{number}") for who in ("ours", "theirs")]
            [expected], _ = (plant(folder, [defect]) for folder in folders)
            said, done = ours(folders[0], defect, expected), theirs(folders[1])
            sums.update((f"cid: {'missed' if said == 'MISSED' else 'found'}", f"Ultralytics: {done}"))
            print(f"{defect.name:<28} {said:<8} {done}")
            for folder in folders:
                shutil.rmtree(folder)
    print(f"of {len(DEFECTS)}:", ", ".join(f"{what} {count}" for what, count in sorted(sums.items())))


if __name__ == "__main__":
    main()
