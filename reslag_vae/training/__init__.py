"""The training step of all variants, its schedules and optimizers, and the run around it."""
