# tools.sh -- output, errors, help and tools at the prompt, through a terminal. time limit: 200 s
exec bash tests/shell/prompt.sh tests/shell/tools.pty
