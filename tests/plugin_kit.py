"""Strategies of other packages, installed for a test, and the example of the guide."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "strategies.md"
EXAMPLE = "fixed-distance"
"""The name that the guide gives its example."""


class Packages:
    """Installs modules whose `PLUGIN` is a strategy, as a package manager would, until the test is over."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._patch = patch
        patch.syspath_prepend(folder)

    def __call__(self, name: str, module: str, source: str) -> None:
        (self._folder / f"{module}.py").write_text(source)
        folder = self._folder / f"{module}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        entry = f"[pinnacle_tui.strategies]\n{name} = {module}:PLUGIN\n"
        (folder / "entry_points.txt").write_text(entry)
        # Forgets the module again when the test is over.
        self._patch.setitem(sys.modules, module, sys)
        del sys.modules[module]

    def example(self) -> None:
        """Install the example of the guide."""
        self(EXAMPLE, "fixed_distance", example())


def example() -> str:
    """The one Python block of the guide."""
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return str(code)
