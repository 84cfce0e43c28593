import pytest

from containerid.errors import CidError, CredentialsError, NotFound, Refused, Throttled, Unreachable, UsageError
from containerid.job import State
from containerid.kaggle.refusals import explain, read_failure, without_sources

SAID = [
    (200, "Maximum batch GPU session count of 2 reached.", Refused, "slots are in use", "wait until one ends", True),
    (200, "Maximum batch GPU session count of 4 reached.", Refused, "slots are in use", "wait until one ends", True),
    (200, "Maximum batch CPU session count of 5 reached.", Refused, "slots are in use", "wait until one ends", True),
    (200, "Maximum weekly GPU quota of 30.00 hours reached.", Refused, "weekly quota", "cid quota", False),
    (200, "no accelerator quota", Refused, "weekly quota", "cid quota", False),
    (200, "no quota for this accelerator", Refused, "weekly quota", "cid quota", False),
    (200, "Notebook not found", Refused, "no kernel of this name", "--slug", False),
    (200, "Kernel not found", Refused, "no kernel of this name", "--slug", False),
    (200, "You cannot change the editor type", Refused, "pushes scripts", "--slug", False),
    (
        400,
        "The kernel source must be less than 1 megabytes in size.",
        UsageError,
        "too large",
        "--transport fetch",
        False,
    ),
    (409, "", Refused, "another kernel has this title", "--slug", False),
    (200, 'The requested title "x" is already in use by a dataset.', Refused, "name is taken", "--slug", False),
    (403, "Permission 'kernels.get' was denied", NotFound, "no such kernel", "owner and name", False),
    (403, "Permission 'datasets.get' was denied", NotFound, "no such kernel or dataset", "owner and name", False),
    (404, "", NotFound, "knows no such thing", "", False),
    (500, "", Unreachable, "HTTP 500", "again", True),
    (502, "an HTML page", Unreachable, "HTTP 502", "again", True),
    (503, "", Unreachable, "HTTP 503", "again", True),
    (504, "", Unreachable, "HTTP 504", "again", True),
    (408, "", Unreachable, "HTTP 408", "again", True),
    (429, "Too many requests", Throttled, "fewer requests", "in a minute", True),
    (429, "TooManyRequests", Throttled, "fewer requests", "in a minute", True),
    (200, "Too many requests", Throttled, "fewer requests", "in a minute", True),
    (
        403,
        "Permission 'kernelSessions.enableInternet' was denied",
        Refused,
        "GPU with internet",
        "verify your phone",
        False,
    ),
    (400, "Phone verification is required", Refused, "phone number", "verify your phone", False),
    (403, "Permission 'kernelSessions.cancel' was denied", Refused, "to a session", "kernel's own page", False),
    (403, "Permission 'kernelSessions.get' was denied", Refused, "to a session", "kernel's own page", False),
    (403, "Permission 'datasets.create' was denied", CredentialsError, "not write", "API token", False),
    (401, "Unauthenticated", CredentialsError, "does not take the credentials", "settings", False),
    (401, "", CredentialsError, "does not take the credentials", "settings", False),
    (403, "Authentication required", CredentialsError, "does not take the credentials", "12 hours", False),
    (412, "", Refused, "no machine free", "some minutes", True),
    (200, "precondition failed", Refused, "no machine free", "some minutes", True),
    (200, "toomanyassignments", Refused, "no machine free", "some minutes", True),
    (400, "You must accept this competition's rules", Refused, "rules are not accepted", "competitions", False),
    (400, "Bad field", Refused, "cannot use the request", "", False),
    (403, "", Refused, "does not allow this", "", False),
    (413, "", UsageError, "too large", "--transport", False),
    (418, "teapot", Refused, r"Kaggle said no \(HTTP 418\)", "", False),
    (200, "Something new", Refused, "Kaggle said no: Something new", "", False),
]


@pytest.mark.parametrize(("status", "said", "kind", "means", "hint", "retryable"), SAID)
def test_each_of_kaggles_texts_has_its_error_and_keeps_its_words(status, said, kind, means, hint, retryable):
    error: CidError = explain(status, said)
    assert type(error) is kind
    assert error.retryable is retryable
    assert hint in error.hint
    assert said.rstrip(".") in error.message
    with pytest.raises(CidError, match=means):
        raise error


def test_a_long_answer_becomes_one_line():
    error = explain(400, "two\nlines " + "x" * 1000)
    assert "\n" not in error.message
    assert len(error.message) < 600


FAILED = [
    (State.FAILED, "Your notebook tried to allocate more memory than is available.", State.FAILED, "host memory"),
    (
        State.CANCELLED,
        "Your notebook was stopped because it exceeded the max allowed execution duration.",
        State.FAILED,
        "--session-limit",
    ),
    (State.FAILED, "Your notebook tried to use more disk space than is available", State.FAILED, "20 GB"),
    (State.FAILED, "Permission 'kernelSessions.enableInternet' was denied", State.FAILED, "verify your phone"),
    (State.FAILED, "The kernel was killed due to a requested cancel.", State.CANCELLED, "cancelled on Kaggle"),
    (State.CANCELLED, "", State.CANCELLED, ""),
    (State.FAILED, "Something new", State.FAILED, "Something new"),
]


@pytest.mark.parametrize(("platform", "said", "state", "means"), FAILED)
def test_a_failure_message_tells_what_to_change(platform, said, state, means):
    status = read_failure(platform, said)
    assert status.state is state
    assert said.rstrip(".") in status.message
    assert means in status.message


def test_a_run_that_lacks_its_data_and_goes_on_is_said():
    error = without_sources({"dataset": ["ada/x", "ada/y"]}, stopped=False, url="https://k/code/ada/z")
    assert "without dataset ada/x, ada/y" in error.message
    assert "could not be stopped" in error.message
    assert "https://k/code/ada/z" in error.hint
