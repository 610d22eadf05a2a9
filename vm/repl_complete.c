/* repl_complete.c -- TAB: what tide.shell.complete finds, handed to readline. */
#ifndef TD_HEADLESS
#include "vm/repl_editor.h"
#include "vm/vm.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <readline/readline.h>

static lua_State *state;

static struct {
  char **texts;                       /* candidates; NULL at the end */
  int count;
  int from;                           /* where the word begins in the line */
  char *suffix;                       /* behind a single candidate */
  char *signature;                    /* or NULL */
} found;

static void forget(void) {
  for (int i = 0; i < found.count; i++) free(found.texts[i]);
  free(found.texts);
  free(found.suffix);
  free(found.signature);
  memset(&found, 0, sizeof found);
}

/* Copies what complete.line returned: its four values lie on top. */
static void take(lua_State *L) {
  int n = (int)lua_rawlen(L, -3), top = lua_gettop(L);
  if (!(found.texts = calloc((size_t)n + 1, sizeof *found.texts))) return;
  for (int i = 1; i <= n; i++) {
    lua_rawgeti(L, top - 2, i);
    const char *text = lua_tostring(L, -1);
    char *copy = text ? strdup(text) : NULL;
    if (copy) found.texts[found.count++] = copy;
    lua_pop(L, 1);
  }
  found.from = (int)lua_tointeger(L, top - 3) - 1;
  if (lua_isstring(L, top - 1)) found.suffix = strdup(lua_tostring(L, top - 1));
  if (lua_isstring(L, top)) found.signature = strdup(lua_tostring(L, top));
}

static int l_find(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "tide.shell.complete");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "line");
  lua_pushstring(L, rl_line_buffer);
  lua_pushinteger(L, rl_point);
  lua_call(L, 2, 4);
  if (lua_istable(L, -3)) take(L);
  return 0;
}

/* Asks Lua about the place of the cursor.  No finaliser runs meanwhile, and no
** error comes out. */
static void find(void) {
  forget();
  if (!state || !lua_checkstack(state, 16)) return;
  bool collecting = lua_gc(state, LUA_GCISRUNNING);
  lua_gc(state, LUA_GCSTOP);
  lua_pushcfunction(state, l_find);
  if (lua_pcall(state, 0, 0, 0) != LUA_OK) lua_pop(state, 1);
  if (collecting) lua_gc(state, LUA_GCRESTART);
}

static bool is_command(void) {
  return rl_line_buffer[strspn(rl_line_buffer, " \t")] == '!';
}

/* Readline looks for the beginning of the word by characters: it gets the one
** that stands before it. */
static char *before_word(void) {
  static char character[2];
  if (is_command()) {
    forget();
    return NULL;
  }
  find();
  character[0] = found.from > 0 ? rl_line_buffer[found.from - 1] : '\0';
  return character;
}

static size_t common_length(void) {
  size_t n = strlen(found.texts[0]);
  for (int i = 1; i < found.count; i++) {
    size_t k = 0;
    while (k < n && found.texts[i][k] == found.texts[0][k]) k++;
    n = k;
  }
  while (n > 0 && ((unsigned char)found.texts[0][n] & 0xC0) == 0x80) n--;
  return n;
}

static char **candidates(const char *text, int start, int end) {
  (void)text, (void)end;
  if (is_command()) return NULL;      /* file names, by readline */
  rl_attempted_completion_over = 1;
  rl_completion_append_character = '\0';
  rl_completion_suppress_append = 1;
  if (found.count == 0 || start != found.from) return NULL;
  char **list = calloc((size_t)found.count + 2, sizeof *list);
  if (!list) return NULL;
  if (found.count == 1) {
    size_t n = strlen(found.texts[0]);
    const char *suffix = found.suffix ? found.suffix : "";
    if ((list[0] = malloc(n + strlen(suffix) + 1)))
      strcpy(strcpy(list[0], found.texts[0]) + n, suffix);
  } else {
    list[0] = strndup(found.texts[0], common_length());
    for (int i = 0; i < found.count; i++) list[i + 1] = strdup(found.texts[i]);
  }
  if (list[0]) return list;
  free(list);
  return NULL;
}

/* ---- the key ---- */

static bool at_line_start(void) {
  int i = rl_point;
  while (i > 0 && strchr(" \t", rl_line_buffer[i - 1])) i--;
  return i == 0 || rl_line_buffer[i - 1] == '\n';
}

/* Text that comes all at once is pasted, even where the terminal does not say
** so, and its tabs are tabs. */
static bool is_pasted(void) {
  int waiting = 0;
  return ioctl(STDIN_FILENO, FIONREAD, &waiting) == 0 && waiting > 3;
}

static bool is_on(const char *variable) {
  const char *value = rl_variable_value(variable);
  return value && strcmp(value, "on") == 0;
}

/* The second one in a row shows the signature of the function at hand and the
** candidates; where the word is the only one already, what fits behind it is
** put there. */
static int tab(int count, int key) {
  static char *before;                /* the line after the last TAB */
  (void)key;
  if (at_line_start() || is_pasted()) return rl_insert(count, '\t');
  bool again = rl_last_func == tab && before &&
               strcmp(before, rl_line_buffer) == 0;
  if (again && !is_command()) {
    find();
    if (found.signature) vm_prompt_message(found.signature);
    if (found.count > 1) rl_complete_internal('?');
    else if (found.count == 1) rl_complete_internal('\t');
    else if (!found.signature) rl_ding();
  } else {
    bool all = is_on("show-all-if-ambiguous");
    rl_complete_internal(again ? '?' : all ? '!' : '\t');
  }
  free(before);
  before = strdup(rl_line_buffer);
  return 0;
}

void vm__complete_open(lua_State *L) {
  state = L;
  rl_completion_word_break_hook = before_word;
  rl_basic_quote_characters = "";     /* quotes are ours to close */
  rl_attempted_completion_function = candidates;
  rl_add_defun("tide-complete", tab, -1);
  rl_bind_key_in_map('\t', tab, emacs_standard_keymap);
  rl_bind_key_in_map('\t', tab, vi_insertion_keymap);
}
#else
typedef int vm_no_completion;         /* a file must not be empty */
#endif
