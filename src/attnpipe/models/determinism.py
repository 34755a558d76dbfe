"""Bitwise repeatable torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_ERROR = 2


@contextmanager
def deterministic() -> Iterator[None]:
    """One thread and deterministic algorithms inside; settings are restored afterwards.

    An operation that has no deterministic algorithm raises. `torch.use_deterministic_algorithms`
    would do the same and import torch's compiler, which takes longer than a short job's work;
    filling new memory, which nothing here reads before it is written, costs a training a quarter.
    """
    memory: Any = torch.utils.deterministic  # its switch is a property of the module
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    filled = memory.fill_uninitialized_memory
    torch.set_num_threads(1)
    torch.set_deterministic_debug_mode(_ERROR)
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        memory.fill_uninitialized_memory = filled
        torch.set_deterministic_debug_mode(mode)
        torch.set_num_threads(threads)
