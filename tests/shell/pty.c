/* pty.c -- plays the person at a terminal: runs conversations with a program.
**
**   pty FILE...    each conversation in the files is one TAP case
**
** A conversation is a `case` line and what follows it, one step a line:
**   case NAME       begins one
**   start COMMAND   runs it by sh in a fresh terminal of 200 columns
**   send TEXT       types; \r \n \t \e \\ and \xHH as in C, ^C for Ctrl-C
**   repeat N TEXT   types it N times
**   paste TEXT      the same as a terminal does it that marks pasted text
**   expect TEXT     waits until TEXT is shown, after what was expected before
**   never TEXT      TEXT is not among what was shown since `start`
**   size ROWS COLS  the terminal gets another size
**   wait MS         milliseconds
**   signal NUMBER   sends a signal to the program
**   end STATUS      waits until the program ends with that status (128 + signal)
**   leave           waits for a quiet prompt, types Ctrl-D, ends with status 0
**   keys N          types N keys one by one at an empty prompt, clears the line
**                   and prints after how many ms they were shown
**   since           prints how many ms ago the program was started
**   load MS         prints how much processor time the program takes in MS
** Lines that are blank or begin with # do not count.  A text that ends in "\" is
** kept with the blanks before that. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, SCREEN = 1 << 22 };

static char screen[SCREEN];           /* all that was shown since start */
static size_t shown, matched;         /* its length; the end of the last match */
static int terminal = -1;
static pid_t child;
static int cases, failures;

static char reason[1024];             /* why the running case failed, or "" */

static void fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(reason, sizeof reason, format, args);
  va_end(args);
}

static long long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* ---- the program in its terminal ---- */

static long long started;             /* ms */

static void start(const char *command) {
  shown = matched = 0;
  started = now_ms();
  terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) || unlockpt(terminal)) {
    fail("no terminal: %s", strerror(errno));
    return;
  }
  struct winsize size = { .ws_row = 50, .ws_col = 200 };
  char name[128];
  snprintf(name, sizeof name, "%s", ptsname(terminal));
  fcntl(terminal, F_SETFL, O_NONBLOCK);
  child = fork();
  if (child) return;
  setsid();
  int fd = open(name, O_RDWR);
  ioctl(fd, TIOCSCTTY, 0);
  ioctl(fd, TIOCSWINSZ, &size);
  dup2(fd, 0);
  dup2(fd, 1);
  dup2(fd, 2);
  if (fd > 2) close(fd);
  close(terminal);
  char line[4096];
  snprintf(line, sizeof line, "exec %s", command);
  execl("/bin/sh", "sh", "-c", line, (char *)NULL);
  _exit(127);
}

/* Takes in what is shown within `ms`; false when the terminal is closed. */
static bool look(int ms) {
  struct pollfd p = { .fd = terminal, .events = POLLIN };
  if (poll(&p, 1, ms) <= 0) return true;
  if (shown + 4096 >= SCREEN) {       /* the middle of a flood is of no use */
    size_t kept = SCREEN / 4;
    memmove(screen, screen + shown - kept, kept);
    matched = matched > shown - kept ? matched - (shown - kept) : 0;
    shown = kept;
  }
  ssize_t n = read(terminal, screen + shown, 4096);
  if (n < 0 && errno == EAGAIN) return true;
  if (n <= 0) return false;
  shown += (size_t)n;
  return true;
}

/* Types without ever waiting for a program that itself waits to be read. */
static void type(const char *text, size_t length) {
  long long until = now_ms() + PATIENCE_MS;
  while (length > 0) {
    struct pollfd p = { .fd = terminal, .events = POLLIN | POLLOUT };
    poll(&p, 1, 50);
    if (p.revents & POLLIN) look(0);
    ssize_t n = write(terminal, text, length);
    if (n < 0 && (errno != EAGAIN || now_ms() > until)) {
      fail("cannot type: %s", strerror(errno));
      return;
    }
    if (n <= 0) continue;
    until = now_ms() + PATIENCE_MS;
    text += n;
    length -= (size_t)n;
  }
  look(0);
}

static void expect(const char *text, size_t length) {
  long long until = now_ms() + PATIENCE_MS;
  for (bool open = true;;) {
    char *at = memmem(screen + matched, shown - matched, text, length);
    if (at) {
      matched = (size_t)(at - screen) + length;
      return;
    }
    if (!open || now_ms() > until) break;
    open = look(50);
  }
  fail("\"%s\" was not shown", text);
}

static void await_end(int wanted) {
  long long until = now_ms() + PATIENCE_MS;
  int status;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (now_ms() > until) {
      fail("did not end");
      return;
    }
    look(20);
  }
  while (look(0) && poll(&(struct pollfd){ terminal, POLLIN, 0 }, 1, 0) > 0) {}
  child = 0;
  int got = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  if (got != wanted) fail("ended with status %d, not %d", got, wanted);
}

static void stop(void) {
  if (child > 0) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    child = 0;
  }
  if (terminal >= 0) close(terminal);
  terminal = -1;
}

/* ---- conversations ---- */

/* Replaces escapes in place; returns the new length. */
static size_t unescape(char *s) {
  char *out = s;
  for (const char *p = s; *p; p++) {
    if (*p == '^' && p[1] >= '@' && p[1] <= '_') {
      *out++ = (char)(*++p - '@');
    } else if (*p != '\\' || !p[1]) {
      if (*p != '\\') *out++ = *p;
    } else {
      switch (*++p) {
      case 'r': *out++ = '\r'; break;
      case 'n': *out++ = '\n'; break;
      case 't': *out++ = '\t'; break;
      case 'e': *out++ = '\033'; break;
      case 'x': {
        char hex[3] = { p[1], p[1] ? p[2] : '\0', '\0' };
        *out++ = (char)strtol(hex, NULL, 16);
        p += strlen(hex);
        break;
      }
      default: *out++ = *p;
      }
    }
  }
  *out = '\0';
  return (size_t)(out - s);
}

static void report(const char *name) {
  if (!*name) return;
  cases++;
  if (!*reason) {
    printf("ok %d - %s\n", cases, name);
  } else {
    failures++;
    printf("not ok %d - %s\n# %s\n# shown:\n", cases, name, reason);
    size_t from = shown > 3000 ? shown - 3000 : 0;
    for (size_t i = from; i < shown; i++) {
      unsigned char c = (unsigned char)screen[i];
      if (i == from || (i > 0 && screen[i - 1] == '\n')) fputs("#   ", stdout);
      if (c == '\n' || (c >= ' ' && c < 127)) putchar(c);
      else if (c != '\r') printf("\\x%02x", c);
    }
    putchar('\n');
  }
  fflush(stdout);
  stop();
}

/* The prompt is the last thing shown, and nothing more comes. */
static void await_prompt(void) {
  long long until = now_ms() + PATIENCE_MS, quiet = now_ms();
  for (size_t before = shown; now_ms() < until; before = shown) {
    if (!look(20)) break;
    if (shown != before) quiet = now_ms();
    size_t n = shown;                 /* a coloured prompt clears to the right */
    if (n >= 3 && !memcmp(screen + n - 3, "\033[K", 3)) n -= 3;
    bool prompt = n >= matched && n >= 2 && !memcmp(screen + n - 2, "> ", 2);
    if (prompt && now_ms() - quiet > 100) return;
  }
  fail("there was no quiet prompt");
}

/* ---- measuring ---- */

static double clock_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void time_keys(int count) {
  enum { MOST = 2000 };
  static double ms[MOST];
  if (count > MOST) count = MOST;
  for (int i = 0; i < count && !*reason; i++) {
    char key = (char)('a' + i % 26);
    usleep(20000);
    look(0);
    size_t from = shown;
    double start = clock_ms();
    type(&key, 1);
    while (!memchr(screen + from, key, shown - from) && clock_ms() - start < 5e3)
      look(1);
    ms[i] = clock_ms() - start;
    if (i % 50 == 49) type("\025", 1);
  }
  type("\025", 1);
  qsort(ms, (size_t)count, sizeof *ms, by_size);
  printf("# a key is shown after %.2f ms (median), %.2f (95 %%), %.2f (most)\n",
         ms[count / 2], ms[count * 95 / 100], ms[count - 1]);
}

/* Seconds of processor time of the program so far. */
static double used_seconds(void) {
  char path[64], text[1024];
  unsigned long user = 0, system = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
  FILE *f = fopen(path, "r");
  size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
  if (f) fclose(f);
  text[n] = '\0';
  char *p = strrchr(text, ')');
  if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                   &user, &system) != 2)
    fail("cannot read %s", path);
  return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void watch_load(int ms) {
  double before = used_seconds();
  for (long long until = now_ms() + ms; now_ms() < until;) look(50);
  double used = used_seconds() - before;
  printf("# %.1f %% of a processor while nothing happens\n", 1e5 * used / ms);
}

/* ---- steps ---- */

static void resize(const char *text) {
  struct winsize size = { 0 };
  if (sscanf(text, "%hu %hu", &size.ws_row, &size.ws_col) != 2 ||
      ioctl(terminal, TIOCSWINSZ, &size))
    fail("cannot set the size to '%s'", text);
}

static void repeat(const char *text, size_t n) {
  char *end;
  long count = strtol(text, &end, 10);
  if (*end == ' ') end++;
  n -= (size_t)(end - text);
  while (count-- > 0 && !*reason) type(end, n);
}

static void step(const char *verb, char *text) {
  if (!strcmp(verb, "start")) {
    start(text);
    return;
  }
  size_t n = unescape(text);
  if (terminal < 0) {
    fail("nothing was started");
  } else if (!strcmp(verb, "send")) {
    type(text, n);
  } else if (!strcmp(verb, "paste")) {
    type("\033[200~", 6);
    type(text, n);
    type("\033[201~", 6);
  } else if (!strcmp(verb, "expect")) {
    expect(text, n);
  } else if (!strcmp(verb, "never")) {
    if (memmem(screen, shown, text, n)) fail("\"%s\" was shown", text);
  } else if (!strcmp(verb, "wait")) {
    for (long long until = now_ms() + atoi(text); now_ms() < until;)
      if (!look(5)) usleep(5000);
  } else if (!strcmp(verb, "signal")) {
    kill(child, atoi(text));
  } else if (!strcmp(verb, "end")) {
    await_end(atoi(text));
  } else if (!strcmp(verb, "repeat")) {
    repeat(text, n);
  } else if (!strcmp(verb, "size")) {
    resize(text);
  } else if (!strcmp(verb, "keys")) {
    time_keys(atoi(text));
  } else if (!strcmp(verb, "since")) {
    printf("# %lld ms since the start\n", now_ms() - started);
  } else if (!strcmp(verb, "load")) {
    watch_load(atoi(text));
  } else if (!strcmp(verb, "leave")) {
    await_prompt();                   /* typed earlier, Ctrl-D would be lost */
    if (!*reason) type("\004", 1);
    if (!*reason) await_end(0);
  } else {
    fail("unknown step '%s'", verb);
  }
}

static void run_file(const char *path) {
  static char line[65536];
  char name[256] = "";
  FILE *f = fopen(path, "r");
  if (!f) {
    fprintf(stderr, "pty: cannot read %s\n", path);
    exit(2);
  }
  for (int number = 1; fgets(line, sizeof line, f); number++) {
    line[strcspn(line, "\n")] = '\0';
    char *verb = line + strspn(line, " ");
    if (!*verb || *verb == '#') continue;
    char *text = strchr(verb, ' ');
    if (text) *text++ = '\0';
    else text = verb + strlen(verb);
    if (!strcmp(verb, "case")) {
      report(name);
      snprintf(name, sizeof name, "%s", text);
      reason[0] = '\0';
    } else if (!*reason) {
      step(verb, text);
      if (*reason) {
        size_t n = strlen(reason);
        snprintf(reason + n, sizeof reason - n, " (%s:%d)", path, number);
      }
    }
  }
  report(name);
  fclose(f);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) run_file(argv[i]);
  printf("1..%d\n", cases);
  return failures > 0;
}
