"""How Lightning runs several processes."""

from lightning.pytorch.strategies import DDPStrategy

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
