/* row_product.h -- td_gemm for row-major matrices, for one type: included with `real` and
** NAME(x) defined.  c (m,n) = alpha a b + beta c; with ta, a is stored as (k,m), with tb, b
** as (n,k). */
static inline void NAME(row_product)(bool ta, bool tb, int64_t m, int64_t n, int64_t k,
                                     real alpha, const real *a, int64_t lda, const real *b,
                                     int64_t ldb, real beta, real *c, int64_t ldc) {
  NAME(td_gemm)(&(NAME(td_block)){
    m, n, k, a, b, c, ta ? 1 : lda, ta ? lda : 1, tb ? 1 : ldb, tb ? ldb : 1, ldc,
    alpha, beta, NULL });
}
