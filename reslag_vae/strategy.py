"""How Lightning runs several processes."""

import signal
import threading

from lightning.fabric.strategies.launchers.subprocess_script import _ChildProcessObserver
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

from reslag_vae import interruption, parallel


class Replicas(DDPStrategy):
    """One process for each device, each with the model itself.

    Lightning's own strategy wraps the model in DistributedDataParallel, whose one reduction for each forward pass does
    not go with several updates in a training step, of which each leaves half of the parameters alone. Here the
    training step averages the gradients of the group that it updates.
    """

    def configure_ddp(self) -> None:
        assert self.lightning_module is not None
        parallel.copy_from_first(self.lightning_module)

    def on_train_start(self) -> None:
        super().on_train_start()
        # On SIGTERM Lightning's handler waits for the other processes in the midst of whatever they do.
        interruption.listen()

    def on_exception(self, exception: BaseException) -> None:
        """End the processes that this one has started: they would wait for it, or say once more what has happened."""
        super().on_exception(exception)
        for thread in threading.enumerate():
            if isinstance(thread, _ChildProcessObserver):
                # It kills this process too, a few seconds after the others have ended: W&B may take longer to close.
                thread._child_processes = []
        if isinstance(self.launcher, _SubprocessScriptLauncher):
            self.launcher.kill(signal.SIGKILL)
