/* Numbers of one row, LANES at a time: what several of its statistics need.
 *
 * Lanes are written out, and hold what is added up: compilers may not sum in another order, and
 * go through memory where `omp simd` lets them. A strip is what a lane takes up by itself before
 * it is added to memory.
 */
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 16, STRIP = 4 * LANES, CHUNK = 256 };

static const float LOWEST = -88.0f; /* exp of it is taken for 0, as its power of 2 is too small */

/* x, but at least `low`; keeps NaN. */
static inline float at_least(float x, float low) { return x < low ? low : x; }

/* exp(c) for LOWEST <= c <= 0 to 2 ulp: c = n ln 2 + r, with ln 2 in two parts (Cody and Waite
 * 1980), and a polynomial of least relative error in r. Adding 1.5 * 2^23 + 127 rounds to n, and
 * leaves n + 127 in the lowest bits: the exponent of 2^n, which for n = -127 is that of 0. */
static inline float exp_bounded(float c) {
    float rounded = c * 1.44269504088896341f + 12583039.0f;
    float n = rounded - 12583039.0f;
    float r = c - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.3814466851e-3f;
    p = p * r + 8.3687804183e-3f;
    p = p * r + 4.1668394215e-2f;
    p = p * r + 1.6666520108e-1f;
    p = p * r + 4.9999993412e-1f;
    p = p * (r * r) + r + 1.0f;
    uint32_t power;
    memcpy(&power, &rounded, sizeof power);
    power <<= 23;
    float scale;
    memcpy(&scale, &power, sizeof scale);
    return p * scale;
}

/* exp(x) for x <= 0; 0 from a little above LOWEST downwards. */
static inline float exp_negative(float x) { return exp_bounded(at_least(x, LOWEST)); }

static inline int least(int a, int b) { return a < b ? a : b; }

static inline float larger(float a, float b) { return a > b ? a : b; }

/* The bits of numbers that are not negative are in the order of the numbers, and quicker to compare,
 * as there is no NaN among them. */
static inline uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float larger_weight(float a, float b) {
    uint32_t x = bits_of(a), y = bits_of(b), z = x > y ? x : y;
    memcpy(&a, &z, sizeof a);
    return a;
}

static inline float smaller(float a, float b) { return a < b ? a : b; }

/* Sum of LANES numbers. */
static inline float over_lanes(const float *lanes) {
    float four[4];
    for (int i = 0; i < 4; i++)
        four[i] = (lanes[i] + lanes[i + 4]) + (lanes[i + 8] + lanes[i + 12]);
    return (four[0] + four[1]) + (four[2] + four[3]);
}

/* Sum of n numbers, none of them negative, each of which is taken for at least `floor`. */
static double sum(const float *a, int n, float floor) {
    double total = 0.0;
    for (int start = 0; start < n; start += CHUNK) {
        int stop = least(start + CHUNK, n), j = start;
        float lanes[LANES] = {0.0f};
        for (; j + STRIP <= stop; j += STRIP) {
            const float *b = a + j;
#pragma omp simd
            for (int lane = 0; lane < LANES; lane++) {
                float part = larger(b[lane], floor);
#pragma GCC unroll 4
                for (int i = lane + LANES; i < STRIP; i += LANES) part += larger(b[i], floor);
                lanes[lane] += part;
            }
        }
        for (; j < stop; j += LANES)
            for (int lane = 0; lane < least(LANES, stop - j); lane++)
                lanes[lane] += larger(a[j + lane], floor);
        total += over_lanes(lanes);
    }
    return total;
}

/* Where a value is first met among n numbers; n if nowhere. */
static int first_of(const float *a, int n, float value) {
    int place = n;
#pragma omp simd reduction(min : place)
    for (int j = 0; j < n; j++) {
        int here = a[j] == value ? j : n;
        place = here < place ? here : place;
    }
    return place;
}

/* Take STRIP scores into the largest and smallest of each lane; `top` is the largest of these. */
static inline void take(const float *s, float *restrict high, float *restrict low,
                        float *restrict top) {
#pragma omp simd
    for (int lane = 0; lane < LANES; lane++) {
        float h = -INFINITY, l = INFINITY;
#pragma GCC unroll 4
        for (int i = lane; i < STRIP; i += LANES) {
            h = larger(s[i], h);
            l = smaller(s[i], l);
        }
        top[lane] = h;
        high[lane] = larger(h, high[lane]);
        low[lane] = smaller(l, low[lane]);
    }
}

/* Largest and smallest of n scores, and where the largest is first met. NaN is passed over.
 * `tops` has room for the largest of each lane of each strip. The last strip overlaps another. */
static float extremes(const float *s, int n, float *smallest, int *peak, float *tops) {
    float high[LANES], low[LANES], largest = -INFINITY;
    for (int lane = 0; lane < LANES; lane++) {
        high[lane] = -INFINITY;
        low[lane] = INFINITY;
    }
    int strips = n < STRIP ? 0 : (n + STRIP - 1) / STRIP, last = n - STRIP;
    for (int k = 0; k < strips; k++) take(s + least(k * STRIP, last), high, low, tops + k * LANES);
    for (int j = 0; !strips && j < n; j++) {
        high[0] = larger(s[j], high[0]);
        low[0] = smaller(s[j], low[0]);
    }
    *smallest = INFINITY;
    for (int lane = 0; lane < LANES; lane++) {
        largest = larger(high[lane], largest);
        *smallest = smaller(low[lane], *smallest);
    }
    int strip = first_of(tops, strips * LANES, largest) / LANES * STRIP;
    int begin = strips ? least(strip, last) : 0;
    *peak = least(begin + first_of(s + begin, least(STRIP, n), largest), n - 1);
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
