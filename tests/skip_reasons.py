"""Why a test may skip, and how many may for each reason; anything else fails the run (see `conftest`)."""

from __future__ import annotations

NO_RECORDINGS = "the real recordings are not on this machine (they are not part of the project)"
NO_TMUX = "tmux is not on this machine"
NO_PEER = "the official client cannot be installed on this machine"
NO_PARQUET = "the extra parquet is not installed"
ALLOWED_SKIPS = {NO_RECORDINGS: 140, NO_TMUX: 39, NO_PEER: 20, NO_PARQUET: 1}
