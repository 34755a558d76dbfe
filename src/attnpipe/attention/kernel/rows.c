/* Softmax and statistics of a block of attention rows, in one visit while they are in cache.
 *
 * Elementwise work is in float32. Sums over more than CHUNK numbers are in double. Loops are
 * plain C; `omp simd` (-fopenmp-simd) allows the compiler to sum in lanes, and nothing more:
 * not-a-number propagates, as it must (no -ffast-math).
 */
#include "ranks.h"

/* Columns of the table, the same as in table.py; then the top and the recent masses. */
enum {
    ENTROPY, UNEVENNESS, ASCENDING, LARGEST, SECOND, PEAK, OFFSET, SPREAD, NEWEST, OLDEST, FIXED
};

/* Sum of n numbers. */
static double sum(const float *a, int n) {
    double total = 0.0;
    for (int start = 0; start < n; start += CHUNK) {
        int stop = least(start + CHUNK, n);
        float part = 0.0f;
#pragma omp simd reduction(+ : part)
        for (int j = start; j < stop; j++) part += a[j];
        total += part;
    }
    return total;
}

/* Masses of the k last numbers, k ascending. */
static void last_masses(const float *a, int n, const int32_t *ks, int n_ks, double factor,
                        double *out) {
    double mass = 0.0;
    for (int i = 0, taken = 0; i < n_ks; i++) {
        for (; taken < ks[i] && taken < n; taken++) mass += a[n - 1 - taken];
        out[i] = mass * factor;
    }
}

/* Turn the n scores of one row into exp(score - largest); return their sum. */
static double exponentials(float *s, int n, float largest) {
    double total = 0.0;
    for (int start = 0; start < n; start += CHUNK) {
        int stop = least(start + CHUNK, n);
        float part = 0.0f;
#pragma omp simd reduction(+ : part)
        for (int j = start; j < stop; j++) {
            s[j] = exp_negative(s[j] - largest);
            part += s[j];
        }
        total += part;
    }
    return total;
}

/* The same, with all statistics of the row; return their sum, NaN if the row is no distribution. */
static double measure(float *s, int n, float largest, float smallest, int peak, const int32_t *top,
                      int n_top, const int32_t *recent, int n_recent, double *out,
                      Ranking *ranking) {
    clear(ranking, s, n, smallest, largest);
    float per_score = ranking->per_score;
    double unit = ranking->unit, *restrict held = ranking->held;
    double total = 0.0, energy = 0.0, squares = 0.0, gaps = 0.0, first = 0.0, second = 0.0;
    for (int start = 0; start < n; start += CHUNK) {
        int stop = least(start + CHUNK, n);
        float z = 0.0f, d = 0.0f, q = 0.0f, g = 0.0f, a = 0.0f, b = 0.0f;
        int32_t slots[CHUNK];
#pragma omp simd reduction(+ : z, d, q, g, a, b)
        for (int j = start; j < stop; j++) {
            float x = s[j] - largest;
            float place = x * per_score + (float)(BUCKETS - 1);
            slots[j - start] = slot((int32_t)(place > 0.0f ? place : 0.0f)); /* NaN at 0 */
            float e = exp_negative(x);
            float c = x < LOWEST ? LOWEST : x; /* not 0 * inf */
            float lag = (float)(j - peak);
            s[j] = e;
            z += e;
            d += e * c;
            q += e * e;
            g += (1.0f - e) * (1.0f - e);
            a += e * lag;
            b += e * lag * lag;
        }
        for (int j = start; j < stop; j++) held[slots[j - start]] += unit + s[j];
        total += z;
        energy += d;
        squares += q;
        gaps += g;
        first += a;
        second += b;
    }
    if (!isfinite(total)) return NAN;
    double factor = 1.0 / total, entropy = log(total) - energy * factor, bound = log((double)n);
    double offset = first * factor, variance = second * factor - offset * offset;
    out[ENTROPY] = entropy < 0.0 ? 0.0 : entropy < bound ? entropy : bound;
    /* n * n times the variance of e or of 1 - e: of what is small in most places, for digits */
    double rest = n - total;
    double apart = rest < total ? n * gaps - rest * rest : n * squares - total * total;
    out[UNEVENNESS] = apart > 0.0 ? apart * factor * factor : 0.0;
    out[LARGEST] = factor;
    out[PEAK] = peak;
    out[OFFSET] = offset;
    out[SPREAD] = sqrt(variance > 0.0 ? variance : 0.0);
    out[NEWEST] = sum(s + n - n / 4, n / 4) * factor;
    out[OLDEST] = sum(s, n / 4) * factor;
    last_masses(s, n, recent, n_recent, factor, out + FIXED + n_top);
    int want = n_top && top[n_top - 1] > 2 ? top[n_top - 1] : 2, large;
    out[ASCENDING] = rank(s, n, want, smallest - largest, total, ranking, &large) * factor;
    const float *sorted = ranking->sorted;
    out[SECOND] = large > 1 ? sorted[large - 2] * factor : 0.0;
    last_masses(sorted, large, top, n_top, factor, out + FIXED);
    return total;
}

/* Largest and smallest of n scores, and where the largest is first met. NaN is passed over. */
static float extremes(const float *s, int n, float *smallest, int *peak) {
    float largest = -INFINITY, low = INFINITY;
    int chunk = 0;
    for (int start = 0; start < n; start += CHUNK) {
        int stop = least(start + CHUNK, n);
        float m = -INFINITY;
#pragma omp simd reduction(max : m) reduction(min : low)
        for (int j = start; j < stop; j++) {
            m = s[j] > m ? s[j] : m;
            low = s[j] < low ? s[j] : low;
        }
        if (m > largest) {
            largest = m;
            chunk = start;
        }
    }
    *peak = chunk;
    while (*peak < n - 1 && !(s[*peak] == largest)) ++*peak;
    *smallest = low;
    return largest;
}

int64_t attnpipe_scratch_bytes(int32_t rows, int32_t width) {
    return ((int64_t)width * 5 + rows) * (int64_t)sizeof(float);
}

/* Turn a block of scores into weights, in place, and add up what is asked of its rows.
 *
 * scores    [rows, width], rows `stride` apart: of keys low .. low + width; weights afterwards,
 *           0 outside of a row's keys; NaN in a row that is no distribution
 * first, last  [rows]: each row sees the keys first .. last - 1; none if last <= first
 * counted   [rows]: whether a row is to be measured, or only to become weights
 * query     index of the first row among `queries`
 * table     [rows, columns]: statistics of counted rows that are distributions
 * mass      [key]: weights are added by key
 * by_lag    [queries + key - 1]: weights are added at key - query + queries - 1
 * scratch   attnpipe_scratch_bytes(rows, width)
 */
void attnpipe_rows(float *scores, int64_t stride, int32_t rows, int32_t width,
                   const int32_t *first, const int32_t *last, const uint8_t *counted, int32_t low,
                   int32_t query, int32_t queries, const int32_t *top, int32_t n_top,
                   const int32_t *recent, int32_t n_recent, double *table, int32_t columns,
                   double *mass, double *by_lag, void *scratch) {
    float *by_key = scratch, *by_step = by_key + width;
    int steps = width + rows - 1;
    Ranking ranking;
    ranking.sorted = by_step + width + rows;
    ranking.bits = (uint32_t *)(ranking.sorted + width);
    ranking.other = ranking.bits + width;
    memset(by_key, 0, sizeof(float) * (size_t)width);
    memset(by_step, 0, sizeof(float) * (size_t)steps);
    for (int r = 0; r < rows; r++) {
        float *restrict s = scores + r * stride;
        int start = first[r] - low, stop = last[r] - low, n = stop - start, peak;
        if (n <= 0) {
            memset(s, 0, sizeof(float) * (size_t)width);
            continue;
        }
        memset(s, 0, sizeof(float) * (size_t)start);
        memset(s + stop, 0, sizeof(float) * (size_t)(width - stop));
        float smallest, largest = extremes(s + start, n, &smallest, &peak);
        double *out = table + (int64_t)r * columns;
        double total = counted[r] ? measure(s + start, n, largest, smallest, peak, top, n_top,
                                            recent, n_recent, out, &ranking)
                                  : exponentials(s + start, n, largest);
        float factor = (float)(1.0 / total);
        if (counted[r] && isfinite(total)) {
            float *restrict key = by_key, *restrict step = by_step + (rows - 1 - r);
            out[PEAK] += first[r];
#pragma omp simd
            for (int j = start; j < stop; j++) {
                float p = s[j] * factor;
                s[j] = p;
                key[j] += p;
                step[j] += p;
            }
        } else {
            for (int j = start; j < stop; j++) s[j] *= factor;
        }
    }
    for (int j = 0; j < width; j++) mass[low + j] += by_key[j];
    double *lags = by_lag + (low - (query + rows - 1) + queries - 1);
    for (int j = 0; j < steps; j++) lags[j] += by_step[j];
}
