/* Softmax and statistics of a block of attention rows, in one visit while they are in cache.
 *
 * Elementwise work is in float32. Sums over more than CHUNK numbers are in double. Loops are
 * plain C; `omp simd` (-fopenmp-simd) allows the compiler to sum in lanes, and nothing more:
 * not-a-number propagates, as it must (no -ffast-math).
 */
#include "hidden.h"
#include "pairs.h"

/* What is added up over rows, of all keys or of those that are left. */
typedef struct {
    double *table;           /* [queries, columns]: of counted rows that are distributions */
    double *mass;            /* [key]: weights by key */
    double *by_lag;          /* [queries + key - 1]: at key - query + queries - 1 */
    double *prefix;          /* [split]: by key, of rows made to sum to 1 on the prefix */
    const uint8_t *compared; /* [queries]: whether a row enters it */
} Sums;

/* The same of a block, in float32. */
typedef struct {
    float *mass, *by_lag, *prefix;
} Block;

/* A row with less mass than this is not made to sum to 1: what is left is mostly rounding. */
static const double LEAST_LEFT = 1e-3;

static double inverse(double mass) { return mass >= LEAST_LEFT ? 1.0 / mass : 0.0; }

/* Add a row's weights, times a factor, and those of the prefix, times another. */
static void add(const float *weights, int start, int stop, int shift, int split, double factor,
                double prefix_factor, const Block *block) {
    const float *restrict p = weights;
    float *restrict mass = block->mass, *restrict by_lag = block->by_lag + shift;
    float f = (float)factor, g = (float)prefix_factor;
    if (f != 0.0f) {
#pragma omp simd
        for (int j = start; j < stop; j++) {
            mass[j] += p[j] * f;
            by_lag[j] += p[j] * f;
        }
    }
    if (g != 0.0f) {
        float *restrict prefix = block->prefix;
        stop = least(stop, split);
#pragma omp simd
        for (int j = start; j < stop; j++) prefix[j] += p[j] * g;
    }
}

/* Turn scores into weights. */
static void normalize(float *s, int n) {
    float smallest;
    int peak;
    float highest = extremes(s, n, &smallest, &peak);
    scale(s, n, (float)(1.0 / exponentials(s, n, highest)));
}

static Block block_of(float **scratch, int width, int rows) {
    Block block = {*scratch, *scratch + width, *scratch + 2 * width + rows};
    memset(*scratch, 0, sizeof(float) * ((size_t)width * 3 + (size_t)rows));
    *scratch += 3 * width + rows;
    return block;
}

static void flush(const Block *block, const Sums *sums, int width, int rows, int low, int query,
                  int queries, int split) {
    for (int j = 0; j < width; j++) sums->mass[low + j] += block->mass[j];
    for (int j = low; j < least(low + width, split); j++) sums->prefix[j] += block->prefix[j - low];
    double *lags = sums->by_lag + (low - (query + rows - 1) + queries - 1);
    for (int j = 0; j < width + rows - 1; j++) lags[j] += block->by_lag[j];
}

int64_t attnpipe_scratch_bytes(int32_t rows, int32_t width) {
    return ((int64_t)width * 9 + 2 * (int64_t)rows) * (int64_t)sizeof(float);
}

/* Turn a block of scores into weights, in place, and add up what is asked of its rows.
 *
 * scores    [rows, width], rows `stride` apart: of keys low .. low + width; weights afterwards,
 *           0 outside of a row's keys; NaN in a row that is no distribution
 * first, last  [rows]: each row sees the keys first .. last - 1; none if last <= first
 * counted   [rows]: whether a row is to be measured, or only to become weights
 * query     index of the first row among `queries`
 * removed   [n_removed]: keys, ascending, that `rest` leaves out; at most MOST_HIDDEN
 * all       sums over all keys
 * rest      sums over the keys that are not removed, where rows sum to 1 on these; or NULL
 * scratch   attnpipe_scratch_bytes(rows, width)
 */
void attnpipe_rows(float *scores, int64_t stride, int32_t rows, int32_t width,
                   const int32_t *first, const int32_t *last, const uint8_t *counted, int32_t low,
                   int32_t query, int32_t queries, const Asked *asked, const int32_t *removed,
                   int32_t n_removed, const Sums *all, const Sums *rest, float *scratch) {
    int columns = asked->columns;
    Block blocks[2] = {block_of(&scratch, width, rows), block_of(&scratch, width, rows)};
    Ranking ranking;
    ranking.sorted = scratch;
    ranking.bits = (uint32_t *)(scratch + width);
    ranking.other = ranking.bits + width;
    for (int r = 0; r < rows; r++) {
        float *s = scores + r * stride;
        int start = first[r] - low, stop = last[r] - low, n = stop - start, place = query + r;
        if (n <= 0) {
            memset(s, 0, sizeof(float) * (size_t)width);
            continue;
        }
        memset(s, 0, sizeof(float) * (size_t)start);
        memset(s + stop, 0, sizeof(float) * (size_t)(width - stop));
        if (!counted[r]) {
            normalize(s + start, n);
            continue;
        }
        Asked own = *asked;
        own.split = asked->split - first[r];
        int32_t keys[MOST_HIDDEN];
        float held[MOST_HIDDEN];
        Hidden hidden = {keys, held, 0};
        for (int i = 0; rest && i < n_removed; i++)
            if (removed[i] >= first[r] && removed[i] < last[r])
                keys[hidden.n++] = removed[i] - first[r];
        Whole row = {s + start, n, &hidden, {0.0}, 0.0};
        double *out = all->table + (int64_t)place * columns;
        double *left = rest ? rest->table + (int64_t)place * columns : out;
        if (!measure_all(&row, &own, left, out, &ranking)) continue;
        out[PEAK] += first[r];
        if (rest) left[PEAK] += first[r];
        int shift = rows - 1 - r, split = asked->split - low;
        if (rest) { /* hidden keys hold nothing yet */
            double factor = inverse(left[SHARE]);
            double prefix = rest->compared[place] ? inverse(left[PREFIX]) : 0.0;
            add(s, start, stop, shift, split, factor, factor * prefix, blocks + 1);
        }
        put_back(&row);
        double prefix = all->compared[place] ? inverse(out[PREFIX]) : 0.0;
        add(s, start, stop, shift, split, 1.0, prefix, blocks);
    }
    flush(blocks, all, width, rows, low, query, queries, asked->split);
    if (rest) flush(blocks + 1, rest, width, rows, low, query, queries, asked->split);
}
