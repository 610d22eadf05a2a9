/* fetch.c -- copies of tensors to the host that nobody waits for. */
#include "capture.h"

struct td_fetch {
  td_tensor *from;         /* on a device: a snapshot, which nobody changes */
  td_tensor *there;        /* on the CPU: the values */
  void *way;               /* of from's device */
  td_fetch *next;
};

static td_fetch *given_up;             /* still on their way */

static void release(td_fetch *f) {
  td_drop(f->from);
  td_drop(f->there);
  td__small_free(f, sizeof *f);
}

/* A snapshot may be used for something else only when the copy of it is over. */
static void end_given_up(void) {
  for (td_fetch **at = &given_up, *f; (f = *at); ) {
    td_backend *b = td_device_of(f->from);
    if (!b->fetch_done(b, f->way)) {
      at = &f->next;
      continue;
    }
    *at = f->next;
    b->fetch_end(b, f->way, NULL);
    release(f);
  }
}

static td_status begin(td_fetch *f, td_tensor *t) {
  td_backend *b = td_device_of(t);
  td_tensor *y = td_clone(td_detach(t));
  if (!b->fetch_begin) y = td_to_device(y, td_cpu());
  if (!y) return td_error_code();
  if (td_device_of(y) == td_cpu()) {
    f->there = td_keep(y);
    return TD_OK;
  }
  f->from = td_keep(y);
  return b->fetch_begin(b, y->data, (size_t)td__numel(y) * td_dtype_size(td_type(y)), &f->way);
}

td_fetch *td_fetch_begin(td_tensor *t) {
  if (!t) return NULL;
  if (td__capture_no_read("fetching values")) return NULL;
  end_given_up();
  td_fetch *f = td__small_alloc(sizeof *f);
  if (!f) return NULL;
  *f = (td_fetch){ 0 };
  bool grad = td_grad_enable(false);
  int mark = td_scope_open();
  td_status st = begin(f, t);
  td_scope_close(mark);
  td_grad_enable(grad);
  if (!st) return f;
  release(f);
  return NULL;
}

bool td_fetch_done(const td_fetch *f) {
  if (!f || f->there) return true;
  td_backend *b = td_device_of(f->from);
  return b->fetch_done(b, f->way);
}

td_tensor *td_fetch_end(td_fetch *f) {
  if (!f) return NULL;
  td_tensor *y = f->there;
  if (y) {
    td__scoped(td_keep(y));
  } else {
    td_backend *b = td_device_of(f->from);
    y = td_empty(td_cpu(), td_type(f->from), td_ndim(f->from), td_shape(f->from));
    if (b->fetch_end(b, f->way, y ? y->data : NULL)) y = NULL;
  }
  release(f);
  return y;
}

void td_fetch_drop(td_fetch *f) {
  if (!f) return;
  if (f->there) {
    release(f);
    return;
  }
  f->next = given_up;
  given_up = f;
  end_given_up();
}
