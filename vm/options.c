/* options.c -- the command line: what each argument is, and what is wrong. */
#include "vm/vm.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/lua_td.h"

static const struct {
  const char *name;
  int kind;
  bool takes_value;
} long_options[] = {
  { "help", VM_ARG_HELP, false },        { "version", VM_ARG_VERSION, false },
  { "device", VM_ARG_DEVICE, true },     { "threads", VM_ARG_THREADS, true },
  { "seed", VM_ARG_SEED, true },         { "headless", VM_ARG_HEADLESS, false },
  { "color", VM_ARG_COLOR, true },
};
enum { LONG_COUNT = sizeof long_options / sizeof *long_options };

/* Words in the place of a script that call MODULE.main(arguments). */
static const struct { const char *name, *module; } commands[] = {
  { "runs", VM_MODULE ".runs" }, { "nb", VM_MODULE ".notebook.command" },
  { "lab", VM_MODULE ".lab" }, { "kernel", VM_MODULE ".kernel" },
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static const char letters[] = "eilvEW";

static const char usage_text[] =
  "usage: %1$s [options] [script [args]]\n"
  "       %1$s help [name]\n"
  "       %1$s runs [folder|name|pattern ...]   (runs --help says more)\n"
  "       %1$s lab [options]   the method in one window (lab --help says more)\n"
  "       %1$s nb notebook.ipynb ...   runs notebooks (nb --help says more)\n"
  "       %1$s kernel install   puts Springtide into Jupyter (kernel --help says more)\n"
  "Options as in lua:\n"
  "  -e code    run the string 'code'\n"
  "  -i         show the prompt after running 'script'\n"
  "  -l mod     require module 'mod' into global 'mod'\n"
  "  -l g=mod   require module 'mod' into global 'g'\n"
  "  -v         show the version of Lua\n"
  "  -E         ignore environment variables\n"
  "  -W         turn warnings on\n"
  "  --         stop handling options\n"
  "  -          stop handling options and run stdin\n"
  "Options of Springtide:\n"
  "  --device D   where tensors live: cpu, cuda or cuda:N\n"
  "  --threads N  how many threads compute\n"
  "  --seed N     first state of the random numbers\n"
  "  --headless   no windows\n"
  "  --color C    colours: auto (on terminals), always or never\n"
  "  --version    show the version of Springtide and of Lua\n"
  "  --help       show this text\n"
  "Without a script: the prompt on a terminal, else stdin is the script.\n"
  "A file with the name of a command is run with ./help, ./runs\n";

void vm_usage(bool on_stderr) {
  FILE *out = on_stderr ? stderr : stdout;
  fprintf(out, usage_text, vm_progname());
  fflush(out);
}

static void decode_long(char **argv, vm_arg *a) {
  const char *name = argv[0] + 2;
  size_t len = strcspn(name, "=");
  a->kind = VM_ARG_UNKNOWN;
  for (int i = 0; i < LONG_COUNT; i++) {
    if (strlen(long_options[i].name) != len ||
        memcmp(long_options[i].name, name, len) != 0) continue;
    bool takes = long_options[i].takes_value;
    if (name[len] == '=' && !takes) return;
    a->kind = long_options[i].kind;
    if (!takes) return;
    if (name[len] == '=') {
      a->value = name + len + 1;
    } else if (argv[1]) {
      a->value = argv[1];
      a->width = 2;
    }
    if (!a->value || !*a->value) a->kind = VM_ARG_NOVALUE;
    return;
  }
}

void vm_arg_decode(char **argv, vm_arg *a) {
  *a = (vm_arg){ VM_ARG_SCRIPT, NULL, 1 };
  const char *s = argv[0];
  if (!s || s[0] != '-' || s[1] == '\0') return;
  if (s[1] == '-') {
    a->kind = VM_ARG_STOP;
    if (s[2]) decode_long(argv, a);
    return;
  }
  a->kind = strchr(letters, s[1]) ? s[1] : VM_ARG_UNKNOWN;
  if (s[1] != 'e' && s[1] != 'l') {
    if (s[2]) a->kind = VM_ARG_UNKNOWN;
    return;
  }
  if (s[2]) {                       /* the value follows the letter */
    a->value = s + 2;
  } else {
    a->value = argv[1];
    a->width = 2;
    if (!argv[1] || argv[1][0] == '-') a->kind = VM_ARG_NOVALUE;
  }
}

/* ---- unknown options: the nearest one that exists ---- */

/* What a single letter was probably meant as. */
static void nearest_letter(char letter, char *out, size_t size) {
  int lower = tolower((unsigned char)letter);
  for (const char *p = letters; *p; p++)
    if (tolower((unsigned char)*p) == lower) {
      snprintf(out, size, "-%c", *p);
      return;
    }
  for (int i = 0; i < LONG_COUNT; i++)
    if (long_options[i].name[0] == lower) {
      snprintf(out, size, "--%s", long_options[i].name);
      return;
    }
}

static void nearest(const char *bad, char *out, size_t size) {
  const char *names[LONG_COUNT + 1] = { 0 };
  char name[32];
  for (int i = 0; i < LONG_COUNT; i++) names[i] = long_options[i].name;
  bad += strspn(bad, "-");
  snprintf(name, sizeof name, "%.*s", (int)strcspn(bad, "="), bad);
  const char *found = td_lua_nearest(name, names);
  snprintf(out, size, "--%s", found ? found : "help");
  if (strlen(name) == 1) nearest_letter(name[0], out, size);
}

const char *vm_command_like(const char *word) {
  const char *names[COMMAND_COUNT + 2] = { "help" };
  for (int i = 0; i < COMMAND_COUNT; i++) names[i + 1] = commands[i].name;
  return strpbrk(word, "./") ? NULL : td_lua_nearest(word, names);
}

/* ---- the whole line ---- */

static bool complain(const char *option, int kind) {
  if (kind == VM_ARG_NOVALUE) {
    int len = option[1] == '-' ? (int)strcspn(option, "=") : 2;
    fprintf(stderr, "%s: '%.*s' needs argument\n", vm_progname(), len, option);
  } else {
    char meant[32];
    nearest(option, meant, sizeof meant);
    fprintf(stderr, "%s: unrecognized option '%s' (did you mean '%s'?)\n",
            vm_progname(), option, meant);
  }
  vm_usage(true);
  return false;
}

static bool parse_integer(const char *name, const char *text, long long least,
                          long long *value) {
  char *end;
  errno = 0;
  long long v = strtoll(text, &end, 10);
  if (isspace((unsigned char)*text) || end == text || *end || errno ||
      v < least) {
    fprintf(stderr, "%s: --%s needs an integer not below %lld, got '%s'\n",
            vm_progname(), name, least, text);
    return false;
  }
  *value = v;
  return true;
}

static bool check_color(const char *value) {
  static const char *const known[] = { "auto", "always", "never", NULL };
  for (int i = 0; known[i]; i++)
    if (strcmp(known[i], value) == 0) return true;
  fprintf(stderr, "%s: --color is auto, always or never, not '%s'\n",
          vm_progname(), value);
  return false;
}

static bool take(const vm_arg *a, vm_options *o) {
  switch (a->kind) {
  case 'i': o->interactive = true; break;
  case 'v': o->version = true; break;
  case 'e': o->execute = true; break;
  case 'E': o->no_environment = true; break;
  case VM_ARG_DEVICE: o->device = a->value; break;
  case VM_ARG_HEADLESS: o->headless = true; break;
  case VM_ARG_COLOR: o->color = a->value; return check_color(a->value);
  case VM_ARG_VERSION: o->show_version = true; break;
  case VM_ARG_HELP: o->show_usage = true; break;
  case VM_ARG_THREADS:
    o->has_threads = true;
    return parse_integer("threads", a->value, 1, &o->threads);
  case VM_ARG_SEED:
    o->has_seed = true;
    return parse_integer("seed", a->value, 0, &o->seed);
  default: break;                   /* -l and -W act when their turn comes */
  }
  return true;
}

bool vm_options_parse(int argc, char **argv, vm_options *o) {
  *o = (vm_options){ .argc = argc, .argv = argv, .script = argc };
  for (int i = 1; i < argc;) {
    vm_arg a;
    vm_arg_decode(argv + i, &a);
    if (a.kind == VM_ARG_UNKNOWN || a.kind == VM_ARG_NOVALUE)
      return complain(argv[i], a.kind);
    if (a.kind == VM_ARG_SCRIPT) {
      o->script = i;
      o->help = strcmp(argv[i], "help") == 0;
      for (int c = 0; c < COMMAND_COUNT; c++)
        if (strcmp(argv[i], commands[c].name) == 0) o->module = commands[c].module;
      break;
    }
    if (a.kind == VM_ARG_STOP) {
      o->script = i + 1;
      break;
    }
    if (!take(&a, o)) return false;
    i += a.width;
  }
  return true;
}
