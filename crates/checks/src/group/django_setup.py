"""The beginning of a script that asks Django something: results are lines of JSON on standard output."""

import contextlib
import json
import os
import runpy
import sys
import threading

# Other output, of the project or of programs that it starts, goes to standard error.
answer_to = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
turn = threading.Lock()


def answer(**part):
    with turn:
        print(json.dumps(part), file=answer_to, flush=True)


def set_up():
    """Lets the project's manage.py find its settings, as every command would, without running a command."""
    import django
    import django.core.management

    sys.path.insert(0, os.getcwd())
    sys.argv = ["manage.py", "check"]
    django.core.management.execute_from_command_line = lambda argv=None: None
    with contextlib.suppress(SystemExit):  # Some end with `sys.exit(main())`.
        runpy.run_path("manage.py", run_name="__main__")
    django.setup()
