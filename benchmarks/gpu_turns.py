"""Turns of a contender in this process, the last of them under the profiler."""

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.rounds import FinishedError, Turns

# Measured turns, at most, and seconds after which no further one begins.
MOST, SECONDS = 5, 4.0


class TurnsHere(Turns):
    """Turns that this process measures by itself: a warm-up, some turns, and one with a profile.

    Args:
        images: number of images in a turn.
        most: number of measured turns, at most.
        limit: seconds of the measured turns after which no further one begins.

    Attributes:
        seconds: seconds of each measured turn.
        computing: seconds that the device computed in the turn with a profile; None before it.
    """

    def __init__(self, images: int, most: int = MOST, limit: float = SECONDS) -> None:
        self.images, self.most, self.limit = images, most, limit
        self.warm = False
        self.seconds: list[float] = []
        self.profile: profile | None = None
        self.computing: float | None = None

    def begin(self) -> None:
        """Begin a turn.

        Raises:
            FinishedError: there are no more turns.
        """
        if self.computing is not None:
            raise FinishedError
        if len(self.seconds) >= self.most or sum(self.seconds) > self.limit:
            on_gpu = torch.cuda.is_available()
            kind = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
            self.profile = profile(activities=[kind])
            self.profile.start()

    def end(self, seconds: float) -> None:
        """End a turn that took so many seconds."""
        if self.profile is not None:
            self.profile.stop()
            self.computing = computing_seconds(self.profile)
        elif self.warm:
            self.seconds.append(seconds)
        self.warm = True


def computing_seconds(profiled: profile) -> float:
    """Return the seconds of all kernels of a profile; on a CPU, those of all operations."""
    total = 0.0
    for event in profiled.key_averages():
        if event.device_type.name == "CPU":
            total += 0.0 if torch.cuda.is_available() else event.self_cpu_time_total
        elif not event.is_user_annotation:  # an annotation spans kernels that are listed, too
            total += event.self_device_time_total
    return total / 1e6
