/* vm.h -- what the parts of the program share.
**
** main.c      starts Lua and runs what the command line asks for
** options.c   says what each argument of the command line is
** script.c    runs chunks the way the stand-alone interpreter does
** interrupt.c turns Ctrl-C into a Lua error wherever Lua is, and ends slices
** jobs.c      runs jobs while the prompt waits and at the end
** repl.c      the prompt; repl_readline.c and repl_plain.c read its lines,
**             repl_wait.c waits for keys, repl_screen.c draws
** kernel.c    the Jupyter kernel (kernel.h)
**
** All of it runs on one thread, the Lua thread, which need not be the thread
** that entered main(). */
#ifndef VM_VM_H
#define VM_VM_H
#include <lua.h>
#include <signal.h>
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
  VM_ARG_COLOR,
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
  const char *module;                 /* of another command (options.c), or NULL */
  const char *device;                 /* NULL: not given */
  const char *color;                  /* likewise; auto, always, never */
  bool has_threads;
  bool has_seed;
  long long threads;
  long long seed;
} vm_options;

void vm_arg_decode(char **argv, vm_arg *a);
/* Fills *o, or says on stderr what is wrong and returns false. */
bool vm_options_parse(int argc, char **argv, vm_options *o);
void vm_usage(bool on_stderr);
/* The command that a script which is not there was probably meant as, or NULL. */
const char *vm_command_like(const char *word);

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
void vm_print_tables(lua_State *L);       /* for people: print shows tables */
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
/* The signal that asked the prompt to leave, or 0. */
int vm_interrupt_leaving(void);
/* While the prompt serves others a Ctrl-C that stops none of them stays the prompt's. */
void vm_interrupt_serving(bool on);
/* True once after a Ctrl-C that came while nothing was running. */
bool vm_interrupt_taken(void);

/* ---- jobs.c: what runs in slices (lua/tide/job.lua) ---- */
void vm_jobs_prompt(lua_State *L);    /* they run while the prompt waits; NULL: */
                                      /* no more */
void vm_jobs_leave(void);             /* a signal ends the prompt: cancels them */
void vm_jobs_statement(lua_State *L); /* one is over: no progress is drawn */
int vm_jobs_count(lua_State *L);      /* that are not over */
bool vm_jobs_finish(lua_State *L);    /* runs all; were all done? */
void vm_jobs_cancel(lua_State *L);    /* with time to put things back */

/* ---- events.c: handles, controls and players in windows ---- */
void vm_events_prompt(void);          /* they are heard while the prompt waits */

/* ---- repl.c ---- */
void vm_banner(void);
void vm_repl(lua_State *L);
bool vm_stdin_is_terminal(void);

enum { VM_READ_LINE, VM_READ_END, VM_READ_INTERRUPT };
typedef struct vm_reader {
  void (*open)(lua_State *L);
  int (*read)(lua_State *L, const char *prompt,
              char **line);                       /* *line: free() it */
  void (*remember)(const char *entry);            /* into the history */
  void (*close)(void);
} vm_reader;
extern const vm_reader vm_reader_plain;
#ifndef TD_HEADLESS
extern const vm_reader vm_reader_readline;
#endif

/* ---- repl_wait.c: what is served while the prompt waits for a key ----
**
** `idle` is asked before each wait when no key waits, and may work for a while:
** a key that comes meanwhile is answered when it returns.  It returns the ms
** after which it wants to be asked again: 0 at once (after a look at the
** keyboard), -1 never before something else happens.  `ready` is called when fd
** has input.  Both are called on the Lua thread, outside of the editor, with
** Ctrl-C let through.  They let no Lua error out, call vm_interrupt_enter and
** _leave around user code, and may print: see below.  Either may be NULL. */
typedef struct vm_source {
  int (*idle)(struct vm_source *s, lua_State *L);
  void (*ready)(struct vm_source *s, lua_State *L);
  int fd;                             /* -1: none */
  void *data;                         /* the owner's */
  struct vm_source *next;             /* not the owner's */
} vm_source;
void vm_source_add(vm_source *s);     /* the struct stays the caller's; adding */
void vm_source_remove(vm_source *s);  /* or removing twice does nothing */
/* Waits for input on stdin, with these signals held back; false after Ctrl-C.
** `before` is called before each wait. */
bool vm_wait_input(lua_State *L, const sigset_t *mask, void (*before)(void));
void vm_wait_wake(void);              /* ends a wait; for handlers of signals */
void vm_wait_on(int fd);              /* from now on for input there, not on stdin */

/* ---- repl_screen.c: printing while a line is edited ----
**
** At the prompt of a terminal, stdout and stderr are streams that take the line
** out of the way when something is really written; the wait draws it again
** below.  So callbacks of sources, and what they call, just print.  (fileno of
** these streams is -1: ask isatty(STDOUT_FILENO).)  Children that write to the
** terminal by themselves want a vm_prompt_hide first. */
void vm_screen_take(void);            /* once, before Lua opens its libraries */
void vm_prompt_hide(void);            /* until the next wait */
void vm_prompt_show(void);
void vm_prompt_message(const char *text);   /* a line of text above the prompt */
/* One row above the prompt, cut to the width of the terminal, or NULL for none.
** Colours may be in it.  It is redrawn only when it changes: a few times a
** second is plenty.  It is not shown on terminals that cannot move up, and goes
** when the line is entered. */
void vm_prompt_status(const char *text);

#endif
