/* typing.c -- how soon a typed key is echoed, alone and while jobs compute.
**
** Plays a person at human pace in a terminal of its own.  On a machine that does
** other work most of the time goes by waiting for a processor. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 3, KEYS = 45 };      /* keys fit into one row */

static const struct { const char *what, *entry; } scenes[] = {
  { "no job", "" },
  { "training, 2 threads",
    "tide.set_threads(2) v = flow.VelocityMLP {dim = 2, hidden = 64, blocks = 2}\r"
    "j = tide.spawn(function() flow.train(v, flow.targets.moons(), "
    "{steps = 1000000}) end)\r" },
  { "loops without safe points",
    "for i = 1, 2 do tide.spawn(function() while true do end end) end\r" },
};

static int terminal;
static pid_t child;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void start(const char *program) {
  terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) || unlockpt(terminal)) exit(1);
  struct winsize size = { .ws_row = 50, .ws_col = 200 };
  char name[128];
  snprintf(name, sizeof name, "%s", ptsname(terminal));
  child = fork();
  if (child) return;
  setsid();
  int fd = open(name, O_RDWR);
  ioctl(fd, TIOCSCTTY, 0);
  ioctl(fd, TIOCSWINSZ, &size);
  for (int i = 0; i < 3; i++) dup2(fd, i);
  setenv("TERM", "xterm", 1);
  setenv("XDG_STATE_HOME", "/dev/null", 1);
  execl(program, program, (char *)NULL);
  _exit(127);
}

/* Reads for `ms`, or until the key is shown (0: any text). */
static void look(double ms, char key) {
  char text[4096];
  for (double end = now_ms() + ms, left; (left = end - now_ms()) > 0;) {
    struct pollfd p = { .fd = terminal, .events = POLLIN };
    if (poll(&p, 1, (int)left + 1) <= 0) continue;
    ssize_t n = read(terminal, text, sizeof text);
    if (n <= 0 || (key && memchr(text, key, (size_t)n))) return;
  }
}

static void type(const char *text) {
  if (write(terminal, text, strlen(text)) < 0) exit(1);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void report(const char *what, double *ms, int n) {
  qsort(ms, (size_t)n, sizeof *ms, ascending);
  printf("%-28s median %6.1f   95 %% %6.1f   99 %% %6.1f   most %6.1f ms\n", what,
         ms[n / 2], ms[n * 95 / 100], ms[n * 99 / 100], ms[n - 1]);
}

int main(int argc, char **argv) {
  static double ms[ROUNDS * KEYS];
  char program[4096], self[4096];
  (void)argc;
  snprintf(self, sizeof self, "%s", argv[0]);
  snprintf(program, sizeof program, "%s/../../tide", dirname(self));
  for (size_t s = 0; s < sizeof scenes / sizeof *scenes; s++) {
    int n = 0;
    start(program);
    look(1000, 0);
    type(scenes[s].entry);
    look(1500, 0);
    for (int k = 0; k < ROUNDS; k++) {
      for (int i = 0; i < KEYS; i++, n++) {
        look(60 + 7 * (n * 37 % 20), 0);
        double from = now_ms();
        type("@");                    /* is not among what else is shown */
        look(2000, '@');
        ms[n] = now_ms() - from;
      }
      type("\025");
    }
    report(scenes[s].what, ms, n);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(terminal);
  }
  return 0;
}
