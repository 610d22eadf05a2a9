/* repl_screen.c -- the terminal while a line is edited: what others print goes
** above the line, and a status line may stand over the prompt. */
#define _GNU_SOURCE                   /* fopencookie */
#include "vm/vm.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool fresh = true;             /* the cursor is at the start of a line */

#ifndef TD_HEADLESS
#include "vm/repl_editor.h"

#include <readline/readline.h>

static pthread_t owner;               /* the Lua thread */
static FILE *terminal;                /* for the editor itself */
static bool editing;                  /* a line is being edited ... */
static bool visible;                  /* ... and on the screen */
static bool drawn;                    /* with the status line above it */
static char *prompt;                  /* without the status line */
static char *status;                  /* wanted; NULL for none */

/* ---- output of others ---- */

static ssize_t pass_on(void *cookie, const char *text, size_t length) {
  bool bell = length == 1 && *text == '\a';      /* the editor's, too */
  if (!bell && pthread_equal(pthread_self(), owner)) vm_prompt_hide();
  int fd = *(int *)cookie;
  size_t done = 0;
  while (done < length) {
    ssize_t n = write(fd, text + done, length - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return (ssize_t)done; /* 0: an error, as errno says */
    done += (size_t)n;
  }
  if (length && !bell) fresh = text[length - 1] == '\n';
  return (ssize_t)length;
}

static int no_seek(void *cookie, off64_t *position, int whence) {
  (void)cookie, (void)position, (void)whence;
  errno = ESPIPE;
  return -1;
}

static FILE *wrapped(int *fd, FILE *was, int mode) {
  if (!isatty(*fd)) return was;
  cookie_io_functions_t io = { .write = pass_on, .seek = no_seek };
  FILE *f = fopencookie(fd, "w", io);
  if (!f) return was;
  fflush(was);
  setvbuf(f, NULL, mode, BUFSIZ);
  return f;
}

void vm_screen_take(void) {
  static int out = STDOUT_FILENO, err = STDERR_FILENO;
  owner = pthread_self();
  terminal = stdout;
  stdout = wrapped(&out, stdout, _IOLBF);
  stderr = wrapped(&err, stderr, _IONBF);
}

FILE *vm__screen(void) {
  return terminal ? terminal : stdout;
}

/* ---- the line and what stands above it ---- */

static bool can_move(void) {
  return rl_get_termcap("up") != NULL;
}

/* Is the prompt replaced by that of a search or the like? */
static bool is_busy(void) {
  return RL_ISSTATE(RL_STATE_ISEARCH | RL_STATE_NSEARCH | RL_STATE_NUMERICARG);
}

static int columns(void) {
  int rows, cols;
  rl_get_screen_size(&rows, &cols);
  return cols > 1 ? cols : 80;
}

/* As much of the text as fits into a row: a sequence of UTF-8 counts as one
** column, a colour as none. */
static size_t fitting(const char *text, int width) {
  size_t i = 0;
  for (int used = 0; text[i] && text[i] != '\n'; i++) {
    if (text[i] == '\033') {
      i += strcspn(text + i, "m\n");
      if (text[i] != 'm') break;
    } else if (((unsigned char)text[i] & 0xC0) != 0x80 && ++used > width) {
      break;
    }
  }
  return i;
}

/* Sets what readline takes for the prompt, with or without the status. */
static void set_prompt(bool with_status) {
  drawn = false;
  if (is_busy()) return;
  if (with_status && status && can_move()) {
    size_t n = fitting(status, columns() - 1), room = n + strlen(prompt) + 16;
    char *both = malloc(room);
    if (both) {
      snprintf(both, room, "%.*s%s\n%s", (int)n, status,
               memchr(status, '\033', n) ? "\033[0m" : "", prompt);
      rl_set_prompt(both);
      free(both);
      drawn = true;
      return;
    }
  }
  rl_set_prompt(prompt);
}

static void show(bool with_status) {
  if (!fresh) putc('\n', vm__screen());
  fresh = true;
  set_prompt(with_status);
  rl_forced_update_display();
  visible = true;
}

void vm_prompt_hide(void) {
  if (!visible) return;
  visible = false;
  if (can_move()) {
    rl_clear_visible_line();
    if (drawn) fputs("\033[1A\r\033[2K", vm__screen());
  } else {
    putc('\n', vm__screen());
  }
  drawn = false;
  fflush(vm__screen());
}

void vm_prompt_show(void) {
  if (editing && !visible) show(true);
}

void vm_prompt_status(const char *text) {
  if (text && !*text) text = NULL;
  if (!text && !status) return;
  if (text && status && !strcmp(text, status)) return;
  free(status);
  status = text ? strdup(text) : NULL;
  if (!visible || is_busy() || !can_move()) return;
  vm_prompt_hide();
  show(true);
}

/* A copy of a prompt in which colours are marked as taking no room. */
static char *marked(const char *text) {
  char *copy = malloc(3 * strlen(text) + 1), *out = copy;
  bool ready = strchr(text, RL_PROMPT_START_IGNORE) != NULL;
  for (const char *p = text; copy && *p;) {
    size_t n = strspn(p, "\033[0123456789;");
    bool color = !ready && p[0] == '\033' && p[1] == '[' && p[n] == 'm';
    if (color) *out++ = RL_PROMPT_START_IGNORE;
    n = color ? n + 1 : 1;
    memcpy(out, p, n);
    out += n;
    p += n;
    if (color) *out++ = RL_PROMPT_END_IGNORE;
  }
  if (copy) *out = '\0';
  return copy;
}

const char *vm__screen_begin(const char *text) {
  fflush(stdout);
  if (!fresh) putc('\n', vm__screen());
  fresh = true;
  free(prompt);
  prompt = marked(text);
  editing = prompt != NULL;
  return prompt ? prompt : "";
}

void vm__screen_shown(void) {
  visible = editing;
  drawn = false;
  if (status && editing && can_move()) {
    vm_prompt_hide();
    show(true);
  }
}

void vm__screen_plain(void) {
  if (!visible || !drawn || is_busy()) return;
  vm_prompt_hide();
  show(false);
}

void vm__screen_end(void) {
  editing = visible = drawn = false;
}
#else
void vm_screen_take(void) {}
void vm_prompt_hide(void) {}
void vm_prompt_show(void) {}
void vm_prompt_status(const char *text) { (void)text; }
#endif

void vm_prompt_message(const char *text) {
  size_t n = strlen(text);
  vm_prompt_hide();
  if (!fresh) putchar('\n');
  fputs(text, stdout);
  if (n == 0 || text[n - 1] != '\n') putchar('\n');
  fflush(stdout);
  vm_prompt_show();
}
