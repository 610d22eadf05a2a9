/* philox.h -- random numbers by counting: Philox 4x32 with 10 rounds (Salmon,
** Moraes, Dror, Shaw: Parallel random numbers, as easy as 1, 2, 3; 2011).
**
** The key is the seed, the counter a place in the stream; one counter gives four
** 32-bit words.  Element i of a draw at `offset` uses counter offset + i/4 and
** word i%4; elements of 8 bytes use counter offset + i/2 and words 2(i%2) and
** 2(i%2)+1.  Normals come in pairs: an even element is radius * cos, the odd one
** after it radius * sin of the same two uniforms.
**
** Nothing here depends on the machine.  Compile users with -ffp-contract=off
** (CUDA: -fmad=false) and the same words give the same floats everywhere. */
#ifndef TD_PHILOX_H
#define TD_PHILOX_H
#include "vmath.h"
#if defined(__AVX2__) && !defined(__CUDACC__)
#include <immintrin.h>
#endif

#define TD_PHILOX_BLOCK 64      /* counters of td_philox_block */

TD_HD void td_philox_round(uint32_t *c0, uint32_t *c1, uint32_t *c2,
                           uint32_t *c3, uint32_t k0, uint32_t k1) {
  uint64_t p = (uint64_t)0xd2511f53u * *c0, q = (uint64_t)0xcd9e8d57u * *c2;
  *c0 = (uint32_t)(q >> 32) ^ *c1 ^ k0;
  *c2 = (uint32_t)(p >> 32) ^ *c3 ^ k1;
  *c1 = (uint32_t)q;
  *c3 = (uint32_t)p;
}

/* c: the counter, low word first; becomes the four random words. */
TD_HD void td_philox_words(uint32_t *c0, uint32_t *c1, uint32_t *c2,
                           uint32_t *c3, uint64_t seed) {
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
#define TD__ROUND(i) td_philox_round(c0, c1, c2, c3, \
                                     k0 + (i) * 0x9e3779b9u, k1 + (i) * 0xbb67ae85u)
  TD__ROUND(0); TD__ROUND(1); TD__ROUND(2); TD__ROUND(3); TD__ROUND(4);
  TD__ROUND(5); TD__ROUND(6); TD__ROUND(7); TD__ROUND(8); TD__ROUND(9);
#undef TD__ROUND
}

TD_HD void td_philox(uint64_t seed, uint64_t counter, uint32_t w[4]) {
  w[0] = (uint32_t)counter;
  w[1] = (uint32_t)(counter >> 32);
  w[2] = w[3] = 0;
  td_philox_words(&w[0], &w[1], &w[2], &w[3], seed);
}

/* td_philox_block gives the words of TD_PHILOX_BLOCK counters: w[k][j] is word k
** of counter + j. */
#if defined(__AVX2__) && !defined(__CUDACC__)
#ifdef __AVX512F__
typedef uint64_t td__vec __attribute__((vector_size(64)));
#define TD__MUL(a, b) ((td__vec)_mm512_mul_epu32((__m512i)(a), (__m512i)(b)))
#else
typedef uint64_t td__vec __attribute__((vector_size(32)));
#define TD__MUL(a, b) ((td__vec)_mm256_mul_epu32((__m256i)(a), (__m256i)(b)))
#endif

/* A word sits in the lower half of a 64-bit lane, where the vector multiplier
** wants it; what is left in the upper half never matters.  Vectors work in pairs
** of the even and the odd counters, so that two make one of 32-bit words. */
TD_HD void td_philox_block(uint64_t seed, uint64_t counter,
                           uint32_t w[4][TD_PHILOX_BLOCK]) {
  enum { LANES = sizeof(td__vec) / 8, V = 4 };
  const td__vec zero = { 0 }, m0 = zero + 0xd2511f53u, m1 = zero + 0xcd9e8d57u;
  td__vec k0[10], k1[10], c[4][V];
  for (uint32_t r = 0; r < 10; r++) {
    k0[r] = zero + (uint32_t)((uint32_t)seed + r * 0x9e3779b9u);
    k1[r] = zero + (uint32_t)((uint32_t)(seed >> 32) + r * 0xbb67ae85u);
  }
  for (int j = 0; j < TD_PHILOX_BLOCK; j += LANES * V) {
    for (int v = 0; v < V; v++) {
      uint64_t at[LANES];
      for (int l = 0; l < LANES; l++)
        at[l] = counter + (uint64_t)(j + (v & ~1) * LANES + 2 * l + (v & 1));
      memcpy(&c[0][v], at, sizeof at);
      c[1][v] = c[0][v] >> 32;
      c[2][v] = c[3][v] = zero;
    }
    _Pragma("GCC unroll 10")
    for (int r = 0; r < 10; r++)
      _Pragma("GCC unroll 4")
      for (int v = 0; v < V; v++) {
        td__vec p = TD__MUL(c[0][v], m0), q = TD__MUL(c[2][v], m1);
        c[0][v] = (q >> 32) ^ c[1][v] ^ k0[r];
        c[2][v] = (p >> 32) ^ c[3][v] ^ k1[r];
        c[1][v] = q;
        c[3][v] = p;
      }
    for (int k = 0; k < 4; k++)
      for (int v = 0; v < V; v += 2) {
        td__vec both = (c[k][v] & 0xffffffffu) | c[k][v + 1] << 32;
        memcpy(&w[k][j + v * LANES], &both, sizeof both);
      }
  }
}
#else
TD_HD void td_philox_block(uint64_t seed, uint64_t counter,
                           uint32_t w[4][TD_PHILOX_BLOCK]) {
  for (int j = 0; j < TD_PHILOX_BLOCK; j++) {
    uint64_t c = counter + (uint64_t)j;
    uint32_t a = (uint32_t)c, b = (uint32_t)(c >> 32), d = 0, e = 0;
    td_philox_words(&a, &b, &d, &e, seed);
    w[0][j] = a;
    w[1][j] = b;
    w[2][j] = d;
    w[3][j] = e;
  }
}
#endif

/* ---- words into numbers ---- */

/* [0, 1), a multiple of 2^-24 */
TD_HD float td_uniform_f32(uint32_t w) {
  return (float)(int32_t)(w >> 8) * 0x1p-24f;
}
/* [0, 1), a multiple of 2^-53 */
TD_HD double td_uniform_f64(uint32_t hi, uint32_t lo) {
  return (double)(int64_t)(((uint64_t)hi << 32 | lo) >> 11) * 0x1p-53;
}
/* (0, 1]: has a logarithm; as fine near 0 as words allow */
TD_HD float td_uniform_open_f32(uint32_t w) {
  return ((float)(int32_t)(w >> 1) + .5f) * 0x1p-31f;
}
TD_HD double td_uniform_open_f64(uint32_t hi, uint32_t lo) {
  return ((double)(int64_t)(((uint64_t)hi << 32 | lo) >> 11) + .5) * 0x1p-53;
}

/* Two normals by Box and Muller.  The top bits of the second word choose the
** quarter turn, the rest an angle within pi/4 of it. */
TD_HD void td_normal_f32(uint32_t u, uint32_t v, float *even, float *odd) {
  int32_t n;
  float f = td__log_split(td_uniform_open_f32(u), &n) - 1, e = (float)n;
  float l = e * TD__LN2_HI + (f + (td__log_tail(f) + e * TD__LN2_LO));
  float r = td__sqrtf(-2 * l);
  uint32_t q = v >> 30;
  float a = (float)(int32_t)(v << 2) * 0x1.921fb6p-32f;
  float s = td__sin_poly(a), c = td__cos_poly(a);
  float x = q & 1 ? s : c, y = q & 1 ? c : s;
  x = td__float(td__bits(x) ^ (((q + 1) & 2) << 30));
  y = td__float(td__bits(y) ^ ((q & 2) << 30));
  *even = r * x;
  *odd = r * y;
}

/* log of u in [2^-54, 1] */
TD_HD double td__log_wide(double u) {
  uint64_t b = td__bits64(u) - 0x3fe5555555555555ull;
  double n = (double)((int32_t)(uint32_t)(b >> 32) >> 20);
  double m = td__double((b & 0xfffffffffffffull) + 0x3fe5555555555555ull);
  double s = (m - 1) / (m + 1), z = s * s;
  double p = 0x1.1b7eb0b639008p-3;
  p = p * z + 0x1.0dcbfc80d0ca6p-3;
  p = p * z + 0x1.3b35bb28ba24fp-3;
  p = p * z + 0x1.745c4b02f18a4p-3;
  p = p * z + 0x1.c71c748f33067p-3;
  p = p * z + 0x1.24924921e4c28p-2;
  p = p * z + 0x1.999999999c175p-2;
  p = p * z + 0x1.555555555554fp-1;
  return n * 0x1.62e42fefap-1 +
    (2 * s + (s * z * p + n * 0x1.cf79abc9e3b3ap-40));
}
TD_HD double td__sin_wide(double r) {
  double z = r * r, p = 0x1.5d93a46b89333p-33;
  p = p * z - 0x1.ae5e689eede3ep-26;
  p = p * z + 0x1.71de357b1bdd6p-19;
  p = p * z - 0x1.a01a019c1619dp-13;
  p = p * z + 0x1.111111110f8a6p-7;
  p = p * z - 0x1.5555555555549p-3;
  return r + r * z * p;
}
TD_HD double td__cos_wide(double r) {
  double z = r * r, p = -0x1.8fb130f6c08fap-37;
  p = p * z + 0x1.1ee9f1528a3aap-29;
  p = p * z - 0x1.27e4f812b6680p-22;
  p = p * z + 0x1.a01a019cbf629p-16;
  p = p * z - 0x1.6c16c16c1521fp-10;
  p = p * z + 0x1.555555555554cp-5;
  return 1 + z * (p * z - .5);
}

/* Both words of each number are 64 bits in two halves, w[0] the upper one. */
TD_HD void td_normal_f64(const uint32_t w[4], double *even, double *odd) {
  double r = sqrt(-2 * td__log_wide(td_uniform_open_f64(w[0], w[1])));
  uint64_t v = (uint64_t)w[2] << 32 | w[3], q = v >> 62;
  double a = (double)(int64_t)(v << 2) * 0x1.921fb54442d18p-64;
  double s = td__sin_wide(a), c = td__cos_wide(a);
  double x = q & 1 ? s : c, y = q & 1 ? c : s;
  x = td__double(td__bits64(x) ^ (((q + 1) & 2) << 62));
  y = td__double(td__bits64(y) ^ ((q & 2) << 62));
  *even = r * x;
  *odd = r * y;
}

/* low + a uniform integer below range; range 0 stands for 2^64 */
TD_HD int64_t td_integer(uint64_t word, int64_t low, uint64_t range) {
#ifdef __CUDA_ARCH__
  uint64_t k = range ? __umul64hi(word, range) : word;
#else
  uint64_t k = range ? (uint64_t)((unsigned __int128)word * range >> 64) : word;
#endif
  return (int64_t)((uint64_t)low + k);
}

#endif
