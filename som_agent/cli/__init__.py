"""The command line: one file a sub-command.

Results go to stdout, progress and errors to stderr. Exit status: 0 done, 2 bad usage or bad input (one line
says what), 1 a bug, 130 stopped by Ctrl-C.
"""

from som_agent.cli.main import main

__all__ = ["main"]
