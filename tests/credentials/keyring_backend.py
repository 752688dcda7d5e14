"""A keyring that has one password: for programs that are started with PYTHON_KEYRING_BACKEND."""

from __future__ import annotations

from credentials.run_kit import PASSWORD
from keyring.backend import KeyringBackend
from keyring.errors import PasswordSetError


class Fixed(KeyringBackend):
    """Knows the master password of every vault."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        return PASSWORD if service == "pinnacle-tui" else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise PasswordSetError("this one is only read")
