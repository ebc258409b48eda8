"""How many processors torch may use in a training run."""

import torch

from encode.cpu import usable_cpus


def use_threads(threads: int | None) -> None:
    """Set torch's threads; None takes as many as this process may use (affinity and cgroup quota)."""
    torch.set_num_threads(threads or usable_cpus())
