/* Ranks of the weights of one row: their rank sum without sorting them.
 *
 * Weights are counted in buckets of equal width in scores. What that leaves open, the order
 * within a bucket, is estimated with a bound; where the bound is too large, weights are sorted.
 */
#pragma once
#include "lanes.h"

enum { PIECE = 64, BUCKETS = LANES * PIECE };

/* Scores this far below the largest do not matter to where the others lie. */
static const float NEGLIGIBLE = -30.0f;

/* Largest error of a Gini coefficient for which weights are not sorted. */
static const double TOLERATED = 5e-6;

/* Put n weights, none negative, in ascending order; `other` has room for as many.
 * Radix sort: the bits of such numbers are in the order of the numbers. */
static void sort(uint32_t *weights, uint32_t *other, int n) {
    int32_t start[4][256] = {{0}};
    for (int j = 0; j < n; j++)
        for (int byte = 0; byte < 4; byte++) start[byte][weights[j] >> 8 * byte & 255]++;
    for (int byte = 0; byte < 4; byte++) {
        for (int32_t digit = 0, before = 0; digit < 256; digit++) {
            int32_t own = start[byte][digit];
            start[byte][digit] = before;
            before += own;
        }
        for (int j = 0; j < n; j++) other[start[byte][weights[j] >> 8 * byte & 255]++] = weights[j];
        uint32_t *sorted = other;
        other = weights;
        weights = sorted;
    }
}

/* Sum of rank times weight, the first of the sorted weights having rank 1. */
static double rank_sum(const float *sorted, int n) {
    double total = 0.0;
    for (int start = 0; start < n; start += CHUNK) {
        int stop = least(start + CHUNK, n);
        float ranked = 0.0f, plain = 0.0f;
#pragma omp simd reduction(+ : ranked, plain)
        for (int j = start; j < stop; j++) {
            ranked += sorted[j] * (float)(j - start + 1);
            plain += sorted[j];
        }
        total += ranked + (double)start * plain;
    }
    return total;
}

/* Buckets per score, such that most scores below the largest, which is in the last bucket, have
 * one: those within three deviations of the mean. The others are in the first. 0: no buckets. */
static float choose_factor(const float *s, int n, float smallest, float largest) {
    float a[LANES] = {0.0f}, b[LANES] = {0.0f};
    int used = 0, step = n > CHUNK ? 4 * STRIP : STRIP; /* a sample will do */
    for (int start = 0; start + STRIP <= n; start += step, used += STRIP) {
        const float *own = s + start;
#pragma omp simd
        for (int lane = 0; lane < LANES; lane++) {
            float first = 0.0f, second = 0.0f;
#pragma GCC unroll 4
            for (int i = lane; i < STRIP; i += LANES) {
                float x = own[i] - largest;
                x = x < NEGLIGIBLE ? NEGLIGIBLE : x;
                first += x;
                second += x * x;
            }
            a[lane] += first;
            b[lane] += second;
        }
    }
    for (int j = 0; n < STRIP && j < n; j++, used++) {
        float x = s[j] - largest;
        x = x < NEGLIGIBLE ? NEGLIGIBLE : x;
        a[0] += x;
        b[0] += x * x;
    }
    double first = over_lanes(a), second = over_lanes(b);
    double mean = first / used, variance = second / used - mean * mean;
    float low = (float)(mean - 3.0 * sqrt(variance > 0.0 ? variance : 0.0));
    float bottom = smallest - largest;
    if (bottom < NEGLIGIBLE) bottom = NEGLIGIBLE;
    if (low < bottom) low = bottom;
    return low < 0.0f ? (float)(BUCKETS - 1) / -low : 0.0f;
}

/* `held` has number and sum of the weights in each bucket, in one number: unit * number + sum,
 * where the sum is below unit / 2. Buckets lie in LANES neighbouring pieces, one in each lane:
 * bucket b at b % PIECE * LANES + b / PIECE. */
typedef struct {
    double held[BUCKETS];
    double unit, per_unit;
    double counts[LANES];   /* numbers of weights in the buckets of each lane */
    float per_score;        /* buckets; 0: all are in one */
    float lowest;           /* LOWEST; of a constant compilers compute the exponential apart */
    float *sorted;          /* [n] */
    uint32_t *bits, *other; /* [n] */
    float *maxima;          /* [n + 4 STRIP]: largest of each lane of each strip */
} Ranking;

static inline uint32_t slot(uint32_t bucket) { return bucket % PIECE * LANES + bucket / PIECE; }

/* Make ready for the n scores of a row. */
static void clear(Ranking *r, const float *s, int n, float smallest, float largest) {
    memset(r->held, 0, sizeof r->held);
    for (r->unit = 4.0; r->unit < 4.0 * n;) r->unit *= 2.0;
    r->per_unit = 1.0 / r->unit;
    r->per_score = choose_factor(s, n, smallest, largest);
    r->lowest = *(const volatile float *)&LOWEST;
}

/* The nearest whole number, of numbers below 2^51. */
static inline double whole(double x) { return (x + 6755399441055744.0) - 6755399441055744.0; }

static inline void look_into(const Ranking *r, int bucket, double *count, double *mass) {
    double held = r->held[slot(bucket)];
    *count = whole(held * r->per_unit);
    *mass = held - *count * r->unit;
}

/* What pairs of weights within a bucket may add to its rank sum, half of their differences. */
static double most_within(double count, double mass, double range) {
    double by_range = count * count / 8.0 * range, by_mass = (count - 1.0) * mass / 2.0;
    return count < 2.0 ? 0.0 : by_range < by_mass ? by_range : by_mass;
}

/* Sum of rank times weight as in `rank_sum`, from buckets; *error is a bound of what it may be
 * off. Weights of a bucket are taken to be evenly spread over its width; those of the first,
 * which takes in all below it, to differ by half of what they can. */
static double bucket_rank_sum(Ranking *r, double bottom, double *error) {
    double before[LANES], ranked[LANES], mass[LANES], within[LANES];
    double unit = r->unit, per_unit = r->per_unit;
#pragma omp simd
    for (int lane = 0; lane < LANES; lane++) {
        const double *low = r->held + lane, *high = low + BUCKETS / 2;
        double passed = 0.0, sum = 0.0, product = 0.0, own = 0.0;
        double passed_too = 0.0, sum_too = 0.0, product_too = 0.0, own_too = 0.0;
        for (int i = 0; i < BUCKETS / 2; i += LANES) { /* two sums do not wait for each other */
            double c = whole(low[i] * per_unit), m = low[i] - c * unit;
            double d = whole(high[i] * per_unit), o = high[i] - d * unit;
            product += passed * m;
            product_too += passed_too * o;
            own += c * m;
            own_too += d * o;
            passed += c;
            passed_too += d;
            sum += m;
            sum_too += o;
        }
        ranked[lane] = product + product_too + passed * sum_too;
        within[lane] = own + own_too;
        before[lane] = passed + passed_too;
        mass[lane] = sum + sum_too;
    }
    double total = 0.0, passed = 0.0, inner = 0.0;
    for (int lane = 0; lane < LANES; lane++) {
        double own = within[lane];
        total += ranked[lane] + passed * mass[lane] + 0.5 * (own + mass[lane]);
        inner += own - mass[lane];
        passed += before[lane];
        r->counts[lane] = before[lane];
    }
    double width = 1.0 / r->per_score, count, m;
    look_into(r, 0, &count, &m);
    inner -= count > 1.0 ? (count - 1.0) * m : 0.0;
    double end = most_within(count, m, exp((2 - BUCKETS) * width) - exp(bottom));
    double even = inner * width / 12.0;
    *error = 2.0 * even + 0.5 * end;
    return total + even + 0.5 * end;
}
