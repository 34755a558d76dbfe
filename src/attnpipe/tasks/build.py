"""From a dataset to what its models are trained and scored on."""

from attnpipe.data.storage import Dataset
from attnpipe.tasks.registry import TASKS
from attnpipe.tasks.task import Task


def task_of(dataset: Dataset) -> Task:
    """Return the task that a kind of dataset has."""
    task: Task = TASKS.load(dataset.kind)(dataset)
    return task
