/* How far apart the rows of heads lie. */
#include "lanes.h"

/* ln u for 0 < u <= 1 to 1 ulp: u = m 2^n, polynomial of Cephes' logf (Moshier 1989). */
static inline float log_of_share(float u) {
    int32_t bits;
    memcpy(&bits, &u, sizeof bits);
    int32_t n = ((bits - 0x3f3504f3) >> 23); /* m in [sqrt(1/2), sqrt(2)) */
    bits -= (int32_t)((uint32_t)n << 23);
    float m;
    memcpy(&m, &bits, sizeof m);
    float x = m - 1.0f, z = x * x, k = (float)n;
    float p = 7.0376836292e-2f;
    p = p * x - 1.1514610310e-1f;
    p = p * x + 1.1676998740e-1f;
    p = p * x - 1.2420140846e-1f;
    p = p * x + 1.4249322787e-1f;
    p = p * x - 1.6668057665e-1f;
    p = p * x + 2.0000714765e-1f;
    p = p * x - 2.4999993993e-1f;
    p = p * x + 3.3333331174e-1f;
    p = p * x * z + k * -2.12194440e-4f - 0.5f * z;
    return x + p + k * 0.693359375f;
}

/* Jensen-Shannon divergence of two rows, nats.
 *
 * With m their mean and d = |a - b| / (a + b), u = 1 - d: half the sum of
 * m ((1 + d) ln(1 + d) + u ln u), of which every term is small where the rows are alike.
 * (1 + d) ln(1 + d) = d + d^2 / 2 - ...: a polynomial, least squares at Chebyshev points.
 */
static double divergence(const float *restrict a, const float *restrict b, int n) {
    double total = 0.0;
    for (int start = 0; start < n; start += CHUNK) {
        int stop = least(start + CHUNK, n);
        float part = 0.0f;
#pragma omp simd reduction(+ : part)
        for (int j = start; j < stop; j++) {
            float both = a[j] + b[j], apart = fabsf(a[j] - b[j]);
            float safe = both > 1e-37f ? both : 1e-37f;
            float u = 1.0f - apart / safe, d = 1.0f - u; /* rounding of u is d's, too */
            float low = u > 1e-30f ? u : 1e-30f;
            float q = 2.2325232642e-3f;
            q = q * d - 1.0949398756e-2f;
            q = q * d + 2.6620151668e-2f;
            q = q * d - 4.7989784637e-2f;
            q = q * d + 8.3030144652e-2f;
            q = q * d - 1.6664897347e-1f;
            q = q * d + 4.9999982821e-1f;
            part += both * (d + d * d * q + u * log_of_share(low));
        }
        total += part;
    }
    return total > 0.0 ? 0.25 * total : 0.0;
}

/* Where one row of all heads, which lie `apart`, ends but for zeros: keys that it does not see. */
static int end_of(const float *row, int heads, int64_t apart, int n) {
    int end = 0;
    for (int i = 0; i < heads; i++) {
        const float *a = row + i * apart;
        int stop = n;
        while (stop > end && a[stop - 1] == 0.0f) stop--;
        end = stop;
    }
    return end;
}

/* Add the square root of the divergence, over ln 2, between the same rows of every two heads.
 *
 * weights   [heads, rows, width]
 * valid     [heads, rows]: rows that count
 * total     [heads, heads]: only where the second head is behind the first
 */
void attnpipe_distances(const float *weights, int32_t heads, int32_t rows, int32_t width,
                        const uint8_t *valid, double *total) {
    int64_t apart = (int64_t)rows * width;
    for (int r = 0; r < rows; r++) {
        const float *row = weights + (int64_t)r * width;
        int end = end_of(row, heads, apart, width);
        for (int i = 0; i < heads; i++)
            for (int k = i + 1; k < heads; k++) {
                if (!valid[i * rows + r] || !valid[k * rows + r]) continue;
                double share = divergence(row + i * apart, row + k * apart, end) / log(2.0);
                total[i * heads + k] += sqrt(share < 1.0 ? share : 1.0);
            }
    }
}
