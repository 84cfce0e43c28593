"""What of a run's log is shown while it is followed."""

import pytest

from containerid.console import Manner, Screen
from containerid.events import LogLine
from containerid.gist import Gist

RUN = """\
cid-bootstrap 1 spec 1 run smoke-1
[1/9] code
[2/9] hardware
2 × Tesla T4 (15 GiB, sm_75)
[3/9] packages
Collecting ultralytics
warning: could not be installed: wandb
[6/9] validate
train: 16 images, 16 labels
[7/9] train
engine/trainer: agnostic_nms=False, amp=True
caution: the batch did not fit
        1/2         0G      6.105: 100% ━━━━━━━━━━━━ 4/4 6.2it/s
[9/9] report
val/mAP50: 0.0000
advice: train for longer
[NbConvertApp] Converting notebook
"""


def shown(text: str) -> list[str]:
    gist = Gist()
    return [said for line in text.splitlines() if (said := gist.of(LogLine(42, "stdout", line)))]


def test_phases_and_what_the_user_should_know_are_shown_and_the_trainer_is_not():
    assert shown(RUN) == [
        "[1/9] code           42s",
        "[2/9] hardware       42s",
        "      2 × Tesla T4 (15 GiB, sm_75)",
        "[3/9] packages       42s",
        "      warning: could not be installed: wandb",
        "[6/9] validate       42s",
        "      train: 16 images, 16 labels",
        "[7/9] train          42s   its own words: cid logs -f, or -v here",
        "      caution: the batch did not fit",
        "[9/9] report         42s",
        "      advice: train for longer",
    ]


def test_a_module_of_the_projects_own_is_heard():
    assert shown("[7/9] train\n$ python -m mine\nloss 0.3\n[9/9] report\nloss: 0.3")[1:-1] == [
        "      $ python -m mine",
        "      loss 0.3",
    ]


def test_of_what_is_no_run_of_ours_every_line_is_shown():
    assert shown("hello\nworld") == ["hello", "world"]


@pytest.mark.parametrize("verbose", [False, True])
def test_verbose_shows_every_line_without_the_blanks_at_its_end(verbose, capfd):
    screen = Screen(Manner(verbose=verbose))
    for line in ("[7/9] train", f"  0  -1  1  464{' ' * 900}"):
        screen.tell(LogLine(0, "stdout", line))
    assert ("\n  0  -1  1  464\n" in capfd.readouterr().err) is verbose
