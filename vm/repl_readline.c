/* repl_readline.c -- reads lines for the prompt with GNU Readline, which is fed
** byte by byte, so that the wait for a key can serve other things too. */
#ifndef TD_HEADLESS
#define _GNU_SOURCE                   /* ppoll */
#include "vm/repl_editor.h"
#include "vm/vm.h"

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

enum { HISTORY_KEPT = 5000 };         /* lines in the file and in memory */

/* ---- history: one file, appended at each entry ---- */

static char history_file[4096];       /* "" when there is nowhere to keep it */

/* Makes every folder above the file; only the user may look into new ones. */
static bool make_folders(char *path) {
  for (char *p = path + 1; (p = strchr(p, '/')); p++) {
    *p = '\0';
    bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
    *p = '/';
    if (!made) return false;
  }
  return true;
}

static void history_locate(void) {
  const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
  size_t size = sizeof history_file;
  int n = 0;
  if (state && state[0] == '/')
    n = snprintf(history_file, size, "%s/tide/history", state);
  else if (home && home[0] == '/')
    n = snprintf(history_file, size, "%s/.local/state/tide/history", home);
  if (n <= 0 || (size_t)n >= size || !make_folders(history_file))
    history_file[0] = '\0';
}

static void history_open(void) {
  using_history();
  stifle_history(HISTORY_KEPT);
  history_comment_char = '#';         /* marks the time line above an entry, */
  history_write_timestamps = 1;       /* by which entries may span lines */
  history_locate();
  if (!history_file[0]) return;
  FILE *f = fopen(history_file, "a");
  if (!f) {
    history_file[0] = '\0';
    return;
  }
  fchmod(fileno(f), 0600);
  fclose(f);
  history_truncate_file(history_file, HISTORY_KEPT);
  read_history(history_file);
}

static void remember(const char *entry) {
  HIST_ENTRY *last = history_get(history_base + history_length - 1);
  if (last && strcmp(last->line, entry) == 0) return;
  add_history(entry);
  if (history_file[0]) append_history(1, history_file);
}

/* ---- signals while a line is edited ---- */

/* Held back except while waiting, so that none slips in before the wait. */
static const int edit_signals[] = { SIGINT, SIGWINCH, SIGTSTP, SIGCONT,
                                    SIGTERM, SIGHUP };
enum { SIGNALS = sizeof edit_signals / sizeof *edit_signals };

static volatile sig_atomic_t seen[NSIG];
static struct sigaction before[SIGNALS];
static sigset_t mask_before;

static void note_signal(int sig) {
  int kept = errno;
  if (!vm_signal_forward(sig)) seen[sig] = 1;
  errno = kept;
}

static void signals_catch(void) {
  struct sigaction sa = { .sa_handler = note_signal };
  sigset_t held;
  sigemptyset(&sa.sa_mask);
  sigemptyset(&held);
  for (int i = 0; i < SIGNALS; i++) sigaddset(&held, edit_signals[i]);
  pthread_sigmask(SIG_BLOCK, &held, &mask_before);
  for (int i = 0; i < SIGNALS; i++) {
    int sig = edit_signals[i];
    seen[sig] = 0;
    sigaction(sig, NULL, &before[i]);
    if (sig != SIGINT && before[i].sa_handler != SIG_IGN)
      sigaction(sig, &sa, NULL);
  }
}

static void signals_release(void) {
  for (int i = 0; i < SIGNALS; i++)
    sigaction(edit_signals[i], &before[i], NULL);
  pthread_sigmask(SIG_SETMASK, &mask_before, NULL);
}

static bool take_signal(int sig) {
  bool was = seen[sig];
  seen[sig] = 0;
  return was;
}

/* Lets the default action of a signal happen with the terminal as it was. */
static void act_by_default(int sig) {
  rl_deprep_terminal();
  signals_release();
  raise(sig);
  signals_catch();                    /* only a stop comes back */
  seen[SIGCONT] = 1;
}

static void serve_signals(void) {
  if (take_signal(SIGTERM)) act_by_default(SIGTERM);
  if (take_signal(SIGHUP)) act_by_default(SIGHUP);
  if (take_signal(SIGTSTP)) act_by_default(SIGTSTP);
  if (take_signal(SIGWINCH)) rl_resize_terminal();
  if (take_signal(SIGCONT)) {
    rl_prep_terminal(1);
    rl_forced_update_display();
  }
}

/* ---- one line ---- */

static char *entered;                 /* what the editor handed over */
static bool finished;
static bool cancelled;                /* Ctrl-C in the middle of a sequence */

static void on_line(char *line) {
  entered = line;
  finished = true;
  vm__screen_end();
  rl_callback_handler_remove();       /* at once: the terminal is as before */
}

/* Called before each wait. */
static void before_wait(void) {
  serve_signals();
  vm_prompt_show();
}

/* The bytes between the marks of a paste: those that end lines there are one
** newline each, whatever the terminal makes of CR LF. */
static int filter(int c) {
  static const char begin[] = "\033[200~", end[] = "\033[201~";
  static size_t at;                   /* how much of the next mark was seen */
  static bool pasting, carriage;
  const char *mark = pasting ? end : begin;
  at = c == mark[at] ? at + 1 : c == mark[0];
  if (!mark[at]) {
    pasting = !pasting;
    at = 0;
  }
  bool second = pasting && carriage && c == '\n';
  carriage = pasting && c == '\r';
  if (!pasting && (c == '\r' || c == '\n')) vm__screen_plain();
  return second ? -1 : c;
}

/* Readline reads through this.  A key is there when it is first called; within
** a sequence it waits, and Ctrl-C ends the wait. */
static int read_byte(FILE *in) {
  for (;;) {
    unsigned char c;
    struct pollfd p = { .fd = fileno(in), .events = POLLIN };
    if (ppoll(&p, 1, NULL, &mask_before) < 0 && errno == EINTR) {
      cancelled = cancelled || vm_interrupt_taken();
      if (cancelled) return EOF;
      continue;
    }
    ssize_t n = read(p.fd, &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return EOF;
    int key = filter(c);
    if (key >= 0) return key;
  }
}

static void abandon_line(void) {
  vm__screen_plain();
  vm__screen_end();
  rl_callback_sigcleanup();
  rl_free_line_state();
  rl_callback_handler_remove();
  fputs("^C\n", rl_outstream);
  fflush(rl_outstream);
}

static int edit_line(lua_State *L, const char *prompt, char **line) {
  clearerr(stdin);
  entered = NULL;
  finished = cancelled = false;
  signals_catch();
  rl_callback_handler_install(vm__screen_begin(prompt), on_line);
  vm__screen_shown();
  while (!finished && !cancelled) {
    if (vm_wait_input(L, &mask_before, before_wait))
      rl_callback_read_char();
    else
      cancelled = true;
  }
  if (cancelled && !finished) abandon_line();
  signals_release();
  if (cancelled) {
    free(entered);
    return VM_READ_INTERRUPT;
  }
  *line = entered;
  return entered ? VM_READ_LINE : VM_READ_END;
}

static void editor_open(void) {
  setlocale(LC_CTYPE, "");            /* bytes of one character go together */
  rl_readline_name = "tide";          /* for $if in .inputrc */
  rl_instream = stdin;
  rl_outstream = vm__screen();
  rl_getc_function = read_byte;
  rl_catch_signals = 0;
  rl_catch_sigwinch = 0;
  rl_change_environment = 0;
  history_open();
}

static void editor_close(void) {}

const vm_reader vm_reader_readline = {
  editor_open, edit_line, remember, editor_close
};
#else
typedef int vm_no_readline;           /* a file must not be empty */
#endif
