/* Ranks of the weights of one row: their rank sum without sorting them, and the largest ones.
 *
 * Weights are counted in buckets of equal width in scores. What that leaves open, the order
 * within a bucket, is estimated with a bound; where the bound is too large, weights are sorted.
 */
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { CHUNK = 256, GROUP = 8, MOST_LARGE = 128, LANES = 8, PIECE = 128 };
enum { BUCKETS = LANES * PIECE };

/* Scores this far below the largest do not matter to where the others lie. */
static const float NEGLIGIBLE = -30.0f;

/* Largest error of a Gini coefficient for which weights are not sorted. */
static const double TOLERATED = 5e-6;

static const float LOWEST = -87.0f; /* exp of it is about the smallest normal number */

/* exp(x) for x <= 0 to 2 ulp: x = n ln 2 + r, polynomial of Cephes' expf (Moshier 1989);
 * 0 below LOWEST. */
static inline float exp_negative(float x) {
    float c = x < LOWEST ? LOWEST : x; /* keeps NaN */
    float n = __builtin_rintf(c * 1.44269504088896341f);
    float r = c - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t power = (int32_t)((uint32_t)((int32_t)n + 127) << 23);
    float scale;
    memcpy(&scale, &power, sizeof scale);
    return x < LOWEST ? 0.0f : p * scale;
}

static inline int least(int a, int b) { return a < b ? a : b; }

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

/* The same for few, without branches: each is put where the number of smaller ones says. */
static void sort_few(const float *weights, int n, float *sorted) {
    int32_t rank[MOST_LARGE] = {0};
    for (int i = 0; i < n; i++) {
        float own = weights[i];
#pragma omp simd
        for (int j = 0; j < i; j++) rank[j] += own < weights[j];
#pragma omp simd
        for (int j = i + 1; j < n; j++) rank[j] += own <= weights[j];
    }
    for (int j = 0; j < n; j++) sorted[rank[j]] = weights[j];
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
    double first = 0.0, second = 0.0;
    int used = 0;
    for (int start = 0; start < n; start += n > CHUNK ? 128 : 32) { /* a sample will do */
        int stop = least(start + 32, n);
        used += stop - start;
        float a = 0.0f, b = 0.0f;
#pragma omp simd reduction(+ : a, b)
        for (int j = start; j < stop; j++) {
            float x = s[j] - largest;
            x = x < NEGLIGIBLE ? NEGLIGIBLE : x;
            a += x;
            b += x * x;
        }
        first += a;
        second += b;
    }
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
    float per_score;        /* buckets; 0: all are in one */
    float *sorted;          /* [n] */
    uint32_t *bits, *other; /* [n] */
} Ranking;

static inline int slot(int bucket) { return bucket % PIECE * LANES + bucket / PIECE; }

/* Make ready for the n scores of a row. */
static void clear(Ranking *r, const float *s, int n, float smallest, float largest) {
    memset(r->held, 0, sizeof r->held);
    for (r->unit = 4.0; r->unit < 4.0 * n;) r->unit *= 2.0;
    r->per_unit = 1.0 / r->unit;
    r->per_score = choose_factor(s, n, smallest, largest);
}

static inline void look_into(const Ranking *r, int bucket, double *count, double *mass) {
    double held = r->held[slot(bucket)];
    *count = __builtin_rint(held * r->per_unit);
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
static double bucket_rank_sum(const Ranking *r, double bottom, double *error) {
    double before[LANES] = {0}, ranked[LANES] = {0}, mass[LANES] = {0}, within[LANES] = {0};
    double unit = r->unit, per_unit = r->per_unit;
    for (int start = 0; start < BUCKETS; start += LANES) {
#pragma omp simd
        for (int lane = 0; lane < LANES; lane++) {
            double held = r->held[start + lane];
            double c = __builtin_rint(held * per_unit), m = held - c * unit;
            ranked[lane] += before[lane] * m;
            within[lane] += c * m;
            before[lane] += c;
            mass[lane] += m;
        }
    }
    double total = 0.0, passed = 0.0, inner = 0.0;
    for (int lane = 0; lane < LANES; lane++) {
        double own = within[lane];
        total += ranked[lane] + passed * mass[lane] + 0.5 * (own + mass[lane]);
        inner += own - mass[lane];
        passed += before[lane];
    }
    double width = 1.0 / r->per_score, count, m;
    look_into(r, 0, &count, &m);
    inner -= count > 1.0 ? (count - 1.0) * m : 0.0;
    double end = most_within(count, m, exp((2 - BUCKETS) * width) - exp(bottom));
    double even = inner * width / 12.0;
    *error = 2.0 * even + 0.5 * end;
    return total + even + 0.5 * end;
}

/* A weight that at least `want` weights reach, and not many more; all but those of the lowest
 * buckets, if they do not suffice. */
static float threshold(const Ranking *r, int want) {
    int bucket = BUCKETS;
    for (double taken = 0.0; bucket > LANES && taken < want;) {
        double held = 0.0;
        bucket -= LANES;
        for (int i = 0; i < LANES; i++) held += r->held[slot(bucket + i)];
        taken += __builtin_rint(held * r->per_unit);
    }
    return exp_negative((float)(bucket - BUCKETS) / r->per_score);
}

/* Copy the weights that reach a threshold; return how many, 0 if there is not room for them.
 * Groups of weights n / GROUP apart are passed over by their largest, put into `maxima`. */
static int find_large(const float *weights, int n, float least_weight, float *maxima,
                      float *found) {
    int groups = n / GROUP, count = 0, hits = 0;
    int32_t hit[MOST_LARGE];
#pragma omp simd
    for (int g = 0; g < groups; g++) {
        float m = weights[g];
        for (int i = 1; i < GROUP; i++)
            m = weights[i * groups + g] > m ? weights[i * groups + g] : m;
        maxima[g] = m;
    }
    for (int g = 0; g < groups; g++) {
        hit[hits] = g;
        hits += maxima[g] >= least_weight;
        if (hits == MOST_LARGE) return 0;
    }
    for (int i = 0; i < hits; i++) {
        if (count > MOST_LARGE - GROUP) return 0;
        for (int j = hit[i]; j < GROUP * groups; j += groups) {
            found[count] = weights[j];
            count += weights[j] >= least_weight;
        }
    }
    if (count > MOST_LARGE - GROUP) return 0;
    for (int j = GROUP * groups; j < n; j++) {
        found[count] = weights[j];
        count += weights[j] >= least_weight;
    }
    return count;
}

/* Sum of rank times weight of n weights whose sum is `total`, but for `hidden` ones, which are 0;
 * `bottom`: smallest score less the largest. Afterwards *large of the weights, the largest ones, are in ascending order in `sorted`:
 * at least `want`, or all. */
static double rank(const float *weights, int n, int hidden, int want, float bottom, double total,
                   Ranking *r, int *large) {
    if (n >= 4 * GROUP && want <= n - hidden && want <= MOST_LARGE / 2 && r->per_score > 0.0f) {
        double error, sum = bucket_rank_sum(r, bottom, &error);
        float found[MOST_LARGE];
        *large = 2.0 * error <= TOLERATED * (n - hidden) * total
                     ? find_large(weights, n, threshold(r, want), r->sorted, found)
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
