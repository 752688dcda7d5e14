"""A process that holds a journal's directory: `python lock_holder.py FOLDER [child|reopen]`.

It says `held` and its children's ids, and waits until its standard input ends. `child` makes it start a
child that outlives it; `reopen` makes it open and close the LOCK file once more, as a careless reader would.
"""

from __future__ import annotations

import os
import subprocess
import sys

from engine.core.errors import PinnacleError
from engine.persistence.directory import JournalDirectory


def main() -> int:
    path, *wishes = sys.argv[1:]
    try:
        directory = JournalDirectory.open(path)
    except PinnacleError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    children = []
    if "child" in wishes:
        lives_on = "import signal; print(flush=True); signal.alarm(60); signal.pause()"
        child = subprocess.Popen([sys.executable, "-c", lives_on], close_fds=False, stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()  # before it runs, the kernel may not yet have closed what it does not inherit
        children.append(child)
    if "reopen" in wishes:
        os.close(os.open(f"{path}/LOCK", os.O_RDWR))
    sys.stdout.write(" ".join(["held", *(str(child.pid) for child in children)]) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    directory.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
