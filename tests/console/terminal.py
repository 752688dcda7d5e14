"""The real program in a real terminal.

`Terminal` is tmux, as the terminal a person sits at: keys go in, the picture comes out. `Line` is a bare
pseudo terminal, whose reader may stop reading or go away.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from engine.commands.sessions import look
from engine.link.messages import EngineHello
from engine.link.runtime_folder import resolve
from engine.link.view import View
from pinnacle_tui.held_keys import HELD_NS

PROGRAM: Final = Path(sys.executable).with_name("pinnacle-tui")
WITHIN_S: Final = 20.0
"""How long anything may take before a test gives it up; what is asserted to be quick says so itself."""
_POLL_S: Final = 0.02
_READ_S: Final = HELD_NS / 1e9 + 0.05
"""After which a key is no longer one that was held down before the question came."""
_PROMPT: Final = re.compile(r"^(\d+)\[(\d+)\]>$")
_TMUX_SETTINGS: Final = """
set -g default-terminal tmux-256color
set -ga terminal-features ',*:RGB'
set -g escape-time 10
set -g status off
"""
_SHELL_SETTINGS: Final = r"""PS1='\#[$?]> '
"""


def until(condition: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
    """Wait for a condition of another process, which tells nobody when it comes true."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        time.sleep(_POLL_S)


class Home:
    """The folders of a user who has never run the program, and what can be seen of it from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config" / "pinnacle-tui"
        self.state = folder / "state" / "pinnacle-tui"
        self.runtime = folder / "run" / "pinnacle-tui"
        self.runtime.parent.mkdir(mode=0o700)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Of a program that this user starts."""
        return {
            "HOME": str(self.folder),
            "PATH": f"{PROGRAM.parent}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "COLORTERM": "truecolor",
            "XDG_CONFIG_HOME": str(self.config.parent),
            "XDG_STATE_HOME": str(self.state.parent),
            "XDG_RUNTIME_DIR": str(self.runtime.parent),
            "TMUX_TMPDIR": str(self.folder),
            **(more or {}),
        }

    def look(self) -> tuple[EngineHello, View]:
        """What the only engine that runs says of itself to whoever asks."""
        return asyncio.run(look(resolve(self.runtime, None)))

    def sockets(self) -> list[str]:
        """What is left in the runtime folder beside locks, which stay."""
        return sorted(path.name for path in self.runtime.glob("*.sock"))

    def engine_log(self) -> str:
        """Everything that engines of consoles have written."""
        return "".join(path.read_text() for path in sorted((self.state / "logs").glob("engine-*.log")))

    def reports(self) -> list[Path]:
        """What consoles wrote about screens that failed."""
        return sorted((self.state / "logs").glob("screen-*.txt"))


class Process:
    """Another process, watched: also one whose parent does not ask how it ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    @property
    def is_gone(self) -> bool:
        return bool(select.select([self._handle], [], [], 0)[0])

    def ends(self, within_s: float = WITHIN_S) -> bool:
        """Wait for its end; False when it did not come."""
        return bool(select.select([self._handle], [], [], within_s)[0])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; one that has ended gets none."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def processor_s(self) -> float:
        """What it has used of the processor so far, all threads together."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def threads(self) -> list[str]:
        """The numbers of its threads."""
        return os.listdir(f"/proc/{self.pid}/task")

    def close(self) -> None:
        """Watch no longer."""
        os.close(self._handle)


def children(pid: int) -> list[int]:
    """The processes that a process has started and that have not been reaped."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Modes(NamedTuple):
    """What a program leaves a terminal in, as tmux knows it."""

    alternate_screen: str
    cursor: str
    mouse: str
    keypad: str
    wrap: str


AT_REST: Final = Modes("0", "1", "0", "0", "1")
"""A terminal whose shell waits for a command."""


class Terminal:
    """A terminal with a shell in it, and whoever sits before it."""

    def __init__(
        self,
        home: Home,
        *,
        columns: int = 120,
        rows: int = 40,
        environment: Mapping[str, str] | None = None,
        term: str = "tmux-256color",
    ) -> None:
        """`environment` is of the shell, beside what a user has anyway; `term` is its TERM."""
        self.home = home
        self._socket = home.folder / "tmux"
        self._raw = home.folder / "raw"
        self._prompts = 0
        self._watched: list[Process] = []
        settings, shell = home.folder / "tmux.conf", home.folder / "bashrc"
        settings.write_text(_TMUX_SETTINGS)
        shell.write_text(_SHELL_SETTINGS)
        start = ["-f", str(settings), "new-session", "-d", "-s", "it", "-x", str(columns), "-y", str(rows)]
        command = f"TERM={term} exec bash --rcfile {shell} -i"
        self._tmux(*start, command, environment=home.environment(environment))
        self._tmux("pipe-pane", "-O", "-t", "it", f"exec cat >> {self._raw}")
        self._server = int(self._tell("pid"))
        self.prompt()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the terminal and end what still runs in it, whatever state it is in."""
        os.kill(self._server, signal.SIGCONT)
        left = [self.watch(pid) for pid in _tree(int(self._tell("pane_pid")))]
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], check=False, capture_output=True)
        for process in left + self._watched:
            process.signal(signal.SIGKILL)
        for process in self._watched:
            process.close()

    # -- what a person does ----------------------------------------------------------------------

    def send(self, *keys: str) -> None:
        """Press keys, by the names tmux has for them."""
        self._tmux("send-keys", "-t", "it", *keys)

    def type(self, text: str) -> None:
        """Type text."""
        self._tmux("send-keys", "-t", "it", "-l", text)

    def run(self, command: str) -> None:
        """Give the shell a command."""
        self.type(command)
        self.send("Enter")

    def answer(self, key: str, question: str) -> None:
        """Press a key that answers a question. It counts once the question could have been read."""
        self.wait_for(question)
        asked = time.monotonic()
        until(lambda: time.monotonic() - asked > _READ_S, "the time it takes to read")
        self.send(key)

    def resize(self, columns: int, rows: int) -> None:
        """Make the terminal another size."""
        self._tmux("resize-window", "-t", "it", "-x", str(columns), "-y", str(rows))

    @contextmanager
    def not_reading(self) -> Iterator[None]:
        """The terminal takes nothing meanwhile, as one behind a hung connection."""
        os.kill(self._server, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._server, signal.SIGCONT)

    # -- what a person sees ----------------------------------------------------------------------

    def screen(self, *, colours: bool = False) -> str:
        """The picture, trailing blanks of each line left out; with the colours' codes, if wanted."""
        return self._tmux("capture-pane", "-t", "it", "-p", *(["-e"] if colours else []))

    def wait_for(self, what: str | Callable[[str], object], within_s: float = WITHIN_S) -> str:
        """The first picture that shows a text, or about which a function says yes."""
        shown = ""

        def is_met() -> bool:
            nonlocal shown
            shown = self.screen()
            return what in shown if isinstance(what, str) else bool(what(shown))

        wanted = repr(what) if isinstance(what, str) else "a picture as wanted"
        try:
            until(is_met, wanted, within_s)
        except AssertionError as error:
            raise AssertionError(f"{error}. On the screen:\n{shown}") from None
        return shown

    def wait_gone(self, text: str, within_s: float = WITHIN_S) -> str:
        """The first picture that does not show a text any more."""
        return self.wait_for(lambda shown: text not in shown, within_s)

    @property
    def title(self) -> str:
        """What the window is called."""
        return self._tell("pane_title")

    @property
    def modes(self) -> Modes:
        """What the program has left the terminal in, or has it in."""
        names = ("alternate_on", "cursor_flag", "mouse_any_flag", "keypad_flag", "wrap_flag")
        return Modes(*(self._tell(name) for name in names))

    @property
    def raw(self) -> bytes:
        """Everything that came to the terminal so far."""
        return self._raw.read_bytes()

    def prompt(self, within_s: float = WITHIN_S) -> int:
        """Wait until the shell asks for the next command; the exit code of the last one."""
        code = -1

        def asks(shown: str) -> bool:
            nonlocal code
            lines = shown.split()
            found = _PROMPT.match(lines[-1]) if lines else None
            if found is None or int(found[1]) <= self._prompts:
                return False
            self._prompts, code = int(found[1]), int(found[2])
            return True

        self.wait_for(asks, within_s)
        return code

    def settings(self) -> str:
        """What `stty -a` says when the shell runs it."""
        path = self.home.folder / "stty"
        self.run(f"stty -a >{path}")
        self.prompt()
        return path.read_text()

    # -- the program -----------------------------------------------------------------------------

    def start(self, *arguments: str, until_shown: str = " ACTIVE ") -> str:
        """Start the console and wait for its picture."""
        self.run(" ".join(["pinnacle-tui", *arguments]))
        shown = self.wait_for(until_shown)
        self.engine()
        return shown

    def console(self) -> Process:
        """The process that the shell runs."""
        (pid,) = children(int(self._tell("pane_pid")))
        return self.watch(pid)

    def engine(self) -> Process:
        """The only engine that runs."""
        return self.watch(self.home.look()[0].pid)

    def watch(self, pid: int) -> Process:
        """A process that is ended with the terminal at the latest."""
        for process in self._watched:
            if process.pid == pid and not process.is_gone:
                return process
        self._watched.append(Process(pid))
        return self._watched[-1]

    def _tell(self, name: str) -> str:
        return self._tmux("display-message", "-t", "it", "-p", f"#{{{name}}}").rstrip("\n")

    def _tmux(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=WITHIN_S,
        )
        assert not done.returncode, done.stderr
        return done.stdout


class Line:
    """A pseudo terminal with a program in it. It is read all the time, except where a test says not to."""

    def __init__(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        columns: int = 120,
        rows: int = 40,
        is_controlling: bool = True,
        ignores_hang_up: bool = False,
    ) -> None:
        """`is_controlling`: its hang-up is a signal to the program; `ignores_hang_up`: as under nohup."""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

        def prepare() -> None:
            if is_controlling:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if ignores_hang_up:
                signal.signal(signal.SIGHUP, signal.SIG_IGN)

        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 (nothing else runs in this process then)
            env={"TERM": "xterm-256color", **environment},
        )
        os.close(theirs)
        self._shown = bytearray()
        self._may_read = threading.Event()
        self._is_closing = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._may_read.set()
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.hang_up()
        self.process.wait(WITHIN_S)

    @property
    def shown(self) -> bytes:
        """Everything that was read so far."""
        return bytes(self._shown)

    def send(self, text: str) -> None:
        """Type."""
        os.write(self._ours, text.encode())

    def press(self, key: str, times: int, every_s: float = 0.03) -> None:
        """Press a key many times, as fast as a held key repeats."""
        for _ in range(times):
            self.send(key)
            time.sleep(every_s)

    def wait_for(self, text: str, *, after: int = 0, within_s: float = WITHIN_S) -> None:
        """Wait until a text has come, `after` so many bytes."""
        wanted = text.encode()
        until(lambda: self._shown.find(wanted, after) >= 0, repr(text), within_s)

    @contextmanager
    def not_reading(self) -> Iterator[None]:
        """Nothing is read meanwhile."""
        self._may_read.clear()
        try:
            yield
        finally:
            self._may_read.set()

    def hang_up(self) -> None:
        """The terminal goes away."""
        self._is_closing = True
        self._may_read.set()
        self._reader.join(WITHIN_S)
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def _read(self) -> None:
        while not self._is_closing:
            self._may_read.wait()
            if not select.select([self._ours], [], [], _POLL_S)[0]:
                continue
            try:
                read = os.read(self._ours, 65_536)
            except OSError:  # the program has closed its end
                return
            self._shown += read


def has_tmux() -> bool:
    """Whether a `Terminal` can be had on this machine."""
    return shutil.which("tmux") is not None


def _tree(pid: int) -> Iterator[int]:
    """A process and all below it, the deepest first."""
    try:
        below = children(pid)
    except OSError:
        return
    for child in below:
        yield from _tree(child)
    yield pid
