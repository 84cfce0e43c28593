"""The known classes of failure, as data, from causes to their consequences: the first that a log shows is named.

A pattern is searched in single lines. It must name a failure and nothing else: `OutOfMemoryError: CUDA out of memory`
ends a training, while Ultralytics' `CUDA out of memory with batch=16. Reducing to batch=8` is a training that goes on.
"""

from containerid.diagnosis.entry import Class
from containerid.diagnosis.inputs import DATA
from containerid.diagnosis.machine import HARDWARE
from containerid.diagnosis.packages import PACKAGES
from containerid.diagnosis.work import TRAINING

CANCELLED = Class(
    "cancelled",
    "the run was cancelled",
    "{train} starts it anew",
    (r"killed due to a requested cancel", r"\bstopped by SIG(TERM|INT) in ", r"^cancelled on Kaggle"),
)
TIME_LIMIT = Class(
    "time-limit",  # as in containerid.diagnosis.TIME_LIMIT
    "the session's time was up: Kaggle stops a session after 12 hours, or after the limit that was asked for",
    "{train} --set training.epochs=…, with fewer of them; or a longer --session-limit, where that was what ended it",
    (r"exceeded the max allowed execution", r"the session's time was up"),
)
KILLED = Class(
    "killed",
    "it ended without a word: most often host memory, or the machine went away",
    "{train} --set training.workers=2, and look at the kernel's page on Kaggle",
    (),
)

CLASSES: tuple[Class, ...] = (TIME_LIMIT, *HARDWARE, *DATA, *PACKAGES, *TRAINING, CANCELLED)
