/* The largest weights of one row, by the buckets of its ranks. */
#include "ranks.h"

enum { MOST_LARGE = 128 };

/* A weight that at least `want` weights reach, and not many more; all but those of the lowest
 * bucket, if they do not suffice. */
static float threshold(const Ranking *r, int want) {
    int lane = LANES - 1, place = PIECE;
    double missing = want, found = 0.0;
    for (; lane > 0 && r->counts[lane] < missing; lane--) missing -= r->counts[lane];
    while (place > (lane == 0) && found < missing * r->unit)
        found += r->held[--place * LANES + lane];
    return exp_negative((float)(lane * PIECE + place - BUCKETS) / r->per_score);
}

/* Of each group of values whose number is given, find those that reach a threshold: their numbers.
 * Group g has the values LANES apart in a strip. Return how many; -1: more than there is room. */
static int find(const float *values, int n, const int32_t *groups, int n_groups,
                uint32_t least_bits, int32_t *hit) {
    size_t hits = 0;
    for (int i = 0; i < n_groups; i++) {
        int place = (int)((unsigned)groups[i] / LANES * STRIP + (unsigned)groups[i] % LANES);
        if (hits > MOST_LARGE - STRIP / LANES) return -1;
        if (place + STRIP - LANES < n) {
#pragma GCC unroll 4
            for (int j = 0; j < STRIP; j += LANES) {
                hit[hits] = place + j;
                hits += bits_of(values[place + j]) >= least_bits;
            }
        } else {
            for (int j = place; j < n; j += LANES) {
                hit[hits] = j;
                hits += bits_of(values[j]) >= least_bits;
            }
        }
    }
    return (int)hits;
}

/* Copy the weights that reach a threshold; return how many, 0 if there is not room for them.
 * Groups are passed over by their largest, and groups of groups. */
static int find_large(const float *weights, int n, float least_weight, float *maxima,
                      float *found) {
    int groups = (n + STRIP - 1) / STRIP * LANES, wide = (groups + STRIP - 1) / STRIP * LANES;
    int32_t first[MOST_LARGE], second[MOST_LARGE];
    float *widest = maxima + wide * (STRIP / LANES);
    for (int j = groups; j < wide * (STRIP / LANES); j++) maxima[j] = 0.0f;
    for (int j = 0; j < wide; j += LANES) {
        const float *m = maxima + j * (STRIP / LANES);
        for (int lane = 0; lane < LANES; lane++) {
            float a = larger_weight(m[lane], m[lane + LANES]);
            float b = larger_weight(m[lane + 2 * LANES], m[lane + 3 * LANES]);
            widest[j + lane] = larger_weight(a, b);
        }
    }
    uint32_t least_bits = bits_of(least_weight);
    int hits = 0;
    for (int j = 0; j < wide; j++) {
        if (hits == MOST_LARGE) return 0;
        first[hits] = j;
        hits += bits_of(widest[j]) >= least_bits;
    }
    hits = find(maxima, groups, first, hits, least_bits, second);
    hits = find(weights, n, second, hits, least_bits, first);
    for (int i = 0; i < hits; i++) found[i] = weights[first[i]];
    return hits < 0 ? 0 : hits;
}

/* Put few weights in ascending order, without branches: each is put where the number of smaller
 * ones, and of equal ones before it, says. Behind the n weights there is room for LANES. */
static void sort_few(float *weights, int n, float *sorted) {
    int32_t rank[MOST_LARGE + LANES];
    memset(weights + n, 0, sizeof(float) * LANES);
    for (int start = 0; start < n; start += LANES) {
#pragma omp simd
        for (int j = start; j < start + LANES; j++) {
            uint32_t own = bits_of(weights[j]);
            int32_t smaller = 0;
            for (int i = 0; i < n; i++) smaller += bits_of(weights[i]) < own + (uint32_t)(i < j);
            rank[j] = smaller;
        }
    }
    for (int j = 0; j < n; j++) sorted[rank[j]] = weights[j];
}

/* Sum of rank times weight of n weights whose sum is `total`, but for `hidden` ones, which are 0;
 * `bottom`: smallest score less the largest. Afterwards *large of the weights, the largest ones,
 * are in ascending order in `sorted`: at least `want`, or all. */
static double rank(const float *weights, int n, int hidden, int want, float bottom, double total,
                   Ranking *r, int *large) {
    if (n >= 2 * LANES && want <= n - hidden && want <= MOST_LARGE / 2 && r->per_score > 0.0f) {
        double error, sum = bucket_rank_sum(r, bottom, &error);
        float found[MOST_LARGE + LANES];
        *large = 2.0 * error <= TOLERATED * (n - hidden) * total
                     ? find_large(weights, n, threshold(r, want), r->maxima, found)
                     : 0;
        if (*large >= want) {
            sort_few(found, *large, r->sorted);
            return sum;
        }
    }
    memcpy(r->bits, weights, sizeof(float) * (size_t)n);
    sort(r->bits, r->other, n);
    memcpy(r->sorted, r->bits, sizeof(float) * (size_t)n);
    *large = n;
    return rank_sum(r->sorted, n) - hidden * total;
}
