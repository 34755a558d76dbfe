"""What Snakemake would find out again for each job and file, or what is known of all of them."""

import gc
import os
from functools import cache
from inspect import signature
from io import StringIO

from snakemake.common import overwrite_function_params
from snakemake.dag import DAG
from snakemake.io import _IOFile
from snakemake.jobs import Job
from snakemake.persistence import PersistenceBase
from snakemake.resources import Resource

# Planning makes millions of objects that stay and next to no cycles: to look for these as often as
# Python does takes a fifth of its time.
gc.freeze()
gc.set_threshold(50_000, 20, 100)


def opening(sources):
    """Read each script once, not once per job."""
    text = cache(lambda script: sources._cache(script).read_text("utf-8"))
    plain = sources.open
    return lambda script, mode="r": StringIO(text(script)) if mode == "r" else plain(script, mode)


def hashing(plain):
    """Hash a file once as long as it is the same, not once for each output that rests on it."""
    known = {}

    async def checksum(file, threshold=None, force=False, algorithm=None):
        try:
            stat = os.stat(file)
        except OSError:
            return await plain(file, threshold, force, algorithm)
        key = (str(file), stat.st_ino, stat.st_size, stat.st_mtime_ns, threshold, force, algorithm)
        if key not in known:
            known[key] = await plain(file, threshold, force, algorithm)
        return known[key]

    return checksum


# Where Snakemake's copy of a script lies and what is in it, and which arguments functions take.
workflow.sourcecache._cache_entry = cache(workflow.sourcecache._cache_entry)
workflow.sourcecache.open = opening(workflow.sourcecache)
overwrite_function_params(Resource.evaluate, signature(Resource("any", 0).evaluate).parameters)

# What the inputs of a job hold, once it has ended.
_IOFile.checksum = hashing(_IOFile.checksum)

# No output of a rule is a pipe or a service; Snakemake would look for each of ten thousand inputs
# among the outputs of ten thousand jobs.
Job.is_pipe_or_service_input = lambda job, path: False

# No output is a folder and no rule has an environment of its own: to ask each job costs time.
DAG.check_directory_outputs = lambda dag: None
DAG.update_conda_envs = DAG.update_container_imgs = lambda dag: None

# Files are local, unless an option puts them elsewhere.
if workflow.storage_settings.default_storage_provider is None:
    _IOFile.is_storage = False

# Whether a job is out of date its seal tells (`staleness.py`). Snakemake would read its own note of
# each output, only to learn that there is one: without rerun-triggers it asks no more of them.
PersistenceBase.has_metadata = lambda notes, job: True
PersistenceBase.has_outdated_metadata = lambda notes, job: False
