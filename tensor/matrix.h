/* matrix.h -- what may be wrong with a matrix that is decomposed or solved, on any device. */
#ifndef TD_MATRIX_H
#define TD_MATRIX_H
#include "tensor.h"
#include <stdio.h>

enum { TD_MATRIX_MOST = 30000 };               /* rows: LAPACK counts in int */
#define TD_MATRIX_APART .01                    /* of the largest element: not symmetric */

/* What is found beside LAPACK's own positive codes. */
enum { TD_MATRIX_OK = 0, TD_MATRIX_NOT_FINITE = -1, TD_MATRIX_ASYMMETRIC = -2,
       TD_MATRIX_NEGATIVE = -3 };

/* What positive codes mean, with a place for the code. */
#define TD_MATRIX_INDEFINITE "not positive definite: its leading minor of order %d is not " \
  "positive; add a small multiple of the identity"
#define TD_MATRIX_DIVERGED "the iteration did not converge (LAPACK code %d); scale the matrix"
#define TD_MATRIX_SINGULAR "the matrix is singular (pivot %d is 0)"
#define TD_MATRIX_NO_DIAGONAL "the matrix is singular (element %d of its diagonal is 0)"

/* Share of the largest eigenvalue below which one is noise. */
static inline double td_matrix_noise(bool wide, int64_t n) {
  return (wide ? 2.3e-16 : 1.2e-7) * (double)n;
}

/* The failure of matrix `at` of `count`: its code, the figure that goes with it, and what
** positive codes mean. */
static inline td_status td_matrix_failed(td_status (*fail)(td_status, const char *, ...),
                                         const char *op, int64_t count, int64_t at, int code,
                                         double figure, const char *positive) {
  char which[64] = "", what[160];
  if (count > 1)
    snprintf(which, sizeof which, "matrix %lld of %lld: ", (long long)at + 1, (long long)count);
  switch (code) {
    case TD_MATRIX_NOT_FINITE:
      snprintf(what, sizeof what, "holds NaN or infinity");
      break;
    case TD_MATRIX_ASYMMETRIC:
      snprintf(what, sizeof what, "not symmetric: elements across the diagonal "
        "differ by up to %.3g; use (x + x:t()) / 2", figure);
      break;
    case TD_MATRIX_NEGATIVE:
      snprintf(what, sizeof what, "not positive semidefinite: its smallest "
        "eigenvalue is %.3g", figure);
      break;
    default:
      snprintf(what, sizeof what, positive, code);
  }
  return fail(TD_EARG, "%s: %s%s", op, which, what);
}

/* The failure of an op on more rows than are supported. */
static inline td_status td_matrix_large(td_status (*fail)(td_status, const char *, ...),
                                        const char *op, int64_t n) {
  return fail(TD_ENOSUP, "%s: %lld rows; at most %d are supported", op, (long long)n,
              TD_MATRIX_MOST);
}
#endif
