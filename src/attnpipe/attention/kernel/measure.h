/* Statistics of one row: of its scores, some of which may be hidden. */
#include "ranks.h"

/* Columns of the table, the same as in table.py; then the top and the recent masses. */
enum {
    ENTROPY, UNEVENNESS, ASCENDING, LARGEST, SECOND, PEAK, OFFSET, SPREAD, NEWEST, OLDEST, SHARE,
    PREFIX, PREFIX_ENTROPY, FIXED
};

/* What is asked of every row. */
typedef struct {
    const int32_t *top, *recent; /* each k of the top and of the recent masses, ascending */
    int32_t n_top, n_recent, columns;
    int32_t split; /* keys of the prefix */
} Asked;

/* Keys that are left out of the statistics, ascending; their scores. */
typedef struct {
    const int32_t *key;
    float *score;
    int n;
} Hidden;

static const Hidden NONE = {0, 0, 0};

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

/* Where the last `count` keys that are not hidden begin. */
static int start_of_last(int n, int count, const Hidden *hidden) {
    int start = n - count;
    for (int i = hidden->n - 1; i >= 0 && hidden->key[i] >= start; i--) start--;
    return start;
}

/* Where the first `count` keys that are not hidden end. */
static int stop_of_first(int count, const Hidden *hidden) {
    int stop = count;
    for (int i = 0; i < hidden->n && hidden->key[i] < stop; i++) stop++;
    return stop;
}

/* Masses of the k last numbers that are not hidden, k ascending. */
static void last_masses(const float *a, int n, const Hidden *hidden, const int32_t *ks, int n_ks,
                        double factor, double *out) {
    double mass = 0.0;
    int j = n, h = hidden->n;
    for (int i = 0, taken = 0; i < n_ks; i++) {
        while (taken < ks[i] && j > 0) {
            j--;
            if (h > 0 && hidden->key[h - 1] == j) {
                h--;
            } else {
                mass += a[j];
                taken++;
            }
        }
        out[i] = mass * factor;
    }
}

/* Masses of what lies at the edges of a row of weights: newest and oldest quarter, k last. */
static void edges(const float *weights, int n, const Hidden *hidden, const Asked *asked,
                  double factor, double *out) {
    int quarter = (n - hidden->n) / 4, newest = start_of_last(n, quarter, hidden);
    out[NEWEST] = sum(weights + newest, n - newest) * factor;
    out[OLDEST] = sum(weights, stop_of_first(quarter, hidden)) * factor;
    last_masses(weights, n, hidden, asked->recent, asked->n_recent, factor,
                out + FIXED + asked->n_top);
}

/* Most weights of which the largest are wanted. */
static int wanted(const Asked *asked) {
    return asked->n_top && asked->top[asked->n_top - 1] > 2 ? asked->top[asked->n_top - 1] : 2;
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

static void scale(float *restrict s, int n, float factor) {
    for (int j = 0; j < n; j++) s[j] *= factor;
}

/* Hide keys from what looks for extremes: each has a neighbour's score for the time being. */
static void hide(float *s, int n, const Hidden *hidden) {
    int seen = 0;
    while (seen < hidden->n && hidden->key[seen] == seen) seen++;
    for (int i = 0; i < hidden->n; i++) {
        hidden->score[i] = s[hidden->key[i]];
        s[hidden->key[i]] = s[least(seen, n - 1)];
    }
}

/* What a row is whose scores are all -inf: nothing; NaN if there is a NaN among them. */
static double nothing(float *s, int n, int kept, const Asked *asked, double *out, int *large) {
    double total = 0.0;
    for (int j = 0; j < n; j++) {
        if (kept > 0 && isnan(s[j])) total = NAN;
        s[j] = 0.0f;
    }
    memset(out, 0, sizeof(double) * (size_t)asked->columns);
    *large = 0;
    return total;
}

/* Turn the n scores of one row into exp(score - largest), 0 for hidden ones, and fill a row of the
 * table with the statistics of the others; return their sum, NaN if they are no distribution.
 * *highest is the largest score; *large of the weights, the largest, are in ranking->sorted.
 * Without anything that is not hidden and above -inf, all is 0. */
static double measure(float *s, int n, const Hidden *hidden, const Asked *asked, double *out,
                      Ranking *ranking, float *highest, int *large) {
    float smallest;
    int peak, kept = n - hidden->n, split = least(asked->split, n);
    hide(s, n, hidden);
    float largest = *highest = kept > 0 ? extremes(s, n, &smallest, &peak) : -INFINITY;
    if (largest == -INFINITY) return nothing(s, n, kept, asked, out, large);
    clear(ranking, s, n, smallest, largest);
    for (int i = 0; i < hidden->n; i++) s[hidden->key[i]] = -INFINITY;
    while (peak < n - 1 && !(s[peak] == largest)) peak++;
    float per_score = ranking->per_score;
    double unit = ranking->unit, *restrict held = ranking->held;
    double total = 0.0, energy = 0.0, squares = 0.0, gaps = 0.0, first = 0.0, second = 0.0;
    double before = 0.0, energy_before = 0.0;
    for (int start = 0, stop; start < n; start = stop) {
        stop = least(start + CHUNK, start < split ? split : n);
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
        if (stop == split) {
            before = total;
            energy_before = energy;
        }
    }
    if (!isfinite(total)) return NAN;
    gaps -= hidden->n;
    held[slot(0)] -= unit * hidden->n;
    double factor = 1.0 / total, entropy = log(total) - energy * factor, bound = log((double)kept);
    double offset = first * factor, variance = second * factor - offset * offset;
    out[ENTROPY] = entropy < 0.0 ? 0.0 : entropy < bound ? entropy : bound;
    /* kept * kept times the variance of e or of 1 - e: of what is small in most places */
    double rest = kept - total;
    double apart = rest < total ? kept * gaps - rest * rest : kept * squares - total * total;
    out[UNEVENNESS] = apart > 0.0 ? apart * factor * factor : 0.0;
    out[LARGEST] = factor;
    out[PEAK] = peak;
    out[OFFSET] = offset;
    out[SPREAD] = sqrt(variance > 0.0 ? variance : 0.0);
    out[SHARE] = 1.0;
    out[PREFIX] = before * factor;
    out[PREFIX_ENTROPY] = before > 0.0 ? fmax(0.0, log(before) - energy_before / before) : 0.0;
    edges(s, n, hidden, asked, factor, out);
    out[ASCENDING] = rank(s, n, hidden->n, wanted(asked), smallest - largest, total, ranking,
                          large) * factor;
    const float *sorted = ranking->sorted;
    out[SECOND] = *large > 1 ? sorted[*large - 2] * factor : 0.0;
    last_masses(sorted, *large, &NONE, asked->top, asked->n_top, factor, out + FIXED);
    return total;
}
