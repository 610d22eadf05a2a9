# input.sh -- typing, pasting, completing, history and settings, through a terminal. time limit: 200 s
NO_COLOR=1 exec bash tests/shell/prompt.sh tests/shell/input.pty tests/shell/complete.pty
