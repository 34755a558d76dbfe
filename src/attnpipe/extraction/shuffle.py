"""Probe inputs whose steps or tokens stand in random order."""

import numpy as np
import torch
from jaxtyping import Int64

from attnpipe.extraction.capture import ProbeBatch
from attnpipe.tasks.task import Batch


def shuffled(probe: ProbeBatch, mask: int | None = None) -> ProbeBatch:
    """Return the probe with the steps of each sample permuted.

    What a row keeps of its shape does not rest on the order of what is read. The order of a
    sample depends on its number alone: it is the same for all runs of a study.

    Parameters
    ----------
    probe
        Indices into the probe set → their batch; inputs are ``[sample, step, …]``.
    mask
        Feature that is above 0 for steps that exist; the others stay where they are.
    """

    def batch(samples: Int64[np.ndarray, " sample"]) -> Batch:
        given = probe(samples)
        inputs = given.inputs.clone()
        for place, sample in enumerate(samples.tolist()):
            own = given.inputs[place]
            exists = torch.ones(len(own), dtype=torch.bool) if mask is None else own[:, mask] > 0
            steps = torch.nonzero(exists)[:, 0]
            order = np.random.default_rng(sample).permutation(len(steps))
            inputs[place, steps] = own[steps[torch.from_numpy(order)]]
        return Batch(inputs, given.targets)

    return batch
