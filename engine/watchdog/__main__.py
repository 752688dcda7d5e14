"""`python -m engine.watchdog DESCRIPTOR`: started by the engine, never by hand."""

from __future__ import annotations

import sys

from engine.watchdog.process import EXIT_WITHOUT_HELLO, main

if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.stderr.write("the watchdog is started by the engine; there is nothing to be started by hand\n")
        sys.exit(EXIT_WITHOUT_HELLO)
    sys.exit(main(int(sys.argv[1])))
