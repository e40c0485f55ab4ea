// What the trainer spends its time on. Planes are rows of `stride` floats; the pictures of a batch lie in [first, last)
// of each, one after the other, and a tap is an offset in floats. So a tap at a picture's edge reads the row or picture
// beside it: the trainer leaves edges out of the loss. On both sides there is room for the largest offset. `outs` is a
// multiple of 4, last - first of 64.

// Sixteen floats, read and written at any address; the compiler splits them where registers are narrower.
typedef float vec __attribute__((vector_size(64), aligned(4), may_alias));
enum { LANES = 16 };
#define AT(address) (*(vec *)(address))

// to[outs][p] = bias[outs] + sum over ins and taps of weights[outs][ins][taps] * from[ins][p + offsets[taps]]
void convolve(float *from, const float *weights, const float *bias, float *to, long stride, int ins, int outs, int taps,
              const int *offsets, long first, long last) {
    for (long p = first; p < last; p += 4 * LANES) {
        for (int o = 0; o < outs; o += 4) {
            vec sums[4][4];
            for (int j = 0; j < 4; j++)
                for (int q = 0; q < 4; q++) sums[j][q] = (vec){} + bias[o + j];
            for (int i = 0; i < ins; i++) {
                for (int t = 0; t < taps; t++) {
                    float *x = from + i * stride + p + offsets[t];
                    vec x0 = AT(x), x1 = AT(x + LANES), x2 = AT(x + 2 * LANES), x3 = AT(x + 3 * LANES);
#pragma GCC unroll 4
                    for (int j = 0; j < 4; j++) {
                        float weight = weights[((o + j) * ins + i) * taps + t];
                        sums[j][0] += weight * x0;
                        sums[j][1] += weight * x1;
                        sums[j][2] += weight * x2;
                        sums[j][3] += weight * x3;
                    }
                }
            }
            for (int j = 0; j < 4; j++)
                for (int q = 0; q < 4; q++) AT(to + (o + j) * stride + p + q * LANES) = sums[j][q];
        }
    }
}

static float total(vec v) {
    float sum = 0;
    for (int i = 0; i < LANES; i++) sum += v[i];
    return sum;
}

// sums[outs][ins][taps] = sum over p of slopes[outs][p] * from[ins][p + offsets[taps]]
void weight_slopes(float *from, float *slopes, float *sums, long stride, int ins, int outs, int taps,
                   const int *offsets, long first, long last) {
    enum { BLOCK = 4096 };  // so that a block of every plane stays in the cache
    int columns = ins * taps;
    for (int i = 0; i < outs * columns; i++) sums[i] = 0;
    for (long begin = first; begin < last; begin += BLOCK) {
        long end = begin + BLOCK < last ? begin + BLOCK : last;
        for (int o = 0; o < outs; o += 4) {
            for (int c = 0; c < columns; c += 4) {
                float *x[4], *g = slopes + o * stride;
                for (int k = 0; k < 4; k++) {
                    int column = c + k < columns ? c + k : c;
                    x[k] = from + column / taps * stride + offsets[column % taps];
                }
                vec parts[4][4] = {};
                for (long p = begin; p < end; p += LANES) {
                    vec x0 = AT(x[0] + p), x1 = AT(x[1] + p), x2 = AT(x[2] + p), x3 = AT(x[3] + p);
#pragma GCC unroll 4
                    for (int j = 0; j < 4; j++) {
                        vec slope = AT(g + j * stride + p);
                        parts[j][0] += slope * x0;
                        parts[j][1] += slope * x1;
                        parts[j][2] += slope * x2;
                        parts[j][3] += slope * x3;
                    }
                }
                for (int j = 0; j < 4; j++) {
                    float *row = sums + (o + j) * columns + c;
                    for (int k = 0; k < 4 && c + k < columns; k++) row[k] += total(parts[j][k]);
                }
            }
        }
    }
}

// to[0][i] = max(from[i], 0), to[1][i] = max(-from[i], 0)
void crelu(const float *restrict from, float *restrict to, long count) {
    for (long i = 0; i < count; i++) {
        to[i] = from[i] > 0 ? from[i] : 0;
        to[count + i] = from[i] < 0 ? -from[i] : 0;
    }
}

// The slope of crelu's input, of those of its two outputs.
void crelu_slopes(const float *restrict from, const float *restrict slopes, float *restrict to, long count) {
    for (long i = 0; i < count; i++) to[i] = from[i] > 0 ? slopes[i] : -slopes[count + i];
}
