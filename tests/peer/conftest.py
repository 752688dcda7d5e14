"""The official SDK, installed into an environment of its own for the occasion."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from skip_reasons import NO_PEER

SDK = "coinbase-advanced-py==1.8.4"
INSTALL_S = 300


@pytest.fixture(scope="session")
def sdk_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the SDK."""
    folder = tmp_path_factory.mktemp("sdk")
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=INSTALL_S)
        python = folder / "bin" / "python"
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", SDK],
            check=True,
            timeout=INSTALL_S,
        )
    except (subprocess.SubprocessError, OSError):
        pytest.skip(NO_PEER)
    return python
