/* repl_readline.c -- reads lines for the prompt with GNU Readline, which is fed
** byte by byte, so that the wait for a key can serve other things too. */
#ifndef TD_HEADLESS
#define _GNU_SOURCE                   /* ppoll */
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

static void on_line(char *line) {
  entered = line;
  finished = true;
  rl_callback_handler_remove();       /* at once: the terminal is as before */
}

/* Waits for a key; false after Ctrl-C. */
static bool wait_key(void) {
  for (;;) {
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    int n = ppoll(&input, 1, NULL, &mask_before);
    if (vm_interrupt_taken()) return false;
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return true;   /* the read will tell */
    serve_signals();
  }
}

static void abandon_line(void) {
  rl_callback_sigcleanup();
  rl_free_line_state();
  rl_callback_handler_remove();
  fputs("^C\n", rl_outstream);
  fflush(rl_outstream);
}

static int edit_line(const char *prompt, char **line) {
  clearerr(stdin);
  fflush(stdout);
  entered = NULL;
  finished = false;
  signals_catch();
  rl_callback_handler_install(prompt, on_line);
  bool interrupted = false;
  while (!finished && !interrupted) {
    if (wait_key())
      rl_callback_read_char();
    else
      interrupted = true;
  }
  if (interrupted) abandon_line();
  signals_release();
  if (interrupted) return VM_READ_INTERRUPT;
  *line = entered;
  return entered ? VM_READ_LINE : VM_READ_END;
}

static void editor_open(void) {
  setlocale(LC_CTYPE, "");            /* bytes of one character go together */
  rl_readline_name = "tide";          /* for $if in .inputrc */
  rl_instream = stdin;
  rl_outstream = stdout;
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
