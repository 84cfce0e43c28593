"""The documented Python API: what the command line does, without the command line.

```python
from containerid import runs

home = runs.Home.of_user()
run = runs.submit(runs.Request(backend="rehearsal", folder=Path(), experiment="smoke"), home=home)
run = runs.watch(run, home=home, tell=print)
run = runs.fetch(run, home=home)
print(run.state, run.result.metrics, run.outputs)
```

Each call raises the errors of `containerid.errors`.
`tell` gets the events of `containerid.events`; without it, silence.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from containerid.home import Home
from containerid.runs.cancel import cancel, delete
from containerid.runs.fetch import fetch
from containerid.runs.find import find
from containerid.runs.quota import quota
from containerid.runs.registry import Registry, Run
from containerid.runs.request import Request
from containerid.runs.resume import resume, until_done
from containerid.runs.submit import plan, submit
from containerid.runs.verdict import error_of
from containerid.runs.verify import verify
from containerid.runs.watch import look as status
from containerid.runs.watch import watch, watch_all

if TYPE_CHECKING:
    from containerid.runs.model import examine, models
    from containerid.runs.promotion import promote

__all__ = [
    "Home",
    "Registry",
    "Request",
    "Run",
    "cancel",
    "delete",
    "error_of",
    "examine",
    "fetch",
    "find",
    "models",
    "plan",
    "promote",
    "quota",
    "resume",
    "status",
    "submit",
    "until_done",
    "verify",
    "watch",
    "watch_all",
]

_WHEN_ASKED = {"examine": "model", "models": "model", "promote": "promotion"}
"""They bring all of git along, which no other command should wait for."""


def __getattr__(name: str) -> Any:
    if name not in _WHEN_ASKED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHEN_ASKED[name]}"), name)
