"""Groups of alike things from the distances between them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform


@dataclass(frozen=True)
class Clusters:
    """A hierarchy of groups, and one cut through it.

    Attributes
    ----------
    labels
        Cluster of each thing, numbered from 0 in the order of their first members.
    order
        The things in the order of the tree's leaves, in which clusters are in one piece:
        of two branches the one with the smaller member comes first.
    merges
        scipy's linkage matrix: the two branches, their mean distance, the size.
    """

    labels: Int[np.ndarray, " thing"]
    order: Int[np.ndarray, " thing"]
    merges: Float[np.ndarray, "merge 4"]


def cluster(distances: Float[np.ndarray, "thing thing"], cut: float) -> Clusters:
    """Return clusters by average linkage (UPGMA; Sokal and Michener 1958).

    Branches are joined while the mean distance between their members is ≤ `cut`.

    Parameters
    ----------
    distances
        Symmetric, ≥ 0, the diagonal 0: for heads √(JSD/ln 2), in [0, 1].
    cut
        In units of the distances.

    Raises
    ------
    ValueError
        For NaN, or if the distances are not symmetric with a zero diagonal.
    """
    count = len(distances)
    if not np.isfinite(distances).all():
        raise ValueError("distances have NaN: leave out what has no distance to the others")
    if count < 2:
        return Clusters(np.arange(count), np.arange(count), np.zeros((0, 4)))
    merges = linkage(squareform(distances, checks=True), method="average")
    branches: list[list[int]] = [[thing] for thing in range(count)]
    labels = np.arange(count)
    for a, b, distance, _ in merges:
        early, late = sorted((branches[int(a)], branches[int(b)]))  # by their least members
        branches.append(early + late)
        if distance <= cut:
            labels[late] = early[0]
    _, numbered = np.unique(labels, return_inverse=True)
    return Clusters(numbered, np.array(branches[-1]), merges)
