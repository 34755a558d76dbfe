/* The one pass over the scores of a row that turns them into weights. */
#include "large.h"

/* Which of two neighbours in memory lies in the lower half of both. */
enum { LOWER = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ };

/* Sums over keys of a row: of e = exp(score - largest), e ln e, e^2, and of e times the distance
 * from a key and its square. */
typedef struct {
    double mass, energy, squares, first, second;
} Moments;

/* The same in lanes, of at most MANY keys. */
enum { MANY = 16 * STRIP };

typedef struct {
    float mass[LANES], energy[LANES], squares[LANES], first[LANES], second[LANES];
} Partial;

/* Add the partial sums to the others, and begin anew. */
static void gather(Partial *p, Moments *m) {
    m->mass += over_lanes(p->mass);
    m->energy += over_lanes(p->energy);
    m->squares += over_lanes(p->squares);
    m->first += over_lanes(p->first);
    m->second += over_lanes(p->second);
    memset(p, 0, sizeof *p);
}

/* Visit STRIP scores: turn them into weights, add these to sums and put them into buckets. `lag` is
 * the distance of the first; the largest of each lane goes to `maxima`.
 * Buckets are filled one by one, which takes the processor as long as the rest, and goes on while
 * it computes the next strip: strips are short, for both to fit into what it looks ahead. */
static inline void visit(float *restrict s, float largest, float lag, Ranking *restrict r,
                         Partial *restrict sums, float *restrict maxima) {
    uint32_t slots[STRIP];
    double worth[STRIP], unit = r->unit;
    float per_score = r->per_score, lowest = r->lowest;
#pragma omp simd
    for (int lane = 0; lane < LANES; lane++) {
        float d = 0.0f;
#pragma GCC unroll 4
        for (int i = 0; i < STRIP; i += LANES) {
            float x = s[i + lane] - largest, place = x * per_score + (float)(BUCKETS - 1);
            slots[i + lane] = slot((uint32_t)(int32_t)larger(place, 0.0f)); /* NaN at 0 */
            float c = at_least(x, lowest), e = exp_bounded(c); /* not 0 * inf */
            s[i + lane] = e;
            d += e * c;
        }
        sums->energy[lane] += d;
    }
#pragma omp simd
    for (int lane = 0; lane < LANES; lane++) {
        float z = 0.0f, q = 0.0f, a = 0.0f, b = 0.0f, m = 0.0f, nearest = lag + (float)lane;
#pragma GCC unroll 4
        for (int i = 0; i < STRIP; i += LANES) {
            float e = s[i + lane], distance = nearest + (float)i, pull = e * distance;
            worth[i + lane] = unit + e;
            z += e;
            q += e * e;
            a += pull;
            b += pull * distance;
            m = larger_weight(e, m);
        }
        sums->mass[lane] += z;
        sums->squares[lane] += q;
        sums->first[lane] += a;
        sums->second[lane] += b;
        maxima[lane] = m;
    }
    double *restrict held = r->held;
#pragma GCC unroll 4
    for (int i = 0; i < STRIP; i += 2) { /* two in one load: they are what there is least of */
        uint64_t two;
        memcpy(&two, slots + i, sizeof two);
        held[(uint32_t)two] += worth[i + LOWER];
        held[two >> 32] += worth[i + 1 - LOWER];
    }
}

/* Visit less than STRIP scores: the strip is filled up as if hidden keys followed. */
static void visit_few(float *s, int n, float largest, float lag, Ranking *r, Partial *sums,
                      float *maxima) {
    float strip[STRIP];
    for (int i = 0; i < STRIP; i++) strip[i] = i < n ? s[i] : -INFINITY;
    visit(strip, largest, lag, r, sums, maxima);
    memcpy(s, strip, sizeof(float) * (size_t)n);
}

/* Mass and energy of few scores, without a change to them. */
static void look(const float *s, int n, float largest, double *mass, double *energy) {
    for (int i = 0; i < n; i++) {
        float x = s[i] - largest, e = exp_negative(x);
        *mass += e;
        *energy += e * at_least(x, LOWEST);
    }
}

/* Visit the n scores of a row, of which `kept` are not -inf for being hidden: only these enter the
 * sums, which are returned, and the buckets. *mass and *energy are those of the first `split`. */
static Moments visit_all(float *s, int n, int kept, int split, float largest, int peak,
                         Ranking *r, double *mass, double *energy) {
    Moments m = {0.0, 0.0, 0.0, 0.0, 0.0};
    Partial sums;
    memset(&sums, 0, sizeof sums);
    float *maxima = r->maxima;
    int next = MANY;
    for (int j = 0; j < n; j += STRIP, maxima += LANES) {
        int ends = split < n && j + STRIP > split && j <= split; /* the prefix, in this strip */
        if (ends || j == next) {
            gather(&sums, &m);
            next = j + MANY;
        }
        if (ends) {
            *mass = m.mass;
            *energy = m.energy;
            if (j < split) look(s + j, split - j, largest, mass, energy);
        }
        if (j + STRIP <= n) {
            visit(s + j, largest, (float)(j - peak), r, &sums, maxima);
        } else {
            visit_few(s + j, n - j, largest, (float)(j - peak), r, &sums, maxima);
        }
    }
    gather(&sums, &m);
    if (split >= n) {
        *mass = m.mass;
        *energy = m.energy;
    }
    int absent = (n + STRIP - 1) / STRIP * STRIP - kept;
    r->held[slot(0)] -= r->unit * absent;
    return m;
}
