-- input.lua -- documentation of what is typed at the prompt.
return {
["topic.local"] = { title = "Locals at the prompt", text = [[
A `local` of an entry carries over to the entries behind it:

  > local x = 1
  > x + 1
  2

It is a real local, no global: _G.x stays as it is, functions that captured x
and later entries share it, and a new `local x` begins a new variable that
older functions do not see. `local function` and <const> work too. So do
pasted blocks; only locals of the outermost block stay. `x = nil` lets go of
what a local holds.

A <close> variable is closed at the end of its entry and does not stay.
Files, also init.lua, keep their locals to themselves.]] },

["topic.keys"] = { title = "Typing, pasting, keys", text = [[
An entry goes on (>>) as long as it is incomplete Lua. The value of its last
expression or call is shown and is in _ then; a ; at its end keeps it quiet.
`=x` shows x, `return` works, comments and blank lines do nothing.

A pasted block is one entry, which Enter runs. Expressions that stand alone
on their lines are shown one after the other. In text that begins with a
prompt, as copied from a session, prompts are taken away: each line with "> "
begins an entry, a line with ">> " or without a prompt belongs to the entry
above while that is incomplete, and is output, and left out, when it is not.

Ctrl-X Ctrl-E  the entry in $VISUAL or $EDITOR; it comes back for Enter
Up, Down       rows of an entry of several; else earlier entries that begin
               like the line up to the cursor
Ctrl-R         searches the history
Ctrl-C         clears the line
Ctrl-D         leaves

Keys are those of GNU Readline; `$if tide` in ~/.inputrc is for this prompt,
whose own commands are tide-complete, tide-up, tide-down, edit-in-editor. The
globals _PROMPT and _PROMPT2 hold the prompts, colours may be in them.]] },

["topic.history"] = { title = "History", text = [[
Each entry is written at once to $XDG_STATE_HOME/tide/history, by default
~/.local/state/tide/history, whole blocks as one entry. Sessions share the
file and see each other's entries when they start. It keeps the last 5000.

Entries that begin with a blank are not kept, nor one that repeats the last.
TIDE_HISTORY names another file; when it is empty nothing is written.]] },

["topic.completion"] = { title = "Completion", text = [[
TAB completes globals, locals, fields, methods behind : (functions only), keys
behind [, keywords, modules in require"...", files in other strings, options
in the { of a documented function and their values, names in help"...".
The second TAB shows what there is, and the signature of the function whose
name or whose arguments are at the cursor.

Nothing of yours is run for that: fields are read raw. At the start of a line
TAB is a tab.]] },
}
