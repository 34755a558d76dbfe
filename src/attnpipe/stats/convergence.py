"""From when on attention stays as it ends."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

SMALLEST_THRESHOLD = 1e-3


@dataclass(frozen=True)
class Convergence:
    """When a trajectory settles.

    Attributes
    ----------
    threshold
        τ in nats.
    epoch
        First epoch from which the divergence to the last stays ≤ τ; None where τ above
        its floor holds the whole trajectory, which tells of no epoch.
    censored
        Whether attention did not settle before training ended, as far as one can tell:
        that epoch lies in the last tenth of the checkpoints, or is None.
    """

    threshold: float
    epoch: int | None
    censored: bool


def convergence(
    epochs: Int[np.ndarray, " checkpoint"],
    jsd_previous: Float[np.ndarray, " checkpoint"],
    jsd_final: Float[np.ndarray, " checkpoint"],
) -> Convergence | None:
    """Return from which epoch on attention stays near its last state.

    τ = max(1e-3, 2 × median of `jsd_previous` over the last tenth of the checkpoints):
    what still moves at the end is taken as noise. The last tenth holds at least one.
    Where that noise is as large as all that training changed, every epoch is within τ of
    the last: that is censored, not converged at the first epoch. Within the smallest τ
    of the last throughout, attention did not move: converged at the first epoch.

    Parameters
    ----------
    epochs
        Epoch of each checkpoint, ascending.
    jsd_previous
        Mean Jensen–Shannon divergence of rows to the previous checkpoint, nats; NaN for
        the first.
    jsd_final
        The same to the last checkpoint; NaN counts as far away.

    Returns
    -------
    Convergence or None
        None where it cannot be told: fewer than two checkpoints, or no divergence known
        at the end.
    """
    n = len(epochs)
    last_tenth = n - -(-n // 10)
    recent = jsd_previous[last_tenth:]
    recent = recent[~np.isnan(recent)]
    if n < 2 or len(recent) == 0 or np.isnan(jsd_final[-1]):
        return None
    threshold = max(SMALLEST_THRESHOLD, 2 * float(np.median(recent)))
    far = np.flatnonzero(~(jsd_final <= threshold))
    first = int(far[-1]) + 1 if len(far) else 0
    if first >= n:
        return None
    if first == 0 and threshold > SMALLEST_THRESHOLD:
        return Convergence(threshold, None, censored=True)
    return Convergence(threshold, int(epochs[first]), first >= last_tenth)
