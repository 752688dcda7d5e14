"""`python -m pinnacle_tui`: the command line."""

import sys


def main() -> int:
    """Run the command line; an interrupt while it is still being loaded is an interrupt like any other."""
    try:
        from engine.credentials import hardening, log_filter

        hardening.harden()  # before anything is read that must not be seen
        log_filter.install()
        from pinnacle_tui import cli

        return cli.main()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
