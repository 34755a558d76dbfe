"""Sums in cells that carry labels, so that blocks may come in any order and split anyhow."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

Labels = Int[np.ndarray, " _"]


class Tally:
    """Named sums over cells labelled by integers: heads, probe samples, positions, lags.

    An axis grows when new labels arrive and stays sorted by label. Each sum spans the
    first so many axes: with axes ``(head, query, key)`` a sum may be per
    ``(head, query, key)`` or per ``(head, query)``.

    Parameters
    ----------
    axes
        Names of the axes.
    sums
        Name of each sum → number of axes it spans.
    """

    def __init__(self, axes: tuple[str, ...], sums: Mapping[str, int]) -> None:
        self.axes = axes
        self._depth = dict(sums)
        self._labels: list[Labels] = [np.zeros(0, np.int64) for _ in axes]
        self._sums = {name: np.zeros((0,) * depth) for name, depth in sums.items()}

    def __getitem__(self, name: str) -> Float[np.ndarray, "..."]:
        """Return the sum of that name; it is not to be changed."""
        return self._sums[name]

    def labels(self, axis: str) -> Labels:
        """Labels along an axis, ascending."""
        return self._labels[self.axes.index(axis)]

    def add(self, labels: tuple[Labels, ...], **values: Float[np.ndarray, "..."]) -> None:
        """Add values to the cells of the given labels, one array of labels per axis.

        Raises
        ------
        ValueError
            If a label occurs twice on an axis: its cell would be counted once only.
        """
        for axis, names in zip(self.axes, labels, strict=True):
            if len(np.unique(names)) != len(names):
                raise ValueError(f"labels of axis '{axis}' are not unique")
        self._grow(labels)
        for name, value in values.items():
            depth = self._depth[name]
            self._sums[name][cells(self._labels[:depth], labels[:depth])] += value

    def merge(self, other: "Tally") -> None:
        """Add another tally's sums to this one."""
        self.add(tuple(other._labels), **other._sums)

    def state(self) -> dict[str, np.ndarray]:
        """Return copies of labels (``axis/<name>``) and sums (``sum/<name>``)."""
        labels = {f"axis/{a}": v.copy() for a, v in zip(self.axes, self._labels, strict=True)}
        return labels | {f"sum/{name}": value.copy() for name, value in self._sums.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what `state` returned."""
        self._labels = [np.array(state[f"axis/{a}"], np.int64) for a in self.axes]
        self._sums = {name: np.array(state[f"sum/{name}"], np.float64) for name in self._sums}

    def _grow(self, labels: tuple[Labels, ...]) -> None:
        grown = [np.union1d(own, new) for own, new in zip(self._labels, labels, strict=True)]
        if all(len(g) == len(own) for g, own in zip(grown, self._labels, strict=True)):
            return
        for name, depth in self._depth.items():
            larger = np.zeros(tuple(len(g) for g in grown[:depth]))
            larger[cells(grown[:depth], self._labels[:depth])] = self._sums[name]
            self._sums[name] = larger
        self._labels = grown


def cells(
    own: Sequence[Labels], wanted: Sequence[Labels]
) -> tuple[slice, ...] | tuple[np.ndarray, ...]:
    """Return the index of the wanted labels' cells: slices where they lie in one piece.

    Slices are many times faster, and blocks mostly are runs of neighbouring labels.
    """
    places = [np.searchsorted(o, w) for o, w in zip(own, wanted, strict=True)]
    if all(len(p) and np.array_equal(p, np.arange(p[0], p[0] + len(p))) for p in places):
        return tuple(slice(int(p[0]), int(p[0]) + len(p)) for p in places)
    return np.ix_(*places)
