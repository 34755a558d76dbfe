/* Softmax and statistics of a block of attention rows, in one visit while they are in cache.
 *
 * Elementwise work is in float32. Sums over more than CHUNK numbers are in double. Loops are
 * plain C; `omp simd` (-fopenmp-simd) allows the compiler to sum in lanes, and nothing more:
 * not-a-number propagates, as it must (no -ffast-math).
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { CHUNK = 256, LIMIT = 24, MOST_BUCKETS = 8192 };

/* Columns of the table, the same as in table.py; then the top and the recent masses. */
enum { ENTROPY, SQUARES, ASCENDING, LARGEST, SECOND, PEAK, OFFSET, SPREAD, NEWEST, OLDEST, FIXED };

/* Below exp(-30) of the largest weight the order of weights does not matter: the sum of
 * rank times weight changes by less than n * 1e-13. */
static const float NEGLIGIBLE = -30.0f;

typedef struct {
    float *sorted;
    int32_t *count;
    uint16_t *bucket;
} Scratch;

/* exp(x) for x <= 0 to 2 ulp: x = n ln 2 + r, polynomial of Cephes' expf (Moshier 1989). */
static inline float exp_negative(float x) {
    const float lowest = -87.0f;
    float c = x < lowest ? lowest : x; /* keeps NaN */
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
    return x < lowest ? 0.0f : p * scale;
}

static inline int least(int a, int b) { return a < b ? a : b; }

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

/* Ascending, without bad cases. */
static void heap_sort(float *a, int n) {
    for (int start = n / 2, end = n; end > 1;) {
        float moved;
        if (start > 0) {
            moved = a[--start];
        } else {
            moved = a[--end];
            a[end] = a[0];
        }
        int hole = start;
        for (int child; (child = 2 * hole + 1) < end; hole = child) {
            if (child + 1 < end && a[child + 1] > a[child]) child++;
            if (a[child] <= moved) break;
            a[hole] = a[child];
        }
        a[hole] = moved;
    }
}

/* Ascending; fast where few are out of place. */
static void insertion_sort(float *a, int n) {
    for (int i = 1; i < n; i++) {
        float moved = a[i];
        int hole = i;
        for (; hole > 0 && a[hole - 1] > moved; hole--) a[hole] = a[hole - 1];
        a[hole] = moved;
    }
}

/* Linear map of scores to buckets, most of them within three deviations of the mean. */
typedef struct {
    float low, factor;
    int buckets, keep_first; /* keep_first: order within bucket 0 does not matter */
} Map;

static Map choose_map(const float *s, int n, float smallest, float largest) {
    double first = 0.0, second = 0.0;
    for (int start = 0; start < n; start += CHUNK) {
        int stop = least(start + CHUNK, n);
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
    double mean = first / n, variance = second / n - mean * mean;
    float reach = 3.0f * (float)sqrt(variance > 0.0 ? variance : 0.0);
    float low = (float)mean - reach, high = (float)mean + reach;
    float bottom = smallest - largest;
    Map map;
    map.keep_first = bottom < NEGLIGIBLE && low <= NEGLIGIBLE;
    if (bottom < NEGLIGIBLE) bottom = NEGLIGIBLE;
    if (low < bottom) low = bottom;
    if (high > 0.0f) high = 0.0f;
    map.buckets = n / 2 < 64 ? 64 : least(n / 2, MOST_BUCKETS);
    map.low = low + largest;
    map.factor = high > low ? (float)(map.buckets - 1) / (high - low) : 0.0f;
    return map;
}

/* Put the n weights in ascending order up to inversions over less than the returned distance. */
static int nearly_sort(const float *weights, int n, Map map, Scratch scratch) {
    float *sorted = scratch.sorted;
    int32_t *count = scratch.count;
    const uint16_t *bucket = scratch.bucket;
    if (map.factor == 0.0f) { /* all scores are equal, or all but negligible ones */
        memcpy(sorted, weights, sizeof(float) * (size_t)n);
        heap_sort(sorted, n);
        return 1;
    }
    memset(count, 0, sizeof(int32_t) * (size_t)map.buckets);
    for (int j = 0; j < n; j++) count[bucket[j]]++;
    int32_t before = 0, most = 1;
    for (int b = 0; b < map.buckets; b++) {
        int32_t own = count[b];
        count[b] = before;
        before += own;
        most = own > most ? own : most;
    }
    for (int j = 0; j < n; j++) sorted[count[bucket[j]]++] = weights[j];
    if (most <= LIMIT) return most;
    for (int b = 0, start = 0; b < map.buckets; start = count[b++])
        if (count[b] - start > LIMIT && !(b == 0 && map.keep_first))
            heap_sort(sorted + start, count[b] - start);
    return LIMIT;
}

/* Sum of rank times weight, the smallest weight having rank 1. Weights that stand in wrong
 * order count as their difference: sum over pairs i < j of max(0, a_i - a_j). */
static double rank_sum(const float *sorted, int n, int distance) {
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
    for (int d = 1; d < distance; d++) {
        float wrong = 0.0f;
#pragma omp simd reduction(+ : wrong)
        for (int j = 0; j < n - d; j++) {
            float over = sorted[j] - sorted[j + d];
            wrong += over > 0.0f ? over : 0.0f;
        }
        total += wrong;
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
                      Scratch scratch) {
    Map map = choose_map(s, n, smallest, largest);
    float last = (float)(map.buckets - 1);
    uint16_t *bucket = scratch.bucket;
    double total = 0.0, energy = 0.0, squares = 0.0, first = 0.0, second = 0.0;
    for (int start = 0; start < n; start += CHUNK) {
        int stop = least(start + CHUNK, n);
        float z = 0.0f, d = 0.0f, q = 0.0f, a = 0.0f, b = 0.0f;
#pragma omp simd reduction(+ : z, d, q, a, b)
        for (int j = start; j < stop; j++) {
            float place = (s[j] - map.low) * map.factor;
            place = place > 0.0f ? place : 0.0f; /* NaN becomes 0 */
            place = place < last ? place : last;
            bucket[j] = (uint16_t)(int32_t)place;
            float x = s[j] - largest;
            float e = exp_negative(x);
            float lag = (float)(j - peak);
            s[j] = e;
            z += e;
            d += e > 0.0f ? e * x : 0.0f; /* 0 * inf */
            q += e * e;
            a += e * lag;
            b += e * lag * lag;
        }
        total += z;
        energy += d;
        squares += q;
        first += a;
        second += b;
    }
    if (!isfinite(total)) return NAN;
    double factor = 1.0 / total, entropy = log(total) - energy * factor, bound = log((double)n);
    double offset = first * factor, variance = second * factor - offset * offset;
    out[ENTROPY] = entropy < 0.0 ? 0.0 : entropy < bound ? entropy : bound;
    out[SQUARES] = squares * factor * factor;
    out[LARGEST] = factor;
    out[PEAK] = peak;
    out[OFFSET] = offset;
    out[SPREAD] = sqrt(variance > 0.0 ? variance : 0.0);
    out[NEWEST] = sum(s + n - n / 4, n / 4) * factor;
    out[OLDEST] = sum(s, n / 4) * factor;
    int distance = nearly_sort(s, n, map, scratch);
    out[ASCENDING] = rank_sum(scratch.sorted, n, distance) * factor;
    int want = n_top ? top[n_top - 1] : 0;
    int tail = least(n, (want < 2 ? 2 : want) + distance);
    float *largest_last = scratch.sorted + n - tail;
    insertion_sort(largest_last, tail);
    out[SECOND] = tail > 1 ? largest_last[tail - 2] * factor : 0.0;
    last_masses(largest_last, tail, top, n_top, factor, out + FIXED);
    last_masses(s, n, recent, n_recent, factor, out + FIXED + n_top);
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
    int64_t floats = (int64_t)width * 3 + rows;
    return floats * (int64_t)sizeof(float) + MOST_BUCKETS * (int64_t)sizeof(int32_t) +
           (int64_t)width * (int64_t)sizeof(uint16_t);
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
    Scratch own;
    own.sorted = by_step + width + rows;
    own.count = (int32_t *)(own.sorted + width);
    own.bucket = (uint16_t *)(own.count + MOST_BUCKETS);
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
                                            recent, n_recent, out, own)
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
