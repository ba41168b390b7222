"""The Lightning strategy of several processes that train one model."""

import os
import signal
import threading

from lightning.fabric.strategies.launchers.subprocess_script import _ChildProcessObserver
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from torch import distributed

from reslag_vae._runtime import collectives, signals
from reslag_vae._runtime.errors import ConfigError, first_line


class Replicas(DDPStrategy):
    """A strategy with one process for each device, which leaves gradients to the training step.

    Lightning's own strategy wraps the model in DistributedDataParallel. That reduces gradients once
    for each forward pass, which does not go with several updates in a training step, each of which
    leaves half of the parameters alone. Here the training step averages the gradients of the groups
    that it updates.

    Raises:
        ConfigError: MASTER_PORT in the environment is no port.
    """

    def __init__(self) -> None:
        super().__init__()
        port = os.environ.get("MASTER_PORT", "1")
        if not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise ConfigError(
                f"MASTER_PORT={port}: must be a port, from 1 to {(1 << 16) - 1}; or leave it unset."
            )

    def setup_environment(self) -> None:
        """Connect this process to the others.

        Raises:
            ConfigError: another program has the port, or nobody is at the address.
        """
        try:
            super().setup_environment()
        except distributed.DistNetworkError as error:
            place = [
                f"{name}={os.environ[name]}"
                for name in ("MASTER_ADDR", "MASTER_PORT")
                if name in os.environ
            ]
            raise ConfigError(
                f"{', '.join(place)}: the processes of the devices cannot meet there; free the "
                f"port, or leave both unset ({first_line(error)})."
            ) from None

    def configure_ddp(self) -> None:
        assert self.lightning_module is not None
        collectives.copy_from_first(self.lightning_module)

    def on_train_start(self) -> None:
        super().on_train_start()
        # On SIGTERM Lightning's handler waits for the other processes in the midst of whatever they
        # do.
        signals.listen()

    def on_exception(self, exception: BaseException) -> None:
        """Kill the processes that this one has started.

        They would wait for it, or say once more what has happened.
        """
        super().on_exception(exception)
        for thread in threading.enumerate():
            if isinstance(thread, _ChildProcessObserver):
                # It kills this process too, a few seconds after the others have ended: W&B may take
                # longer to close.
                thread._child_processes = []
        if isinstance(self.launcher, _SubprocessScriptLauncher):
            self.launcher.kill(signal.SIGKILL)
