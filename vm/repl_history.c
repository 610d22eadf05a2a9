/* repl_history.c -- what was entered: one file, shared by all sessions.
**
** An entry is a line "#SECONDS" and the lines of the entry, appended in one write
** as soon as it is entered; other sessions see it when they start.  Lines before
** the first mark are entries of one line each. */
#ifndef TD_HEADLESS
#include "vm/repl_editor.h"
#include "vm/vm.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <readline/history.h>

enum {
  KEPT = 5000,                        /* entries in memory and in the file */
  SLACK = 1000,                       /* more before the file is rewritten */
  MOST_BYTES = 8 << 20                /* that are looked at */
};

static char file[4096];               /* "" when there is nowhere to keep it */
static bool complained;

static void complain(int error) {
  char text[4300];
  if (complained) return;
  complained = true;
  snprintf(text, sizeof text, "history is not kept: cannot write %s: %s", file,
           strerror(error));
  vm_prompt_message(text);
}

/* ---- where it is ---- */

/* Makes every folder above the file; only the user may look into new ones. */
static bool make_folders(char *path) {
  for (char *p = path + 1; (p = strchr(p, '/')); p++) {
    *p = '\0';
    bool made = mkdir(path, 0700) == 0 || errno == EEXIST || errno == EROFS;
    *p = '/';
    if (!made) return false;
  }
  return true;
}

/* TIDE_HISTORY names the file, or switches it off when it is empty. */
static void locate(void) {
  const char *own = getenv("TIDE_HISTORY"), *home = getenv("HOME");
  const char *state = getenv("XDG_STATE_HOME");
  size_t size = sizeof file;
  int n = 0;
  if (own)
    n = snprintf(file, size, "%s", own);
  else if (state && state[0] == '/')
    n = snprintf(file, size, "%s/tide/history", state);
  else if (home && home[0] == '/')
    n = snprintf(file, size, "%s/.local/state/tide/history", home);
  if (n <= 0 || (size_t)n >= size) file[0] = '\0';
}

/* ---- writing ---- */

/* Opens the file for appending and locks it; between the two, another session
** may have put a new one in its place. */
static int open_locked(void) {
  for (;;) {
    struct stat ours, there;
    int fd = open(file, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return -1;
    if (flock(fd, LOCK_EX) || fstat(fd, &ours) || stat(file, &there) ||
        ours.st_ino == there.st_ino)
      return fd;
    close(fd);
  }
}

static bool write_all(int fd, const char *text, size_t length) {
  errno = ENOSPC;                     /* what a short write means */
  return write(fd, text, length) == (ssize_t)length;
}

static void append(const char *entry) {
  size_t size = strlen(entry) + 32;
  char *text = malloc(size);
  if (!text) return;
  int n = snprintf(text, size, "#%lld\n%s\n", (long long)time(NULL), entry);
  int fd = open_locked();
  if (fd < 0 || !write_all(fd, text, (size_t)n)) complain(errno);
  if (fd >= 0) close(fd);
  free(text);
}

/* Writes the entries in memory to a new file in place of the old one. */
static void rewrite(void) {
  char part[sizeof file + 8];
  snprintf(part, sizeof part, "%s.part", file);
  FILE *f = fopen(part, "w");
  if (!f) return;
  fchmod(fileno(f), 0600);
  for (int i = 0; i < history_length; i++)
    fprintf(f, "#1\n%s\n", history_get(history_base + i)->line);
  bool good = !ferror(f);
  if (fclose(f) || !good || rename(part, file)) unlink(part);
}

/* ---- reading ---- */

static bool is_mark(const char *line) {
  if (line[0] != '#' || !isdigit((unsigned char)line[1])) return false;
  return line[1 + strspn(line + 1, "0123456789")] == '\0';
}

/* Control characters do not come from a keyboard: such an entry is damaged. */
static bool is_text(const char *s) {
  for (; *s; s++)
    if (iscntrl((unsigned char)*s) && *s != '\n' && *s != '\t') return false;
  return true;
}

static void take(const char *entry) {
  HIST_ENTRY *last = history_get(history_base + history_length - 1);
  if (!*entry || !is_text(entry) || (last && !strcmp(last->line, entry))) return;
  add_history(entry);
}

/* Takes every entry of the text, which it changes; returns how many. */
static int take_entries(char *text) {
  int count = 0;
  bool marked = false;                /* an entry is being put together ... */
  char *entry = NULL, *end = NULL;    /* ... from here to there */
  for (char *line = text, *next; line && *line; line = next) {
    next = strchr(line, '\n');
    if (next) *next++ = '\0';
    if (is_mark(line)) {
      if (entry) take(entry);
      count++;
      marked = true;
      entry = NULL;
    } else if (!marked) {
      take(line);
      count++;
    } else if (!entry) {
      entry = line;
      end = line + strlen(line);
    } else {
      *end = '\n';                    /* was the end of the line before */
      end += 1 + strlen(line);
    }
  }
  if (entry) take(entry);
  return count;
}

/* The last part of the file as a string to free(), or NULL. */
static char *last_part(int fd, bool *all) {
  struct stat s;
  if (fstat(fd, &s) || !S_ISREG(s.st_mode)) return NULL;
  *all = s.st_size <= MOST_BYTES;
  size_t size = *all ? (size_t)s.st_size : MOST_BYTES, got = 0;
  char *text = malloc(size + 1);
  if (!text) return NULL;
  lseek(fd, *all ? 0 : s.st_size - (off_t)size, SEEK_SET);
  for (ssize_t n; got < size; got += (size_t)n)
    if ((n = read(fd, text + got, size - got)) <= 0) break;
  text[got] = '\0';
  for (size_t i = 0; i < got; i++)
    if (!text[i]) text[i] = '\1';     /* a zero is damage too */
  return text;
}

void vm__history_open(void) {
  using_history();
  stifle_history(KEPT);
  locate();
  if (!file[0]) return;
  bool all = true;
  int fd = make_folders(file) ? open_locked() : -1;
  if (fd < 0) {
    complain(errno);
    file[0] = '\0';
    return;
  }
  char *text = last_part(fd, &all);
  if (text && (take_entries(text) > KEPT + SLACK || !all)) rewrite();
  free(text);
  close(fd);
}

void vm__history_add(const char *entry) {
  HIST_ENTRY *last = history_get(history_base + history_length - 1);
  if (!*entry || strchr(" \t", *entry)) return;
  if (last && !strcmp(last->line, entry)) return;
  add_history(entry);
  if (file[0]) append(entry);
}
#else
typedef int vm_no_history;            /* a file must not be empty */
#endif
