/* kernel_wire.c -- messages of Jupyter on the wire: frames, signatures, JSON text.
**
** [identities ...] "<IDS|MSG>" signature header parent metadata content [buffers ...], the signature
** being that of the four frames as they are sent.  It is checked before anything is parsed. */
#define _GNU_SOURCE                   /* memmem */
#include "vm/kernel.h"

#ifdef VM_HAS_KERNEL
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DELIMITER "<IDS|MSG>"
enum { MOST_FRAMES = 64 };

/* ---- text ---- */

void vm__text_add(vm_text *t, const void *data, size_t n) {
  if (t->n + n + 1 > t->room) {
    size_t room = 2 * (t->n + n) + 64;
    char *grown = realloc(t->data, room);
    if (!grown) return;
    t->data = grown;
    t->room = room;
  }
  memcpy(t->data + t->n, data, n);
  t->n += n;
  t->data[t->n] = '\0';
}

void vm__text_puts(vm_text *t, const char *s) {
  vm__text_add(t, s, strlen(s));
}

size_t vm__text_character(const char *s, size_t n) {
  const unsigned char *p = (const unsigned char *)s;
  if (n == 0) return 0;
  if (p[0] < 0x80) return 1;
  size_t length = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
  static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
  if (p[0] < 0xC2 || p[0] > 0xF4 || n < length) return 0;
  uint32_t c = p[0] & (0x7F >> length);
  for (size_t i = 1; i < length; i++) {
    if ((p[i] & 0xC0) != 0x80) return 0;
    c = c << 6 | (p[i] & 0x3F);
  }
  bool good = c >= least[length] && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
  return good ? length : 0;
}

size_t vm__text_open_end(const char *s, size_t n) {
  for (size_t k = 1; k <= 3 && k <= n; k++) {
    unsigned char c = (unsigned char)s[n - k];
    if ((c & 0xC0) == 0x80) continue;
    size_t wanted = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 1;
    return wanted > k ? k : 0;
  }
  return 0;
}

void vm__text_quote(vm_text *t, const char *s, size_t n) {
  char code[8];
  vm__text_add(t, "\"", 1);
  for (size_t i = 0, from = 0; i <= n;) {
    size_t length = i < n ? vm__text_character(s + i, n - i) : 0;
    unsigned char c = i < n ? (unsigned char)s[i] : 0;
    bool plain = length > 1 || (length == 1 && c >= 0x20 && c != '"' && c != '\\');
    if (plain) {
      i += length;
      continue;
    }
    if (i > from) vm__text_add(t, s + from, i - from);
    from = i + 1;
    if (i == n) break;
    if (!length) vm__text_add(t, "\xEF\xBF\xBD", 3);
    else if (c == '\n') vm__text_add(t, "\\n", 2);
    else vm__text_add(t, code, (size_t)snprintf(code, sizeof code, c >= 0x20 ? "\\%c" : "\\u%04x", c));
    i++;
  }
  vm__text_add(t, "\"", 1);
}

/* ---- shared bytes ---- */

vm_blob *vm__blob(const void *data, size_t n) {
  vm_blob *b = malloc(sizeof *b + n + 1);
  if (!b) return NULL;
  atomic_init(&b->owners, 1);
  b->n = n;
  memcpy(b->data, data, n);
  b->data[n] = '\0';
  return b;
}

vm_blob *vm__blob_keep(vm_blob *b) {
  if (b) atomic_fetch_add(&b->owners, 1);
  return b;
}

void vm__blob_drop(vm_blob *b) {
  if (b && atomic_fetch_sub(&b->owners, 1) == 1) free(b);
}

static void drop_all(vm_blob **list, int n) {
  for (int i = 0; i < n; i++) vm__blob_drop(list[i]);
}

void vm__request_free(vm_request *r) {
  if (!r) return;
  drop_all(r->ids, r->nids);
  drop_all(r->frames, VM_FRAMES);
  free(r->ids);
  free(r->type);
  free(r);
}

void vm__out_free(vm_out *o) {
  if (!o) return;
  drop_all(o->ids, o->nids);
  vm__blob_drop(o->parent);
  free(o->ids);
  free(o->content.data);
  free(o->metadata.data);
  free(o);
}

/* ---- signatures ---- */

/* The signature of n frames in hexadecimal digits; "" without a key. */
static void sign(const vm_key *key, const struct vm_text *frames, int n, char *hex) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  vm_text all = { 0 };
  *hex = '\0';
  if (key->n == 0) return;
  for (int i = 0; i < n; i++) vm__text_add(&all, frames[i].data, frames[i].n);
  vm__crypto.hmac(key->digest, key->text, (int)key->n, (unsigned char *)(all.data ? all.data : ""), all.n,
                  digest, &length);
  for (unsigned i = 0; i < length; i++) sprintf(hex + 2 * i, "%02x", digest[i]);
  free(all.data);
}

static bool is_signed(const vm_key *key, const vm_text *signature, const vm_text *frames) {
  char hex[2 * EVP_MAX_MD_SIZE + 1];
  if (key->n == 0) return true;
  sign(key, frames, VM_FRAMES, hex);
  return signature->n == strlen(hex) && vm__crypto.differ(signature->data, hex, signature->n) == 0;
}

/* ---- receiving ---- */

/* All frames of one message, as many as there is room for; how many came. */
static int receive_frames(void *socket, zmq_msg_t *frames) {
  int n = 0;
  for (bool more = true; more;) {
    zmq_msg_t *m = &frames[n < MOST_FRAMES ? n : MOST_FRAMES];
    vm__zmq.msg_init(m);
    if (vm__zmq.msg_recv(m, socket, ZMQ_DONTWAIT) < 0) {
      vm__zmq.msg_close(m);
      break;
    }
    more = vm__zmq.msg_more(m);
    if (n >= MOST_FRAMES) vm__zmq.msg_close(m);
    n++;
  }
  return n;
}

static vm_text view(zmq_msg_t *m) {
  return (vm_text){ .data = vm__zmq.msg_data(m), .n = vm__zmq.msg_size(m) };
}

/* cJSON takes more than JSON allows; a header goes back to all who listen. */
static bool is_strict(const char *s, size_t n, const char *end) {
  bool inside = false;
  for (size_t i = 0, k; i < n; i += k) {
    k = vm__text_character(s + i, n - i);
    if (k == 0 || (s + i >= end && !strchr(" \t\r\n", s[i])) || s[i] == '\0') return false;
    if (inside && (unsigned char)s[i] < 0x20) return false;
    if (s[i] == '"') inside = !inside;
    if (inside && s[i] == '\\' && i + 1 < n) k = 2;
  }
  return !inside;
}

/* "msg_type" of a header, to free(); NULL when it is no header. */
static char *type_of(const vm_text *header) {
  const char *end = header->data;
  cJSON *json = vm__cjson.ParseWithLengthOpts(header->data, header->n, &end, 0);
  if (json && !is_strict(header->data, header->n, end)) {
    vm__cjson.Delete(json);
    return NULL;
  }
  char *type = json ? vm__cjson.GetStringValue(vm__cjson.GetObjectItemCaseSensitive(json, "msg_type")) : NULL;
  if (type) type = strdup(type);
  vm__cjson.Delete(json);
  return type;
}

static vm_request *make_request(const vm_text *ids, int nids, const vm_text *frames, int channel,
                                char *type) {
  vm_request *r = calloc(1, sizeof *r);
  if (r) {
    r->channel = channel;
    r->type = type;
    r->ids = calloc((size_t)nids + 1, sizeof *r->ids);
    for (int i = 0; r->ids && i < nids; i++)
      if ((r->ids[i] = vm__blob(ids[i].data, ids[i].n))) r->nids++;
    bool whole = r->nids == nids;
    for (int i = 0; i < VM_FRAMES; i++)
      whole = (r->frames[i] = vm__blob(frames[i].data, frames[i].n)) && whole;
    if (whole) return r;
    vm__request_free(r);
    return NULL;
  }
  free(type);
  return NULL;
}

vm_request *vm__wire_receive(void *socket, int channel, const vm_key *key, const char **why) {
  zmq_msg_t messages[MOST_FRAMES + 1];
  vm_text frames[MOST_FRAMES];
  vm_request *r = NULL;
  int n = receive_frames(socket, messages), at = 0;
  int kept = n < MOST_FRAMES ? n : MOST_FRAMES;
  *why = NULL;
  for (int i = 0; i < kept; i++) frames[i] = view(&messages[i]);
  size_t length = sizeof DELIMITER - 1;
  while (at < kept && (frames[at].n != length || memcmp(frames[at].data, DELIMITER, length))) at++;
  if (n > MOST_FRAMES) *why = "too many frames";
  else if (n > 0 && kept - at < 2 + VM_FRAMES) *why = "frames are missing";
  else if (n > 0 && !is_signed(key, &frames[at + 1], &frames[at + 2])) *why = "the signature is wrong";
  else if (n > 0) {
    char *type = type_of(&frames[at + 2]);
    if (type) r = make_request(frames, at, frames + at + 2, channel, type);
    else *why = "the header is not JSON with a msg_type";
  }
  for (int i = 0; i < kept; i++) vm__zmq.msg_close(&messages[i]);
  return r;
}

/* ---- sending ---- */

static void send_frame(void *socket, const void *data, size_t n, bool more) {
  zmq_msg_t m;
  if (vm__zmq.msg_init_size(&m, n)) return;
  if (n) memcpy(vm__zmq.msg_data(&m), data, n);
  if (vm__zmq.msg_send(&m, socket, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) < 0) vm__zmq.msg_close(&m);
}

void vm__wire_echo(void *socket) {
  zmq_msg_t frames[MOST_FRAMES + 1];
  int n = receive_frames(socket, frames);
  for (int i = 0; i < n && i < MOST_FRAMES; i++) {
    send_frame(socket, vm__zmq.msg_data(&frames[i]), vm__zmq.msg_size(&frames[i]), i + 1 < n);
    vm__zmq.msg_close(&frames[i]);
  }
}

static void make_header(vm_text *t, const vm_key *key, const char *type) {
  static unsigned long count;
  char text[400];
  struct timespec now;
  struct tm day;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &day);
  snprintf(text, sizeof text,
           "{\"msg_id\":\"%s_%lu\",\"msg_type\":\"%s\",\"username\":\"tide\",\"session\":\"%s\","
           "\"date\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ\",\"version\":\"5.5\"}",
           key->session, ++count, type, key->session, day.tm_year + 1900, day.tm_mon + 1, day.tm_mday,
           day.tm_hour, day.tm_min, day.tm_sec, now.tv_nsec / 1000);
  vm__text_puts(t, text);
}

static void stream_content(vm_text *t, const vm_out *o) {
  vm__text_puts(t, o->stream == 1 ? "{\"name\":\"stdout\",\"text\":" : "{\"name\":\"stderr\",\"text\":");
  vm__text_quote(t, o->content.data, o->content.n);
  vm__text_puts(t, "}");
}

void vm__wire_send(void *socket, const vm_key *key, const vm_out *o) {
  char hex[2 * EVP_MAX_MD_SIZE + 1];
  vm_text frames[VM_FRAMES] = { { 0 } };
  make_header(&frames[VM_HEADER], key, o->type);
  if (o->parent) vm__text_add(&frames[VM_PARENT], o->parent->data, o->parent->n);
  else vm__text_puts(&frames[VM_PARENT], "{}");
  if (o->metadata.n) vm__text_add(&frames[VM_METADATA], o->metadata.data, o->metadata.n);
  else vm__text_puts(&frames[VM_METADATA], "{}");
  if (o->stream) stream_content(&frames[VM_CONTENT], o);
  else vm__text_add(&frames[VM_CONTENT], o->content.data, o->content.n);
  sign(key, frames, VM_FRAMES, hex);
  for (int i = 0; i < o->nids; i++) send_frame(socket, o->ids[i]->data, o->ids[i]->n, true);
  if (o->channel == VM_IOPUB) send_frame(socket, o->type, strlen(o->type), true);
  send_frame(socket, DELIMITER, sizeof DELIMITER - 1, true);
  send_frame(socket, hex, strlen(hex), true);
  for (int i = 0; i < VM_FRAMES; i++) {
    send_frame(socket, frames[i].data, frames[i].n, i + 1 < VM_FRAMES);
    free(frames[i].data);
  }
}
#else
typedef int vm_no_kernel;
#endif
