"""Where the engine of a console lives: in a child process, on the console's own loop, or elsewhere.

Each host gives a connected socket that speaks the link; the screens cannot tell them apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

EXIT_WITHOUT_PROOF: Final = 75
_TAIL_LINES: Final = 12
_TAIL_BYTES: Final = 8_192


class Ending(NamedTuple):
    """How an engine ended: an exit code of the product (section 6) and a sentence."""

    code: int
    sentence: str


class EngineHost(Protocol):
    """An engine that a console is connected to."""

    is_owned: bool
    """True when the engine was started by this console and ends with it."""
    is_in_process: bool
    """True when it runs in this very process: it fails with it, and its work counts as ours."""

    def connect(self) -> socket.socket:
        """A connected socket to the engine; again after a loss. `OSError` when there is none to be had."""
        ...

    def is_known_at(self, path: Path) -> None:
        """The engine can be reached there, too, when the present connection is lost."""
        ...

    def watch(self, on_end: Callable[[Ending], None]) -> None:
        """Tell once, on the running loop, when the engine is known to have ended."""
        ...

    def insist(self, number: signal.Signals) -> bool:
        """Signal the engine's process, where it is ours to signal; False when nothing was sent."""
        ...

    def terminate(self) -> bool:
        """Ask the engine's process to cancel its orders and end, from anywhere; False when there is none."""
        ...

    def last_words(self) -> list[str]:
        """The last lines of the engine's own log, oldest first."""
        ...


class ChildEngine:
    """The engine as a child process in a session of its own: no ctrl+c or hang-up of the terminal reaches it.

    It inherits one end of a pair of sockets: when this process is gone, however it went, the engine sees
    that end close.
    """

    is_owned = True
    is_in_process = False
    _what = "the engine"
    _unproven = "nobody proved that no order is open"
    _killed = EXIT_WITHOUT_PROOF
    """The exit code where a signal ended it."""

    def __init__(self, command: Sequence[str], log: Path, *, inherits: Sequence[int] = ()) -> None:
        """Start `command` with the option that names the inherited socket. `OSError` when it cannot be.

        `inherits` are further descriptors that `command` speaks of.
        """
        self.log = log
        self._path: Path | None = None
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        ours, theirs = socket.socketpair()
        try:
            with theirs, _private_log(log) as output:
                self._process = subprocess.Popen(
                    [*command, "--owner-fd", str(theirs.fileno())],
                    pass_fds=(theirs.fileno(), *inherits),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            raise
        self._socket: socket.socket | None = ours
        self._ending: Ending | None = None

    @property
    def pid(self) -> int:
        """The engine's process."""
        return self._process.pid

    def connect(self) -> socket.socket:
        """See `EngineHost`. The inherited pair first; after a loss the engine's own socket."""
        taken, self._socket = self._socket, None
        if taken is not None:
            return taken
        if self._path is None:
            raise ConnectionResetError("the connection to the engine is gone")
        return connected(self._path)

    def is_known_at(self, path: Path) -> None:
        """See `EngineHost`."""
        self._path = path

    def watch(self, on_end: Callable[[Ending], None]) -> None:
        """See `EngineHost`. A thread waits for the process; it ends with it."""
        loop = asyncio.get_running_loop()

        def wait() -> None:
            ending = self._describe(self._process.wait())
            with contextlib.suppress(RuntimeError):  # the loop has ended before the engine
                loop.call_soon_threadsafe(on_end, ending)

        threading.Thread(target=wait, name="engine's end", daemon=True).start()

    def insist(self, number: signal.Signals) -> bool:
        """See `EngineHost`."""
        if self._process.poll() is not None:
            return False
        self._process.send_signal(number)
        return True

    def terminate(self) -> bool:
        """See `EngineHost`."""
        self._process.send_signal(signal.SIGTERM)
        return True

    def wait(self, timeout_s: float) -> bool:
        """Block until the process has ended; False when it has not by then."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_words(self) -> list[str]:
        """See `EngineHost`."""
        return tail(self.log)

    def _describe(self, code: int) -> Ending:
        if code < 0:
            name = signal.Signals(-code).name
            return Ending(self._killed, f"{self._what} was killed by {name}; {self._unproven}")
        if code:
            said = next((line for line in reversed(self.last_words()) if line.strip()), "")
            return Ending(code, f"{self._what} ended with exit code {code}" + (f": {said}" if said else ""))
        return Ending(0, f"{self._what} has ended")


class ChildPlayback(ChildEngine):
    """A playback as a child process. No order of it was ever sent: there is nothing to prove at its end."""

    _what = "the playback"
    _unproven = "nothing trades in it"
    _killed = 1


class InlineEngine:
    """The engine as a task on the console's own loop, behind the same socket: to show and to test."""

    is_owned = True
    is_in_process = True

    def __init__(self, serve: Callable[[socket.socket], Coroutine[Any, Any, Ending]]) -> None:
        self._serve = serve
        self._task: asyncio.Task[Ending] | None = None
        self._on_end: Callable[[Ending], None] | None = None

    def connect(self) -> socket.socket:
        """See `EngineHost`. The engine starts with its first connection."""
        if self._task is not None:
            raise ConnectionResetError("the connection to the engine is gone")
        ours, theirs = socket.socketpair()
        self._task = asyncio.create_task(self._serve(theirs), name="inline engine")
        self._task.add_done_callback(self._ended)
        return ours

    def is_known_at(self, path: Path) -> None:
        """See `EngineHost`. Its connection is lost together with this process only."""

    def watch(self, on_end: Callable[[Ending], None]) -> None:
        """See `EngineHost`."""
        self._on_end = on_end

    def insist(self, number: signal.Signals) -> bool:
        """See `EngineHost`. A task cannot be signalled, only ended; its orders end with its market."""
        return self._task is not None and number is signal.SIGKILL and self._task.cancel()

    def terminate(self) -> bool:
        """See `EngineHost`. It is asked over the link."""
        return False

    def last_words(self) -> list[str]:
        """See `EngineHost`. It writes no log."""
        return []

    def _ended(self, task: asyncio.Task[Ending]) -> None:
        if task.cancelled():
            ending = Ending(EXIT_WITHOUT_PROOF, "the engine was stopped before it could prove its end")
        elif (error := task.exception()) is not None:
            ending = Ending(getattr(error, "exit_code", 1), str(error) or repr(error))
        else:
            ending = task.result()
        if self._on_end is not None:
            self._on_end(ending)


class AttachedEngine:
    """An engine that runs already, reached through its socket. It goes on when the console leaves."""

    is_owned = False
    is_in_process = False

    def __init__(self, path: Path) -> None:
        self.path = path

    def connect(self) -> socket.socket:
        """See `EngineHost`."""
        return connected(self.path)

    def is_known_at(self, path: Path) -> None:
        """See `EngineHost`. It was known before."""

    def watch(self, on_end: Callable[[Ending], None]) -> None:
        """See `EngineHost`. Only the engine's own last words tell its end."""

    def insist(self, number: signal.Signals) -> bool:
        """See `EngineHost`. Not ours to signal."""
        return False

    def terminate(self) -> bool:
        """See `EngineHost`. Not ours to end."""
        return False

    def last_words(self) -> list[str]:
        """See `EngineHost`. Its log is its owner's."""
        return []


def connected(path: Path) -> socket.socket:
    """A socket connected to an engine's. `OSError` when nobody listens there."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.connect(str(path))
    except BaseException:
        made.close()
        raise
    return made


def tail(log: Path) -> list[str]:
    """The last lines of a file; none when it cannot be read."""
    try:
        with log.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - _TAIL_BYTES))
            text = stream.read().decode(errors="replace")
    except OSError:
        return []
    return list(deque(text.splitlines(), _TAIL_LINES))


def _private_log(path: Path) -> Any:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab")
