"""How the threads of native libraries wait for one another."""

from __future__ import annotations

import os

SLEEPING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""A thread of OpenMP that waits sleeps. By default it spins, and takes the processor from the thread that it waits for where there is other
work: on two busy cores a small network trained 50 times slower (20 s of processor time against .4 on one thread; digits cnn: 227 s against
40). Never where something is measured.
"""


def let_threads_sleep() -> None:
    """Call before torch is first imported, which reads this once; a user who has set ``OMP_WAIT_POLICY`` is left alone."""
    for name, value in SLEEPING.items():
        os.environ.setdefault(name, value)
