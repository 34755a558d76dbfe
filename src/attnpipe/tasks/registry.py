"""What is learned on each kind of dataset; looking one up imports only its module."""

from attnpipe.core.registry import Registry

TASKS = Registry(
    "task",
    {
        "windows": "attnpipe.tasks.forecast:ForecastTask",
        "tokens": "attnpipe.tasks.next_token:NextTokenTask",
    },
)
"""Kind of dataset → class made as ``cls(dataset)``."""
