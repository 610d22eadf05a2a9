/* repl_plain.c -- reads lines for the prompt without any editing: where stdin is
** no terminal, and in builds without a line editor. */
#include "vm/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void nothing(void) {}

static void no_setup(lua_State *L) {
  (void)L;
}

static void forget(const char *entry) {
  (void)entry;
}

/* Reads up to a newline or the end; false at the end or when interrupted. */
static bool read_text(char **line) {
  size_t n = 0, size = 0;
  for (int c; (c = getchar()) != '\n';) {
    if (c == EOF && n == 0) return false;
    if (n + 1 >= size) {
      size = size ? 2 * size : 128;
      char *grown = realloc(*line, size);
      if (!grown) return false;
      *line = grown;
    }
    if (c == EOF) break;
    (*line)[n++] = (char)c;
  }
  if (!*line && !(*line = malloc(1))) return false;
  (*line)[n] = '\0';
  return true;
}

static int plain_read(lua_State *L, const char *prompt, char **line) {
  fputs(prompt, stdout);
  fflush(stdout);
  errno = 0;
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  bool waited = !vm_stdin_is_terminal() || vm_wait_input(L, &mask, NULL);
  bool got = waited && read_text(line);
  if (ferror(stdin) && errno == EINTR) clearerr(stdin);
  if (!waited || vm_interrupt_taken()) {
    clearerr(stdin);
    putchar('\n');
    return VM_READ_INTERRUPT;
  }
  if (!got) return VM_READ_END;
  if (!vm_stdin_is_terminal()) puts(*line);  /* as a line editor would echo */
  return VM_READ_LINE;
}

const vm_reader vm_reader_plain = { no_setup, plain_read, forget, nothing };
