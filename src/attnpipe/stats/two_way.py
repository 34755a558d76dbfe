"""Variance of a mean over seeds crossed with units."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attnpipe.stats.estimate import Estimate


@dataclass(frozen=True)
class Components:
    """Parts of the variance of a mean over seeds × units; each is a variance of that mean.

    Attributes
    ----------
    seed, unit
        From the spread of the seeds' means and of the units' means. Each contains the
        residual part once.
    resid
        From what seeds and units do not explain.
    df_seed, df_unit
        Degrees of freedom of `seed` and `unit`; those of `resid` are their product.
    """

    seed: float
    unit: float
    resid: float
    df_seed: float
    df_unit: float


def two_way_mean(
    values: Float[np.ndarray, "seed unit"], weights: Float[np.ndarray, " unit"] | None = None
) -> Estimate:
    """Return the mean over seeds and units, both taken as samples from populations.

    With x[s, u] = μ + a[s] + b[u] + e[s, u] the mean varies by seeds, units and
    residuals, and v = v_seed + v_unit − v_resid is unbiased for its variance (each main
    part holds the residual part, which is therefore counted once too often). Seeds
    alone (a t interval over seeds) leave out b: if units dominate, such intervals
    cover a tenth of what they claim. v is floored at the larger main part, as a
    difference of estimates may come out too small.

    Degrees of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946),
    v² / (v_seed²/d_s + v_unit²/d_u + v_resid²/(d_s d_u)), and at least the smaller of
    d_s and d_u: v is at least each main part, so it is known no worse than those.

    Parameters
    ----------
    values
        One value per seed and unit; a NaN makes the result NaN.
    weights
        Weights of the units, ≥ 0, of any sum, such as items per unit; equal if absent.
        The point estimate is Σ_u w[u] mean_s x[s, u] / Σ_u w[u].

    Returns
    -------
    Estimate
        Without variance for one seed or one unit: then its part is unknowable.
    """
    w = _shares(values, weights)
    value = float(values.mean(axis=0) @ w)
    if np.isnan(value) or values.shape[0] < 2 or np.count_nonzero(w) < 2:
        return Estimate(value)
    return from_components(value, components(values, weights))


def from_components(value: float, parts: Components) -> Estimate:
    """Return a mean with the variance and the degrees of freedom that its parts make."""
    main = max(parts.seed, parts.unit)
    variance = max(parts.seed + parts.unit - parts.resid, main)
    floor = min(parts.df_seed, parts.df_unit)
    if variance == 0:
        return Estimate(value, 0.0, floor)
    seed, unit, resid = (v / variance for v in (parts.seed, parts.unit, parts.resid))
    spread = (
        seed * seed / parts.df_seed
        + unit * unit / parts.df_unit
        + resid * resid / (parts.df_seed * parts.df_unit)
    )
    return Estimate(value, variance, max(1 / spread, floor))


def components(
    values: Float[np.ndarray, "seed unit"], weights: Float[np.ndarray, " unit"] | None = None
) -> Components:
    """Return the parts of the variance of the weighted mean, unbiased under equal variances.

    For equal weights these are the mean squares of the two-way analysis of variance
    divided by the number of values. For weights w (Σw = 1) squared deviations of units
    are weighted by w² (so that a large unit's own deviation counts, whatever its
    variance) and corrected by Σw² / Σ w²(1 − 2w + Σw²), which for equal weights is
    U / (U − 1). d_u is that of the same quadratic form in independent normal
    deviations (Satterthwaite), U − 1 for equal weights.

    Parameters
    ----------
    values
        At least two seeds and two units.
    weights
        As in `two_way_mean`; at least two are positive.
    """
    w = _shares(values, weights)
    seeds = values.shape[0]
    squares = w**2
    total = squares.sum()
    leverage = 1 - 2 * w + total
    correction = total / (squares @ leverage)

    by_seed = values @ w
    by_unit = values.mean(axis=0)
    mean = by_unit @ w
    residual = values - by_seed[:, None] - by_unit[None, :] + mean
    return Components(
        seed=float(by_seed.var(ddof=1) / seeds),
        unit=float(correction * squares @ (by_unit - mean) ** 2),
        resid=float(correction / (seeds * (seeds - 1)) * squares @ (residual**2).sum(axis=0)),
        df_seed=float(seeds - 1),
        df_unit=_unit_df(w),
    )


def _unit_df(w: Float[np.ndarray, " unit"]) -> float:
    """Return (tr DB)² / tr (DB)², D = diag w², B[i, j] = 1{i=j} + g[i, j], without the matrix.

    B = (I − 1wᵀ)(I − w1ᵀ) has g[i, j] = Σw² − w[i] − w[j]; the double sum over g²
    is expanded into sums over single units.
    """
    d = w**2
    total = d.sum()
    d0, d1, d2 = d.sum(), d @ w, d @ d
    pairs = total**2 * d0**2 + 2 * d0 * d2 - 4 * total * d0 * d1 + 2 * d1**2
    trace_of_square = pairs + (d**2) @ (1 + 2 * (total - 2 * w))
    return float((d @ (1 - 2 * w + total)) ** 2 / trace_of_square)


def _shares(
    values: Float[np.ndarray, "seed unit"], weights: Float[np.ndarray, " unit"] | None
) -> Float[np.ndarray, " unit"]:
    """Return the weights as shares of their sum."""
    if weights is None:
        units = values.shape[1]
        return np.full(units, 1 / units)
    if np.any(weights < 0) or not weights.sum() > 0:
        raise ValueError("unit weights must be non-negative with a positive sum")
    return np.asarray(weights / weights.sum())
