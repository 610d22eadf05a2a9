# jobs.sh -- jobs, progress and Ctrl-C in every place, through a terminal. time limit: 300 s
#
# The conversations stand in jobs.pty and interrupt.pty; pty.c plays the person.
bash tests/shell/prompt.sh tests/shell/jobs.pty tests/shell/interrupt.pty
