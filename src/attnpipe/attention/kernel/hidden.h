/* Statistics of a whole row from those of its keys that are not hidden.
 *
 * What hidden keys hold is added to what the others have: nothing is a difference of large
 * numbers, however little is left beside a sink.
 */
#include "measure.h"

enum { MOST_HIDDEN = 64 };

/* A row of weights of which some were hidden. */
typedef struct {
    float *weights;              /* [n], 0 where hidden */
    int n;
    const Hidden *hidden;
    double added[MOST_HIDDEN];   /* weights of the hidden keys */
    double left;                 /* mass on the others */
} Whole;

/* -p ln p */
static double surprise(double p) { return p > 0.0 ? -p * log(p) : 0.0; }

static double square(double x) { return x * x; }

/* Entropy, and the same of the prefix: H = sum of -q ln q over parts + sum of q times their own H */
static void entropies(const Whole *row, const Asked *asked, const double *rest, double *out) {
    double all = surprise(row->left) + row->left * rest[ENTROPY];
    double own = row->left * rest[PREFIX], prefix = own;
    for (int i = 0; i < row->hidden->n; i++) {
        all += surprise(row->added[i]);
        if (row->hidden->key[i] < asked->split) prefix += row->added[i];
    }
    double share = prefix > 0.0 ? 1.0 / prefix : 0.0;
    double inner = surprise(own * share) + own * share * rest[PREFIX_ENTROPY];
    for (int i = 0; i < row->hidden->n; i++)
        if (row->hidden->key[i] < asked->split) inner += surprise(row->added[i] * share);
    double bound = log((double)row->n);
    out[ENTROPY] = all < bound ? all : bound;
    out[PREFIX] = prefix;
    out[PREFIX_ENTROPY] = inner;
}

/* Sum of squared differences from 1/n, and where the weights lie: sums over parts again. */
static void moments(const Whole *row, const double *rest, double *out) {
    int kept = row->n - row->hidden->n;
    double even = 1.0 / row->n, left = row->left, apart = 0.0;
    if (kept > 0)
        apart = square(left) * rest[UNEVENNESS] / kept + kept * square(left / kept - even);
    double own = rest[PEAK] + rest[OFFSET], mean = left * own;
    for (int i = 0; i < row->hidden->n; i++) {
        apart += square(row->added[i] - even);
        mean += row->added[i] * row->hidden->key[i];
    }
    double variance = left * (square(rest[SPREAD]) + square(own - mean));
    for (int i = 0; i < row->hidden->n; i++)
        variance += row->added[i] * square(row->hidden->key[i] - mean);
    out[UNEVENNESS] = row->n * apart;
    out[OFFSET] = mean; /* less the peak, once that is known */
    out[SPREAD] = sqrt(variance);
}

/* Rank sum. A weight w put into a sorted list adds w and, for each of the list, the larger of both.
 * (Zeros stand where keys are hidden: what they add is taken off again.) */
static void rank_of_all(const Whole *row, const double *rest, double *out) {
    double total = row->left * rest[ASCENDING], top = row->left * rest[LARGEST];
    for (int i = 0; i < row->hidden->n; i++) {
        double w = row->added[i];
        total += w * (1 - row->hidden->n);
        total += w >= top ? w * row->n : sum(row->weights, row->n, (float)w);
        for (int j = 0; j < i; j++) total += w > row->added[j] ? w : row->added[j];
    }
    out[ASCENDING] = total;
}

/* The largest weights, of which `large` that were not hidden ascend in `sorted`. */
static void largest_of_all(const Whole *row, const Asked *asked, const float *sorted, int large,
                           double factor, double *out) {
    double added[MOST_HIDDEN], mass = 0.0;
    int n_added = 0, taken = 0, next_k = 0;
    for (int i = 0; i < row->hidden->n; i++) { /* in ascending order */
        int place = n_added++;
        for (; place > 0 && added[place - 1] > row->added[i]; place--)
            added[place] = added[place - 1];
        added[place] = row->added[i];
    }
    out[SECOND] = 0.0;
    for (int want = wanted(asked); taken < want && large + n_added > 0; taken++) {
        double own = large > 0 ? sorted[large - 1] * factor : -1.0;
        int from_added = n_added > 0 && added[n_added - 1] >= own;
        double w = from_added ? added[--n_added] : (large--, own);
        mass += w;
        if (taken < 2) out[taken ? SECOND : LARGEST] = w;
        for (; next_k < asked->n_top && asked->top[next_k] == taken + 1; next_k++)
            out[FIXED + next_k] = mass;
    }
    for (; next_k < asked->n_top; next_k++) out[FIXED + next_k] = mass;
}

/* Whether a hidden key has the largest weight, and which is the first that has it. */
static int peak_of_all(const Whole *row, const double *rest, float highest) {
    int peak = row->left > 0.0 ? (int)rest[PEAK] : row->n;
    for (int i = 0; i < row->hidden->n; i++) {
        float score = row->hidden->score[i];
        if (score > highest || (score == highest && row->hidden->key[i] < peak)) {
            highest = score;
            peak = row->hidden->key[i];
        }
    }
    return peak;
}

static void put_back(Whole *row) {
    for (int i = 0; i < row->hidden->n; i++)
        row->weights[row->hidden->key[i]] = (float)row->added[i];
}

static void hide_again(Whole *row) {
    for (int i = 0; i < row->hidden->n; i++) row->weights[row->hidden->key[i]] = 0.0f;
}

/* Newest and oldest quarter, and the k last: what the others have, and the hidden keys there. */
static void edges(Whole *row, const Asked *asked, const Quarters *quarter, double factor,
                  const double *rest, double *out) {
    int n = row->n;
    out[NEWEST] = quarter->newest * factor;
    out[OLDEST] = quarter->oldest * factor;
    for (int i = 0; i < row->hidden->n; i++) {
        if (row->hidden->key[i] >= n - n / 4) out[NEWEST] += row->added[i];
        if (row->hidden->key[i] < n / 4) out[OLDEST] += row->added[i];
    }
    double *recent = out + FIXED + asked->n_top;
    int most = asked->n_recent ? asked->recent[asked->n_recent - 1] : 0, k = row->hidden->n;
    if (k > 0 && row->hidden->key[k - 1] < n - most) { /* none of the newest is hidden */
        for (int i = 0; i < asked->n_recent; i++)
            recent[i] = rest[FIXED + asked->n_top + i] * row->left;
        return;
    }
    put_back(row);
    last_masses(row->weights, n, &NONE, asked->recent, asked->n_recent, 1.0, recent);
    hide_again(row);
}

static void fill(double *out, int columns, double value) {
    for (int i = 0; i < columns; i++) out[i] = value;
}

/* Turn the scores of a row into weights, still 0 where hidden, and fill two rows of tables: `rest`
 * of the keys that are not hidden, `out` of all. They may be the same if none is hidden.
 * Return whether the row is a distribution; if not, weights and tables are NaN. */
static int measure_all(Whole *row, const Asked *asked, double *rest, double *out,
                       Ranking *ranking) {
    const Hidden *hidden = row->hidden;
    float highest;
    Quarters quarter = {0.0, 0.0, 0.0, 0.0};
    int large, columns = asked->columns;
    double total = measure(row->weights, row->n, hidden, asked, rest, ranking, &highest, &large,
                           &quarter);
    double high = highest, z;
    for (int i = 0; i < hidden->n; i++) high = hidden->score[i] > high ? hidden->score[i] : high;
    double ratio = total > 0.0 ? exp(highest - high) : 0.0;
    z = total > 0.0 ? total * ratio : total; /* keeps NaN */
    for (int i = 0; i < hidden->n; i++) z += row->added[i] = exp(hidden->score[i] - high);
    if (!(z > 0.0 && isfinite(z))) {
        for (int j = 0; j < row->n; j++) row->weights[j] = NAN;
        fill(rest, columns, NAN);
        fill(out, columns, NAN);
        return 0;
    }
    scale(row->weights, row->n, (float)(ratio / z));
    if (hidden->n == 0) {
        if (rest != out) memcpy(out, rest, sizeof(double) * (size_t)columns);
        return 1;
    }
    row->left = total * ratio / z;
    for (int i = 0; i < hidden->n; i++) row->added[i] /= z;
    entropies(row, asked, rest, out);
    moments(row, rest, out);
    rank_of_all(row, rest, out);
    largest_of_all(row, asked, ranking->sorted, large, ratio / z, out);
    out[PEAK] = peak_of_all(row, rest, highest);
    out[OFFSET] -= out[PEAK];
    out[SHARE] = 1.0;
    edges(row, asked, &quarter, ratio / z, rest, out);
    if (total == 0.0) fill(rest, columns, NAN);
    rest[SHARE] = row->left;
    return 1;
}
