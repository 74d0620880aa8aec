"""The training engine: loop, checkpoints, signals, processes, schedules, samplers, augmentation."""
