/* vm.h -- what the parts of the program share.
**
** main.c      starts Lua and runs what the command line asks for
** options.c   says what each argument of the command line is
** script.c    runs chunks the way the stand-alone interpreter does
** interrupt.c turns Ctrl-C into a Lua error wherever Lua is
** repl.c      the prompt; repl_readline.c and repl_plain.c read its lines
**
** All of it runs on one thread, the Lua thread, which need not be the thread
** that entered main(). */
#ifndef VM_VM_H
#define VM_VM_H
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#define VM_MODULE "tide"
int luaopen_tide(lua_State *L);       /* module "tide", from the binding */
void td_lua_preload(lua_State *L);    /* lets require find its parts */

/* ---- main.c ---- */
int vm_lua_main(int argc, char **argv);   /* the whole program; exit status */

/* ---- options.c ---- */
enum {                                /* kinds beside lua's own letters */
  VM_ARG_SCRIPT = 0,                  /* not an option: script, "-" or the end */
  VM_ARG_STOP = '-',                  /* "--" */
  VM_ARG_UNKNOWN = '?',
  VM_ARG_NOVALUE = '!',
  VM_ARG_DEVICE = 256,
  VM_ARG_THREADS,
  VM_ARG_SEED,
  VM_ARG_HEADLESS,
  VM_ARG_VERSION,
  VM_ARG_HELP
};

typedef struct vm_arg {               /* one option of the command line */
  int kind;
  const char *value;                  /* NULL where the option takes none */
  int width;                          /* how many entries of argv it fills */
} vm_arg;

typedef struct vm_options {
  int argc;
  char **argv;
  int script;                         /* index of the script, argc if none */
  bool interactive;                   /* -i */
  bool version;                       /* -v */
  bool execute;                       /* has an -e */
  bool no_environment;                /* -E */
  bool headless;
  bool show_version;                  /* --version */
  bool show_usage;                    /* --help */
  bool help;                          /* the command "help" */
  const char *device;                 /* NULL: not given */
  bool has_threads;
  bool has_seed;
  long long threads;
  long long seed;
} vm_options;

void vm_arg_decode(char **argv, vm_arg *a);
/* Fills *o, or says on stderr what is wrong and returns false. */
bool vm_options_parse(int argc, char **argv, vm_options *o);
void vm_usage(bool on_stderr);

/* ---- script.c: each returns a Lua status; errors are already reported ---- */
void vm_progname_set(const char *name);   /* NULL: messages without a name */
const char *vm_progname(void);
void vm_message(const char *text);
int vm_report(lua_State *L, int status);  /* prints and pops an error */
/* Like lua_pcall, with a traceback in the error message and Ctrl-C armed. */
int vm_call(lua_State *L, int nargs, int nresults);
int vm_do_string(lua_State *L, const char *code, const char *chunkname);
int vm_do_file(lua_State *L, const char *name);     /* NULL: stdin */
int vm_do_library(lua_State *L, const char *spec);  /* "mod" or "name=mod" */
int vm_do_script(lua_State *L, const vm_options *o);
int vm_do_init(lua_State *L);             /* LUA_INIT_5_4 or LUA_INIT */
void vm_arg_table(lua_State *L, const vm_options *o);

/* ---- interrupt.c ---- */
/* Every signal is held back in the thread that calls the first, before there
** are others, and comes to the one that calls the second: the Lua thread. */
void vm_signals_hold(void);
void vm_signals_take(void);
/* For handlers: threads that libraries start before main() get signals too.
** On one of those it sends the signal on to the Lua thread and returns true. */
bool vm_signal_forward(int sig);
/* Once, after the libraries are open. */
void vm_interrupt_init(lua_State *L);
/* Around each run of user code. */
void vm_interrupt_enter(lua_State *L);
void vm_interrupt_leave(lua_State *L);
/* At the prompt Ctrl-C no longer ends the process: it comes back here. */
void vm_interrupt_prompt(bool on);
/* True once after a Ctrl-C that came while nothing was running. */
bool vm_interrupt_taken(void);

/* ---- repl.c ---- */
void vm_banner(void);
void vm_repl(lua_State *L);
bool vm_stdin_is_terminal(void);

enum { VM_READ_LINE, VM_READ_END, VM_READ_INTERRUPT };
typedef struct vm_reader {
  void (*open)(void);
  int (*read)(const char *prompt, char **line);   /* *line: free() it */
  void (*remember)(const char *entry);            /* into the history */
  void (*close)(void);
} vm_reader;
extern const vm_reader vm_reader_plain;
#ifndef TD_HEADLESS
extern const vm_reader vm_reader_readline;
#endif

#endif
