"""The loading of large libraries."""

import gc
import signal
import sys
from types import ModuleType

import pytest

from reslag_vae._runtime.loading import loading
from reslag_vae._runtime.signals import interruptible


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it seem as if PyTorch was not loaded yet."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)


@pytest.mark.usefixtures("no_torch")
def test_nothing_that_is_loaded_is_searched_for_garbage() -> None:
    before, loaded = gc.get_freeze_count(), [[] for _ in range(1000)]
    with loading():
        assert not gc.isenabled()
        loaded += [[] for _ in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + 2000
    assert not any(own is loaded for own in gc.get_objects())


@pytest.mark.usefixtures("no_torch")
def test_garbage_is_searched_for_again_after_an_error() -> None:
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.isenabled()


@pytest.mark.usefixtures("no_torch")
def test_a_process_that_never_searches_does_not_begin_to() -> None:
    gc.disable()
    try:
        with loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_where_pytorch_is_loaded_all_is_searched_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    before, own = gc.get_freeze_count(), [[]]
    with loading():
        assert gc.isenabled()
    assert gc.get_freeze_count() <= before  # some of the frozen may have died since
    assert any(tracked is own for tracked in gc.get_objects())


def test_signals_wait_for_the_end() -> None:
    reached: list[bool] = []

    def load() -> None:
        with loading():
            signal.raise_signal(signal.SIGTERM)
            reached.append(True)

    with pytest.raises(SystemExit) as ended, interruptible():
        load()
    assert reached
    assert ended.value.code == 128 + signal.SIGTERM
