/* repl_editor.h -- what the files of the line editor share: repl_readline.c reads
** lines, repl_screen.c draws, repl_history.c keeps entries, repl_complete.c
** completes. */
#ifndef VM_REPL_EDITOR_H
#define VM_REPL_EDITOR_H
#include <lua.h>
#include <stdbool.h>
#include <stdio.h>

/* ---- repl_screen.c ---- */
FILE *vm__screen(void);               /* the terminal itself, for the editor */
/* Before a line: the cursor goes to a fresh row; the prompt to install. */
const char *vm__screen_begin(const char *prompt);
void vm__screen_shown(void);          /* the editor has drawn the prompt */
void vm__screen_plain(void);          /* takes the status line away: Enter */
void vm__screen_end(void);            /* the line is done or abandoned */

/* ---- repl_history.c ---- */
void vm__history_open(void);
void vm__history_add(const char *entry);

/* ---- repl_complete.c ---- */
void vm__complete_open(lua_State *L); /* before readline reads its inputrc */

#endif
