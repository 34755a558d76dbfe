/* Softmax and statistics of a block of attention rows, in one visit while they are in cache.
 *
 * Elementwise work is in float32. Sums over more than CHUNK numbers are in double. Loops are
 * plain C; `omp simd` (-fopenmp-simd) allows the compiler to sum in lanes, and nothing more:
 * not-a-number propagates, as it must (no -ffast-math).
 */
#include "add.h"
#include "pairs.h"

/* What is added up over rows, of all keys or of those that are left. */
typedef struct {
    double *table;           /* [queries, columns]: of counted rows that are distributions */
    double *mass;            /* [key]: weights by key */
    double *by_lag;          /* [queries + key - 1]: at key - query + queries - 1 */
    double *prefix;          /* [split]: by key, of rows made to sum to 1 on the prefix */
    const uint8_t *compared; /* [queries]: whether a row enters it */
} Sums;

/* A row with less mass than this is not made to sum to 1: what is left is mostly rounding. */
static const double LEAST_LEFT = 1e-3;

static double inverse(double mass) { return mass >= LEAST_LEFT ? 1.0 / mass : 0.0; }

/* Turn scores into weights. */
static void normalize(float *s, int n, float *tops) {
    float smallest;
    int peak;
    float highest = extremes(s, n, &smallest, &peak, tops);
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
    return ((int64_t)width * 10 + (int64_t)rows * 2 + 4 * STRIP) * (int64_t)sizeof(float);
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
    Waiting waiting[TOGETHER];
    int n_waiting = 0;
    Ranking ranking;
    ranking.sorted = scratch;
    ranking.bits = (uint32_t *)(scratch + width);
    ranking.other = ranking.bits + width;
    ranking.maxima = (float *)(ranking.other + width);
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
            normalize(s + start, n, ranking.maxima);
            continue;
        }
        Asked own = *asked;
        own.split = asked->split - first[r];
        Waiting *w = waiting + n_waiting;
        w->hidden = (Hidden){w->keys, w->scores, 0};
        for (int i = 0; rest && i < n_removed; i++)
            if (removed[i] >= first[r] && removed[i] < last[r])
                w->keys[w->hidden.n++] = removed[i] - first[r];
        w->row.weights = s + start;
        w->row.n = n;
        w->row.hidden = &w->hidden;
        w->start = start;
        w->stop = stop;
        w->shift = rows - 1 - r;
        double *out = all->table + (int64_t)place * columns;
        double *left = rest ? rest->table + (int64_t)place * columns : out;
        if (!measure_all(&w->row, &own, left, out, &ranking)) continue;
        out[PEAK] += first[r];
        if (rest) left[PEAK] += first[r];
        w->all = 1.0f;
        w->all_prefix = all->compared[place] ? (float)inverse(out[PREFIX]) : 0.0f;
        double factor = rest ? inverse(left[SHARE]) : 0.0;
        w->rest = (float)factor;
        w->rest_prefix =
            rest && rest->compared[place] ? (float)(factor * inverse(left[PREFIX])) : 0.0f;
        if (++n_waiting == TOGETHER) {
            add_waiting(waiting, n_waiting, asked->split - low, blocks, blocks + 1);
            n_waiting = 0;
        }
    }
    add_waiting(waiting, n_waiting, asked->split - low, blocks, blocks + 1);
    flush(blocks, all, width, rows, low, query, queries, asked->split);
    if (rest) flush(blocks + 1, rest, width, rows, low, query, queries, asked->split);
}
