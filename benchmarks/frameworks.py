"""Training with other frameworks: Lightning as its tutorials use it, and pythae."""

from typing import Any

from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Adam

from benchmarks.loops import LEARNING_RATE, loader_of, loss_of, network_of, pixels_of
from benchmarks.rounds import Job, Turns, synchronized_time
from reslag_vae._runtime.process import quiet
from reslag_vae.networks import Network
from reslag_vae.training.callbacks import callbacks_of

# More than will ever be trained: the parent process says when there are no more turns.
EPOCHS = 1_000_000


class Automatic(LightningModule):
    """A module with automatic optimization, as small as Lightning allows."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Return and log the loss of a minibatch."""
        loss = loss_of(self.network, batch[0])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Adam:
        """Return one Adam for all weights."""
        return Adam(self.parameters(), lr=LEARNING_RATE, fused=True)


class AutomaticTurns(Callback):
    """A callback that makes a turn of each epoch; it has to be the first of the callbacks."""

    def __init__(self, turns: Turns) -> None:
        self.turns, self.started = turns, 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin a turn."""
        self.turns.begin()
        self.started = synchronized_time()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the turn."""
        self.turns.end(synchronized_time() - self.started)


def automatic(job: Job, turns: Turns) -> None:
    """Train a minimal module with automatic optimization over the data loader.

    A turn is an epoch.
    """
    quiet()
    bare: dict[str, Any] = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_model_summary": False,
    }
    trainer = Trainer(max_epochs=EPOCHS, devices=1, default_root_dir=job.folder, **bare)
    callbacks_of(trainer).insert(0, AutomaticTurns(turns))
    trainer.fit(Automatic(network_of(job)), loader_of(job))


def pythae(job: Job, turns: Turns) -> None:
    """Train our network with pythae's trainer as its beta-VAE.

    The data are as its TrainingPipeline makes them, and a turn is an epoch.

    The loss is Rec / 2 + KL. Between turns pythae copies the best model; nothing is saved.
    """
    try:
        from pythae.data.preprocessors import DataProcessor
        from pythae.models import BetaVAE, BetaVAEConfig
        from pythae.trainers import BaseTrainer, BaseTrainerConfig
    except ImportError as error:
        raise SystemExit(f"{error}: pip install .[bench]") from None

    network, processor = network_of(job), DataProcessor()
    # In place: if a copy of this size were freed here, the C library would from then on keep the
    # steps' memory too.
    images = pixels_of(job)[: job.images].cpu().float().div_(255)
    data = processor.to_dataset(processor.process_data(images))
    config = BetaVAEConfig(
        input_dim=network.image_shape,
        latent_dim=network.latent_dim,
        reconstruction_loss="mse",
        beta=1.0,
    )
    settings = BaseTrainerConfig(
        output_dir=job.folder,
        per_device_train_batch_size=job.batch_size,
        num_epochs=EPOCHS,
        learning_rate=LEARNING_RATE,
        optimizer_params={"fused": True},  # as all others here
    )
    model = BetaVAE(config, *halves_for_pythae(network))
    BaseTrainer(
        model, data, training_config=settings, callbacks=[turns_for_pythae(job, turns)]
    ).train()


def halves_for_pythae(network: Network) -> tuple[nn.Module, nn.Module]:
    """Return our encoder and decoder as pythae wants them."""
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.inference = network.inference

        def forward(self, x: Tensor) -> Any:
            mean, log_variance = self.inference(x).chunk(2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.generative = network.generative

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.generative(z).sigmoid())

    return Encoder(), Decoder()


def turns_for_pythae(job: Job, turns: Turns) -> Any:
    """Return a pythae callback that makes a turn of each epoch.

    A turn lasts from before the first batch until after the last.
    """
    from pythae.trainers.training_callbacks import TrainingCallback

    class EpochTurns(TrainingCallback):
        started, batches = 0.0, 0

        # pythae calls this one before the first batch of an epoch, and the other after every batch.
        def on_train_step_begin(self, training_config: Any, **_: Any) -> None:
            turns.begin()
            self.started, self.batches = synchronized_time(), 0

        def on_train_step_end(self, training_config: Any, **_: Any) -> None:
            self.batches += 1
            if self.batches == job.batches:
                turns.end(synchronized_time() - self.started)

    return EpochTurns()
