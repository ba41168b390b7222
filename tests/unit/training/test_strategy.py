"""How the processes of several devices meet."""

import pytest
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.training.strategy import Replicas


@pytest.mark.parametrize("port", ["", "abc", "0", "-1", "65536", "1.5", "²"])
def test_what_is_no_port_is_named(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_PORT", port)
    with pytest.raises(ConfigError, match=f"MASTER_PORT={port}: must be a port"):
        Replicas()


def test_a_port_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's own words and exception, without its stack of calls."""
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    first = distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    monkeypatch.setenv("MASTER_PORT", str(first.port))

    def meet(_: DDPStrategy) -> None:
        distributed.TCPStore("127.0.0.1", first.port, is_master=True, wait_for_workers=False)

    monkeypatch.setattr(DDPStrategy, "setup_environment", meet)
    with pytest.raises(
        ConfigError,
        match=rf"^MASTER_ADDR=127.0.0.1, MASTER_PORT={first.port}: .* cannot meet there",
    ):
        Replicas().setup_environment()
