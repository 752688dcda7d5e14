"""What a watchdog is told, made of what the engine knows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from engine.exchange.coinbase.keys import ApiKey, secret_document
from engine.exchange.coinbase.network import NetworkSettings
from engine.watchdog.log import FILE
from engine.watchdog.messages import Hello


def hello_of(
    api: str,
    network: NetworkSettings,
    key: ApiKey | None,
    products: Sequence[str],
    *,
    tag: str,
    session_folder: Path,
    data_dir: Path,
) -> Hello:
    """The hello of an engine; `tag` is how its client ids begin. Paths are made absolute: a watchdog works
    from the root folder, so that it keeps no other one busy."""
    ca_file = None if network.ca_file is None else os.path.abspath(os.path.expanduser(network.ca_file))
    return Hello(
        api,
        network.endpoints(api),
        b"" if key is None else secret_document(key),
        tuple(products),
        tag,
        os.path.abspath(session_folder / FILE),
        os.path.abspath(data_dir),
        ca_file,
        network.answer_timeout_ms,
    )
