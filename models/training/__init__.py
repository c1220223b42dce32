"""The trainer: schedules, checkpoints, metrics."""
