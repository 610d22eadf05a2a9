# library.sh -- Ctrl-C while the library computes, through a terminal. time limit: 300 s
exec bash tests/shell/prompt.sh tests/shell/library.pty
