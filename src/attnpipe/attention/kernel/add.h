/* Rows added up by key, by lag, and by key of the prefix: several at a time. */
#include "hidden.h"

/* What is added up in a block of rows. */
typedef struct {
    float *mass, *by_lag, *prefix;
} Block;

/* Rows that are added at a time. */
enum { TOGETHER = 8 };
/* Places to which they are added at a time: their weights stay in the nearest cache. */
enum { TILE = 1024 };

/* A measured row that waits to be added, its hidden keys still 0. */
typedef struct {
    Whole row;
    Hidden hidden;
    int32_t keys[MOST_HIDDEN];
    float scores[MOST_HIDDEN];
    int start, stop, shift;    /* its keys; where they lie among lags */
    float all, all_prefix;     /* factors of its weights, and of those of the prefix */
    float rest, rest_prefix;   /* the same without hidden keys */
} Waiting;

/* Add weights of TOGETHER rows, each from its own place on, times their factors. */
static inline void add_together(const float *const *rows, const float *factors,
                                const float *others, int n, float *restrict all,
                                float *restrict rest) {
    const float *p0 = rows[0], *p1 = rows[1], *p2 = rows[2], *p3 = rows[3];
    const float *p4 = rows[4], *p5 = rows[5], *p6 = rows[6], *p7 = rows[7];
    float f0 = factors[0], f1 = factors[1], f2 = factors[2], f3 = factors[3];
    float f4 = factors[4], f5 = factors[5], f6 = factors[6], f7 = factors[7];
    float g0 = others[0], g1 = others[1], g2 = others[2], g3 = others[3];
    float g4 = others[4], g5 = others[5], g6 = others[6], g7 = others[7];
#pragma omp simd
    for (int j = 0; j < n; j++) {
        all[j] += p0[j] * f0 + p1[j] * f1 + p2[j] * f2 + p3[j] * f3 +
            (p4[j] * f4 + p5[j] * f5 + p6[j] * f6 + p7[j] * f7);
        rest[j] += p0[j] * g0 + p1[j] * g1 + p2[j] * g2 + p3[j] * g3 +
            (p4[j] * g4 + p5[j] * g5 + p6[j] * g6 + p7[j] * g7);
    }
}

/* Add what lies at some places of one row; `shift` is how far these are from its keys. */
static void add(const Waiting *w, int shift, int start, int stop, float f, float g,
                float *restrict all, float *restrict rest) {
    const float *restrict p = w->row.weights - w->start - shift;
#pragma omp simd
    for (int j = start; j < stop; j++) {
        all[j] += p[j] * f;
        rest[j] += p[j] * g;
    }
}

/* How waiting rows are added: to places this far from their keys, times these factors. */
typedef struct {
    int shift[TOGETHER];
    float all[TOGETHER], rest[TOGETHER];
} Plan;

/* Add waiting rows to those places that lie in start .. stop. What all rows have is added at once,
 * what is left of each by itself. */
static void add_part(const Waiting *waiting, int n, const Plan *plan, int start, int stop,
                     float *all, float *rest) {
    int low = start, high = n == TOGETHER ? stop : start;
    for (int i = 0; i < n; i++) {
        int begin = waiting[i].start + plan->shift[i], end = waiting[i].stop + plan->shift[i];
        low = begin > low ? begin : low;
        high = least(end, high);
    }
    if (low < high) {
        const float *from[TOGETHER];
        for (int i = 0; i < n; i++)
            from[i] = waiting[i].row.weights + (low - plan->shift[i] - waiting[i].start);
        add_together(from, plan->all, plan->rest, high - low, all + low, rest + low);
    } else {
        low = high = stop;
    }
    for (int i = 0; i < n; i++) {
        const Waiting *w = waiting + i;
        int shift = plan->shift[i], begin = w->start + shift, end = least(w->stop + shift, stop);
        begin = begin > start ? begin : start;
        float f = plan->all[i], g = plan->rest[i];
        add(w, shift, begin, least(end, low), f, g, all, rest);
        add(w, shift, begin > high ? begin : high, end, f, g, all, rest);
    }
}

/* Add the hidden keys of a row, and put them back. */
static void add_hidden(Waiting *w, int split, const Block *all) {
    put_back(&w->row);
    for (int k = 0; k < w->hidden.n; k++) {
        int j = w->keys[k] + w->start;
        float p = w->row.weights[w->keys[k]];
        all->mass[j] += p * w->all;
        all->by_lag[j + w->shift] += p * w->all;
        if (j < split) all->prefix[j] += p * w->all_prefix;
    }
}

/* Add the rows that wait, at most TOGETHER, and put their hidden weights back. */
static void add_waiting(Waiting *waiting, int n, int split, const Block *all, const Block *rest) {
    Plan keys = {{0}, {0}, {0}}, lags = keys, prefix = keys;
    int stop = 0, end = 0, compared = 0;
    for (int i = 0; i < n; i++) {
        const Waiting *w = waiting + i;
        lags.shift[i] = w->shift;
        keys.all[i] = lags.all[i] = w->all;
        keys.rest[i] = lags.rest[i] = w->rest;
        prefix.all[i] = w->all_prefix;
        prefix.rest[i] = w->rest_prefix;
        stop = w->stop > stop ? w->stop : stop;
        end = w->stop + w->shift > end ? w->stop + w->shift : end;
        compared |= w->all_prefix != 0.0f || w->rest_prefix != 0.0f;
    }
    split = compared ? split : 0;
    for (int j = 0; j < end; j += TILE) {
        add_part(waiting, n, &keys, j, least(j + TILE, stop), all->mass, rest->mass);
        add_part(waiting, n, &lags, j, least(j + TILE, end), all->by_lag, rest->by_lag);
        add_part(waiting, n, &prefix, j, least(j + TILE, least(stop, split)), all->prefix, rest->prefix);
    }
    for (int i = 0; i < n; i++) add_hidden(waiting + i, split, all);
}
