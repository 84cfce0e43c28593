"""A registry, a platform in memory, and a run on it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.platform import Platform, PlatformBackend

from containerid import backends
from containerid.home import Home
from containerid.job import Code, Leg, Spec, State
from containerid.runs.registry import Registry, Run


@pytest.fixture
def home(own_home: Path) -> Home:
    return Home.of_user()


@pytest.fixture
def registry(home: Home) -> Registry:
    return Registry(home.registry)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    PlatformBackend.current = Platform()
    row = backends.Entry("fakes.platform:PlatformBackend", git="snapshot", first=0.001, cap=0.002)
    monkeypatch.setitem(backends.TABLE, "platform", row)
    return PlatformBackend.current


@pytest.fixture
def submitted(registry: Registry, platform: Platform, tmp_path: Path) -> Callable[..., Run]:
    """Make a run that the platform has taken."""

    def make(name: str = "exp001-1", experiment: str = "exp001") -> Run:
        registry.add(Run(run=name, backend="platform", project="doors", folder=str(tmp_path), experiment=experiment))
        registry.set_spec(name, Spec(run=name, backend="platform", code=Code(sha="a" * 40)))
        registry.set_leg(name, Leg(f"ada/cid-{name}", "1", f"https://platform.example/code/ada/cid-{name}"))
        return registry.move(name, State.QUEUED)

    return make
