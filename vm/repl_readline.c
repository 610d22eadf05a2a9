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
#include <sys/wait.h>
#include <unistd.h>

#include <readline/readline.h>

/* ---- signals while a line is edited ---- */

/* Held back except while waiting, so that none slips in before the wait.  SIGINT
** is not: see repl_wait.c. */
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
  sigdelset(&held, SIGINT);
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
  if (sig != SIGTSTP) vm_jobs_leave();
  rl_deprep_terminal();
  signals_release();
  if (sig != SIGTSTP) signal(sig, SIG_DFL);
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
    cancelled = cancelled || vm_interrupt_taken();
    if (cancelled) return EOF;
    if (ppoll(&p, 1, NULL, &mask_before) < 0 && errno == EINTR) continue;
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
  fputs("^C", rl_outstream);          /* before this puts the cursor in front */
  rl_callback_handler_remove();
  putc('\n', rl_outstream);
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

/* ---- the line in an editor ---- */

/* Runs the editor on a file; false when it failed. */
static bool run_editor(const char *path) {
  static const char words[] = "${VISUAL:-${EDITOR:-vi}} ";
  char command[128];
  snprintf(command, sizeof command, "%s%s", words, path);
  vm_prompt_hide();
  rl_deprep_terminal();
  signals_release();                  /* the editor gets its own */
  int status = system(command);
  signals_catch();
  rl_prep_terminal(1);
  return status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Puts what the file holds in place of the line, without its last newlines. */
static void take_file(FILE *f) {
  rewind(f);
  char *text = NULL;
  size_t size = 0;
  ssize_t n = getdelim(&text, &size, '\0', f);
  if (n < 0) n = 0;
  while (n > 0 && strchr("\r\n", text[n - 1])) n--;
  if (text) text[n] = '\0';
  rl_begin_undo_group();
  rl_delete_text(0, rl_end);
  rl_point = 0;
  if (text) rl_insert_text(text);
  rl_end_undo_group();
  free(text);
}

/* Ctrl-X Ctrl-E: the line in $VISUAL, $EDITOR or vi; it comes back for Enter. */
static int edit_in_editor(int count, int key) {
  char path[] = "/tmp/tide-XXXXXX.lua";
  int fd = mkstemps(path, 4);
  FILE *f = fd < 0 ? NULL : fdopen(fd, "w+");
  (void)count, (void)key;
  if (!f) {
    if (fd >= 0) close(fd);
    return rl_ding();
  }
  fprintf(f, "%s\n", rl_line_buffer);
  fflush(f);
  if (run_editor(path) && (f = freopen(path, "r", f))) take_file(f);
  if (f) fclose(f);
  unlink(path);
  vm_prompt_show();
  return 0;
}

/* ---- arrows ---- */

static int up(int count, int key);
static int down(int count, int key);

static int line_start(int at) {
  while (at > 0 && rl_line_buffer[at - 1] != '\n') at--;
  return at;
}

static int line_end(int at) {
  while (at < rl_end && rl_line_buffer[at] != '\n') at++;
  return at;
}

/* Goes to the row of the entry above (-1) or below (1); false where there is
** none, or while the history is being walked through. */
static bool change_row(int direction) {
  int start = line_start(rl_point), end = line_end(rl_point);
  if (rl_last_func == up || rl_last_func == down) return false;
  if (direction < 0 ? start == 0 : end == rl_end) return false;
  int to = direction < 0 ? line_start(start - 1) : end + 1;
  int at = to + (rl_point - start), most = line_end(to);
  rl_point = at < most ? at : most;
  while (rl_point > to && ((unsigned char)rl_line_buffer[rl_point] & 0xC0) == 0x80)
    rl_point--;
  return true;
}

/* Up and down: rows of an entry of several; else what was entered before and
** begins like the line up to the cursor. */
static int up(int count, int key) {
  if (change_row(-1)) return 0;
  if (rl_last_func == up || rl_last_func == down)
    rl_last_func = rl_history_search_backward;    /* the search goes on */
  int result = rl_history_search_backward(count, key);
  rl_point = rl_end;
  return result;
}

static int down(int count, int key) {
  if (change_row(1)) return 0;
  if (rl_last_func == up || rl_last_func == down)
    rl_last_func = rl_history_search_forward;
  int result = rl_history_search_forward(count, key);
  rl_point = rl_end;
  return result;
}

/* ---- settings ---- */

/* Before the user's inputrc, which has the last word. */
static void bind_keys(void) {
  Keymap maps[] = { emacs_standard_keymap, vi_insertion_keymap,
                    vi_movement_keymap };
  for (int i = 0; i < 3; i++) {
    rl_bind_keyseq_in_map("\033[A", up, maps[i]);
    rl_bind_keyseq_in_map("\033OA", up, maps[i]);
    rl_bind_keyseq_in_map("\033[B", down, maps[i]);
    rl_bind_keyseq_in_map("\033OB", down, maps[i]);
    rl_bind_keyseq_in_map("\030\005", edit_in_editor, maps[i]);
  }
  rl_add_defun("edit-in-editor", edit_in_editor, -1);
  rl_add_defun("tide-up", up, -1);
  rl_add_defun("tide-down", down, -1);
}

static void editor_open(lua_State *L) {
  setlocale(LC_CTYPE, "");            /* bytes of one character go together */
  rl_readline_name = "tide";          /* for $if in .inputrc */
  rl_instream = stdin;
  rl_outstream = vm__screen();
  rl_getc_function = read_byte;
  rl_catch_signals = 0;
  rl_catch_sigwinch = 0;
  rl_change_environment = 0;
  bind_keys();
  vm__complete_open(L);
  vm__history_open();
}

static void editor_close(void) {}

const vm_reader vm_reader_readline = {
  editor_open, edit_line, vm__history_add, editor_close
};
#else
typedef int vm_no_readline;           /* a file must not be empty */
#endif
