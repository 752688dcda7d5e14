"""The TLS context of every connection: the system's authorities, and one more where the settings name it."""

from __future__ import annotations

import os
import ssl

from engine.core.errors import UsageError


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """A context that verifies certificate and host name, with TLS 1.2 or newer. There is no way round it.

    `ca_file` is a PEM file to be trusted beside the system's. `UsageError` when it cannot be read.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=os.path.expanduser(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"network.ca_file = {ca_file}: cannot be read as certificates (PEM): "
                f"{getattr(error, 'strerror', None) or error}"
            ) from None
    return context
