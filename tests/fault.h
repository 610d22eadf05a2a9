/* fault.h -- the program's own allocation functions, of which one can be made to fail; included once
** by a test of one file.
**
** TEST_EVERY is 1 where they take the place of the C library's; under a sanitizer, which owns the
** allocator, nothing is counted and nothing fails. */
#ifndef TEST_FAULT_H
#define TEST_FAULT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

static struct {
  bool on;
  bool lasting;            /* all later ones fail too: nothing can be freed */
  long left;               /* allocations until the failure */
  long failed;
} fault;
static long blocks;        /* held now */

static inline bool fails(void) {
  if (!fault.on || fault.left-- > 0) return false;
  if (!fault.lasting && fault.left < -1) return false;
  fault.failed++;
  return true;
}

#if defined __GLIBC__ && !defined __SANITIZE_ADDRESS__ && \
    !defined __SANITIZE_THREAD__
#define TEST_EVERY 1
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t a, size_t b);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t a, size_t n);
void __libc_free(void *p);

static void *held(void *p) { blocks += p != NULL; return p; }
void *malloc(size_t n) { return fails() ? NULL : held(__libc_malloc(n)); }
void *calloc(size_t a, size_t b) {
  return fails() ? NULL : held(__libc_calloc(a, b));
}
void *realloc(void *p, size_t n) {
  if (fails()) return NULL;
  void *q = __libc_realloc(p, n);
  return p ? q : held(q);
}
int posix_memalign(void **p, size_t a, size_t n) {
  return fails() || !(*p = held(__libc_memalign(a, n))) ? ENOMEM : 0;
}
void *aligned_alloc(size_t a, size_t n) {
  return fails() ? NULL : held(__libc_memalign(a, n));
}
void free(void *p) { blocks -= p != NULL; __libc_free(p); }
#else
#define TEST_EVERY 0
#endif

#endif
