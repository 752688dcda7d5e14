"""The headless engine as a child process: started, read, stopped, never outliving its console."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Report = Mapping[str, Any]
"""One line of `--no-ui --json`: a `type` and its fields."""

EXIT_WITHOUT_PROOF = 75
_CAUSES = ("ended: ", "pinnacle-tui: ")
"""How the lines begin with which an engine says why it ended."""
_LINE_LIMIT = 1 << 20
_STOP_DEADLINE_S = 20.0


class Ending(NamedTuple):
    """How the engine ended: an exit code of the product (section 6) and a sentence."""

    code: int
    sentence: str


class EngineProcess:
    """Runs `command`, hands each of its reports to `on_report` and its end to `on_end`, once."""

    def __init__(
        self, command: Sequence[str], on_report: Callable[[Report], None], on_end: Callable[[Ending], None]
    ) -> None:
        self._command = list(command)
        self._on_report = on_report
        self._on_end = on_end
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[Ending] | None = None
        self._cause = ""
        self.is_stopping = False
        self.unreadable = 0
        """Lines of the engine that were no report."""

    @property
    def is_running(self) -> bool:
        """True until the end was reported."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Start the engine on the running event loop."""
        self._task = asyncio.create_task(self._run(), name="engine process")
        self._task.add_done_callback(self._ended)

    def stop(self) -> None:
        """Ask the engine to cancel its orders and end; asked again, kill it."""
        process = self._process
        if process is None or process.returncode is not None:
            if self._task is not None and process is None:
                self._task.cancel()  # it was still being started
        elif self.is_stopping:
            process.kill()
        else:
            process.terminate()
        self.is_stopping = True

    async def close(self) -> None:
        """Stop the engine and wait for its end; kill it when it does not end in time."""
        if self._task is None or self._task.done():
            return
        if not self.is_stopping:
            self.stop()
        done, _ = await asyncio.wait({self._task}, timeout=_STOP_DEADLINE_S)
        if not done:
            self.stop()
            await asyncio.wait({self._task})

    async def _run(self) -> Ending:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # a ctrl+c or hang-up meant for the screen must not reach the engine
                limit=_LINE_LIMIT,
            )
        except OSError as error:
            return Ending(1, f"the engine cannot be started: {error.strerror}")
        self._process = process
        assert process.stdout is not None
        assert process.stderr is not None
        await asyncio.gather(self._read_reports(process.stdout), self._read_complaints(process.stderr))
        code = await process.wait()
        said = f": {self._cause}" if code and self._cause else ""
        if code < 0:
            sentence = f"the engine was killed by signal {-code}; nobody proved that no order is open{said}"
            return Ending(EXIT_WITHOUT_PROOF, sentence)
        return Ending(code, f"the engine ended with exit code {code}{said}")

    async def _read_reports(self, stream: asyncio.StreamReader) -> None:
        while line := await self._line(stream):
            try:
                report = json.loads(line)
            except ValueError:
                report = None
            if isinstance(report, dict):
                self._on_report(report)
            else:
                self.unreadable += 1

    async def _read_complaints(self, stream: asyncio.StreamReader) -> None:
        while line := await self._line(stream):
            said = line.decode(errors="replace").strip()
            if said.startswith(_CAUSES):  # everything else is a notice, and no cause
                self._cause = said.partition(": ")[2]

    async def _line(self, stream: asyncio.StreamReader) -> bytes:
        try:
            return await stream.readline()
        except ValueError:  # longer than any report; the reader has dropped it
            return b"\n"

    def _ended(self, task: asyncio.Task[Ending]) -> None:
        if task.cancelled():
            self._on_end(Ending(0, "the engine was not started"))
        elif (error := task.exception()) is not None:
            self._on_end(Ending(1, f"the console cannot follow the engine: {error!r}"))
        else:
            self._on_end(task.result())
