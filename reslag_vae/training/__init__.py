"""The one training step, its schedules and optimizers, and what a run does beside it."""
