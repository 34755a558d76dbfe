"""Sums in cells that carry labels, so that blocks may come in any order and split anyhow."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Int, Real

Labels = Int[np.ndarray, " _"]


class Tally:
    """Named sums over cells labelled by integers: heads, probe samples, positions, lags.

    An axis grows when new labels arrive and stays sorted by label. Each sum spans the
    first so many axes: with axes ``(head, query, key)`` a sum may be per
    ``(head, query, key)`` or per ``(head, query)``. A sum that was only ever given for all
    labels of the first axis together (size 1 along it) is held once, not once per label.

    Parameters
    ----------
    axes
        Names of the axes.
    sums
        Name of each sum → number of axes it spans.
    counts
        Names of sums of numbers of rows: held in as few bytes as they need.
    """

    def __init__(
        self, axes: tuple[str, ...], sums: Mapping[str, int], counts: Collection[str] = ()
    ) -> None:
        self.axes = axes
        self._depth = dict(sums)
        self._counts = frozenset(counts)
        self._type = {name: np.dtype(np.uint8 if name in counts else float) for name in sums}
        self._labels: list[Labels] = [np.zeros(0, np.int64) for _ in axes]
        self._sums = {name: self._zeros(name, (0,) * depth) for name, depth in sums.items()}

    def __getitem__(self, name: str) -> Real[np.ndarray, "..."]:
        """Return the sum of that name; it is not to be changed."""
        held, labels = self._sums[name], len(self._labels[0])
        if len(held) != labels:
            return np.broadcast_to(held, (labels, *held.shape[1:]))
        view = held.view()
        view.flags.writeable = False
        return view

    def labels(self, axis: str) -> Labels:
        """Labels along an axis, ascending."""
        return self._labels[self.axes.index(axis)]

    def add(self, labels: tuple[Labels, ...], **values: Real[np.ndarray, "..."]) -> None:
        """Add values to the cells of the given labels, one array of labels per axis.

        Values broadcast along the axes.

        Raises
        ------
        ValueError
            If a label occurs twice on an axis: its cell would be counted once only.
        """
        for axis, names in zip(self.axes, labels, strict=True):
            if not _ascending(names) and len(np.unique(names)) != len(names):
                raise ValueError(f"labels of axis '{axis}' are not unique")
        self._grow(labels)
        whole = len(labels[0]) == len(self._labels[0])
        for name, value in values.items():
            own, wanted = self._labels[: self._depth[name]], labels[: self._depth[name]]
            if not (whole and len(value) == 1):
                self._sums[name] = self._per_label(name)
            elif len(self._sums[name]) == 1:
                own, wanted = [own[0][:1], *own[1:]], (own[0][:1], *wanted[1:])
            place = cells(own, wanted)
            if name in self._counts:
                self._count(name, place, value)
            else:
                self._sums[name][place] += value

    def merge(self, other: "Tally") -> None:
        """Add another tally's sums to this one."""
        if len(other._labels[0]):
            self.add(tuple(other._labels), **other._sums)

    def state(self) -> dict[str, np.ndarray]:
        """Return copies of labels (``axis/<name>``) and sums (``sum/<name>``)."""
        labels = {f"axis/{a}": v.copy() for a, v in zip(self.axes, self._labels, strict=True)}
        sums = {name: np.array(self[name], np.float64, order="C") for name in self._sums}
        return labels | {f"sum/{name}": value for name, value in sums.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what `state` returned."""
        self._labels = [np.array(state[f"axis/{a}"], np.int64) for a in self.axes]
        for name in self._sums:
            value = state[f"sum/{name}"]
            if name in self._counts:
                self._type[name] = _type_of(value)
            self._sums[name] = np.array(value, self._type[name])

    def _grow(self, labels: tuple[Labels, ...]) -> None:
        pairs = zip(self._labels, labels, strict=True)
        grown = [own if np.array_equal(own, new) else _union(own, new) for own, new in pairs]
        if all(len(g) == len(own) for g, own in zip(grown, self._labels, strict=True)):
            return
        first = len(self._labels[0])
        for name, depth in self._depth.items():
            own, new = self._labels[:depth], grown[:depth]
            if first == 0:  # nothing in it that could differ
                larger = self._zeros(name, (1, *(len(g) for g in new[1:])))
            elif first == len(grown[0]) and len(self._sums[name]) == 1:
                larger = self._zeros(name, (1, *(len(g) for g in new[1:])))
                larger[:, *cells(new[1:], own[1:])] = self._sums[name]
            else:
                larger = self._zeros(name, tuple(len(g) for g in new))
                larger[cells(new, own)] = self._per_label(name)
            self._sums[name] = larger
        self._labels = grown

    def _per_label(self, name: str) -> Real[np.ndarray, "..."]:
        """Return the sum of that name with each label of the first axis on its own."""
        held = self._sums[name]
        return held if len(held) == len(self._labels[0]) else np.array(self[name], order="C")

    def _count(self, name: str, place: tuple, value: Real[np.ndarray, "..."]) -> None:
        """Add to numbers of rows."""
        total = self._sums[name][place] + np.asarray(value, np.float64)  # narrow ones would wrap
        needed = np.promote_types(self._type[name], _type_of(total))
        self._type[name], self._sums[name] = needed, self._sums[name].astype(needed, copy=False)
        self._sums[name][place] = total

    def _zeros(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape, self._type[name])


def _type_of(counts: np.ndarray) -> np.dtype:
    """Return the least type of unsigned integers that holds them."""
    least = np.min_scalar_type(int(counts.max(initial=0)))
    return np.dtype(least.str)  # of the two 64-bit types the one that is called uint64


def _ascending(labels: Labels) -> bool:
    """Return whether each label is larger than the one before: then none occurs twice."""
    return bool(np.all(labels[1:] > labels[:-1]))


def _union(own: Labels, new: Labels) -> Labels:
    if not len(own) and _ascending(new):
        return _shared(np.array(new, np.int64))
    return _shared(np.union1d(own, new))


def _shared(labels: Labels) -> Labels:
    """Return labels; those that follow each other are one array for all tallies."""
    if len(labels) and labels[-1] - labels[0] == len(labels) - 1:
        return _run(int(labels[0]), len(labels))
    return labels


@lru_cache(maxsize=64)
def _run(first: int, count: int) -> Labels:
    return np.arange(first, first + count)


def cells(
    own: Sequence[Labels], wanted: Sequence[Labels]
) -> tuple[slice, ...] | tuple[np.ndarray, ...]:
    """Return the index of the wanted labels' cells: slices where they lie in one piece.

    Slices are many times faster, and blocks mostly are runs of neighbouring labels.
    """
    pairs = list(zip(own, wanted, strict=True))
    if all(len(w) and np.array_equal(o, w) for o, w in pairs):
        return tuple(slice(0, len(w)) for _, w in pairs)
    places = [np.searchsorted(o, w) for o, w in pairs]
    if all(len(p) and np.array_equal(p, np.arange(p[0], p[0] + len(p))) for p in places):
        return tuple(slice(int(p[0]), int(p[0]) + len(p)) for p in places)
    return np.ix_(*places)
