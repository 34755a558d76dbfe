/* Statistics of one row: of its scores, some of which may be hidden. */
#include "visit.h"

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

/* Masses of the newest and the oldest quarter of all keys, and of those that are not hidden. Where
 * hidden keys are 0, these have most weights in common. */
typedef struct {
    double newest, oldest, newest_left, oldest_left;
} Quarters;

static Quarters quarters(const float *weights, int n, const Hidden *hidden) {
    int kept = n - hidden->n, newest = n - n / 4, oldest = n / 4;
    int newest_left = start_of_last(n, kept / 4, hidden);
    int oldest_left = stop_of_first(kept / 4, hidden);
    int from = newest > newest_left ? newest : newest_left, to = least(oldest, oldest_left);
    double late = sum(weights + from, n - from, 0.0f), early = sum(weights, to, 0.0f);
    return (Quarters){
        late + sum(weights + newest, from - newest, 0.0f),
        early + sum(weights + to, oldest - to, 0.0f),
        late + sum(weights + newest_left, from - newest_left, 0.0f),
        early + sum(weights + to, oldest_left - to, 0.0f),
    };
}

/* Most weights of which the largest are wanted. */
static int wanted(const Asked *asked) {
    return asked->n_top && asked->top[asked->n_top - 1] > 2 ? asked->top[asked->n_top - 1] : 2;
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

/* Sum of (1 - e)^2. Zeros are counted apart: their ones would hide what others add. */
static double gaps(const float *e, int n) {
    double total = 0.0;
    for (int start = 0; start < n; start += CHUNK) {
        int stop = least(start + CHUNK, n), zeros = 0;
        float part = 0.0f;
#pragma omp simd reduction(+ : part, zeros)
        for (int j = start; j < stop; j++) {
            float gap = e[j] == 0.0f ? 0.0f : 1.0f - e[j];
            part += gap * gap;
            zeros += e[j] == 0.0f;
        }
        total += (double)part + zeros;
    }
    return total;
}

/* What a row is whose scores are all -inf: nothing; NaN if there is a NaN among them. */
static double nothing(float *s, int n, int kept, const Asked *asked, double *out, int *large,
                      Quarters *quarter) {
    double total = 0.0;
    for (int j = 0; j < n; j++) {
        if (kept > 0 && isnan(s[j])) total = NAN;
        s[j] = 0.0f;
    }
    memset(out, 0, sizeof(double) * (size_t)asked->columns);
    *large = 0;
    *quarter = (Quarters){0.0, 0.0, 0.0, 0.0};
    return total;
}

/* Turn the n scores of one row into exp(score - largest), 0 for hidden ones, and fill a row of the
 * table with the statistics of the others; return their sum, NaN if they are no distribution.
 * *highest is the largest score; *large of the weights, the largest, are in ranking->sorted.
 * Without anything that is not hidden and above -inf, all is 0. */
static double measure(float *s, int n, const Hidden *hidden, const Asked *asked, double *out,
                      Ranking *ranking, float *highest, int *large, Quarters *quarter) {
    float smallest;
    int peak, kept = n - hidden->n, split = least(asked->split, n);
    hide(s, n, hidden);
    float largest = *highest = kept > 0 ? extremes(s, n, &smallest, &peak, ranking->maxima) : -INFINITY;
    if (largest == -INFINITY) return nothing(s, n, kept, asked, out, large, quarter);
    clear(ranking, s, n, smallest, largest);
    for (int i = 0; i < hidden->n; i++) s[hidden->key[i]] = -INFINITY;
    while (peak < n - 1 && !(s[peak] == largest)) peak++;
    double before = 0.0, energy_before = 0.0;
    Moments m = visit_all(s, n, kept, split, largest, peak, ranking, &before, &energy_before);
    double total = m.mass;
    if (!isfinite(total)) return NAN;
    double factor = 1.0 / total, entropy = log(total) - m.energy * factor, bound = log((double)kept);
    double offset = m.first * factor, variance = m.second * factor - offset * offset;
    out[ENTROPY] = entropy < 0.0 ? 0.0 : entropy < bound ? entropy : bound;
    /* kept * kept times the variance of e or of 1 - e: of what is small in most places */
    double rest = kept - total;
    double apart = rest < total ? kept * (gaps(s, n) - hidden->n) - rest * rest
                                : kept * m.squares - total * total;
    out[UNEVENNESS] = apart > 0.0 ? apart * factor * factor : 0.0;
    out[LARGEST] = factor;
    out[PEAK] = peak;
    out[OFFSET] = offset;
    out[SPREAD] = sqrt(variance > 0.0 ? variance : 0.0);
    out[SHARE] = 1.0;
    out[PREFIX] = before * factor;
    out[PREFIX_ENTROPY] = before > 0.0 ? fmax(0.0, log(before) - energy_before / before) : 0.0;
    *quarter = quarters(s, n, hidden);
    out[NEWEST] = quarter->newest_left * factor;
    out[OLDEST] = quarter->oldest_left * factor;
    last_masses(s, n, hidden, asked->recent, asked->n_recent, factor, out + FIXED + asked->n_top);
    out[ASCENDING] = rank(s, n, hidden->n, wanted(asked), smallest - largest, total, ranking,
                          large) * factor;
    const float *sorted = ranking->sorted;
    out[SECOND] = *large > 1 ? sorted[*large - 2] * factor : 0.0;
    last_masses(sorted, *large, &NONE, asked->top, asked->n_top, factor, out + FIXED);
    return total;
}
