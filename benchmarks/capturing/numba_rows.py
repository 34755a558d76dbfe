"""The row pass in numba, as one would write it: plain loops, `np.sort` for the ranks."""

import json
import math
import sys
import time

import numba
import numpy as np

SUMS_MAY_BE_REORDERED = {"reassoc", "contract", "nsz"}  # and not-a-number still propagates


@numba.njit(fastmath=SUMS_MAY_BE_REORDERED, error_model="numpy")
def rows(scores, last, table, mass, by_step, query, queries, ranks):
    """Turn scores into weights, in place; fill entropy, Σp², ranks, lag moments, two sums.

    Without `ranks` rows are not sorted: no ranks, no top masses.
    """
    height = scores.shape[0]
    for r in range(height):
        n, s = last[r], scores[r]
        largest, peak = s[0], 0
        for j in range(1, n):
            if s[j] > largest:
                largest, peak = s[j], j
        total = energy = first = second = np.float32(0)
        for j in range(n):
            x = s[j] - largest
            e = math.exp(x)
            lag = np.float32(j - peak)
            s[j] = e
            total += e
            energy += e * max(x, np.float32(-87))
            first += e * lag
            second += e * lag * lag
        factor = np.float32(1) / total
        step = query + r
        squares = np.float32(0)
        for j in range(n):
            p = s[j] * factor
            s[j] = p
            squares += p * p
            mass[j] += p
            by_step[j - step + queries - 1] += p
        ascending, ranked = s[:n], np.float32(0)
        if ranks:
            ascending = np.sort(s[:n])
            for j in range(n):
                ranked += ascending[j] * np.float32(j + 1)
        newest = oldest = np.float32(0)
        for j in range(n // 4):
            oldest += s[j]
            newest += s[n - 1 - j]
        row = table[step]
        row[0], row[1], row[2] = math.log(total) - energy * factor, squares, ranked
        row[3], row[4], row[5] = first * factor, second * factor, newest - oldest
        for place, k in enumerate((5, 10, 20)):
            if ranks:
                row[6 + place] = ascending[max(0, n - k) :].sum()
            row[9 + place] = s[max(0, n - k) : n].sum()
        s[n:] = 0


def once(length: int, step: int, ranks: bool) -> float:
    """Return ns per element of one head, scores ready."""
    rng = np.random.default_rng(0)
    q, k = (rng.standard_normal((length, 64), dtype=np.float32) for _ in range(2))
    table, mass = np.zeros((length, 12)), np.zeros(length)
    by_step, spent = np.zeros(2 * length - 1), 0
    for start in range(0, length, step):
        stop = min(start + step, length)
        scores = q[start:stop] @ k[:stop].T / np.float32(8)
        last = np.arange(start + 1, stop + 1)
        begin = time.process_time_ns()
        rows(scores, last, table, mass, by_step, start, length, ranks)
        spent += time.process_time_ns() - begin
    return spent / (length * (length + 1) / 2)


if __name__ == "__main__":
    begun = time.perf_counter()
    once(200, 96, True)
    compiled = time.perf_counter() - begun
    found = [
        {
            "compile": compiled,
            "ns": {n: min(once(int(n), 96, ranks) for _ in range(7)) for n in names},
        }
        for names in [sys.argv[1:]]
        for ranks in (True, False)
    ]
    print(json.dumps(found))
