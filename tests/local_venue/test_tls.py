"""The local venue's own authority and certificate; and certificates that a client must refuse."""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from local_venue.certificates import bad_context

from engine.core.clock import ManualClock, SystemClock
from engine.core.errors import UsageError
from engine.local_venue.tls import TlsFiles, server_context, tls_files

DAY_NS = 86_400 * 1_000_000_000


def clock(days: float = 0) -> ManualClock:
    return ManualClock(0, SystemClock().wall_ns() + round(days * DAY_NS))


async def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> str:
    """Greet over TLS; the protocol's version. Raises what the client raises."""
    done = asyncio.Event()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"hello")
            await writer.drain()
            await reader.read()
        except (OSError, ssl.SSLError):
            pass
        finally:
            writer.close()
            done.set()

    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=server) as listening:
        port = listening.sockets[0].getsockname()[1]
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=name), 5
        )
        assert await reader.readexactly(5) == b"hello"
        version: str = writer.get_extra_info("ssl_object").version()
        writer.close()
        await asyncio.wait_for(done.wait(), 5)
        return version


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
async def test_a_client_that_trusts_the_authority_believes_the_server(tmp_path: Path, name: str) -> None:
    files = tls_files(tmp_path, clock())
    client = ssl.create_default_context(cafile=str(files.ca))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    assert await handshake(server_context(files), client, name) == "TLSv1.3"


async def test_the_authority_vouches_for_no_other_name(tmp_path: Path) -> None:
    files = tls_files(tmp_path, clock())
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        await handshake(
            server_context(files), ssl.create_default_context(cafile=str(files.ca)), "api.coinbase.com"
        )
    constraints = x509.load_pem_x509_certificate(files.ca.read_bytes()).extensions.get_extension_for_class(
        x509.NameConstraints
    )
    assert constraints.critical
    assert [str(one.value) for one in constraints.value.permitted_subtrees or ()] == [
        "localhost",
        "127.0.0.1/32",
        "::1/128",
    ]


def test_keys_are_their_owners_alone_and_the_authoritys_is_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "venue"
    before = os.umask(0)
    try:
        files = tls_files(folder, clock())
    finally:
        os.umask(before)
    assert sorted(path.name for path in folder.iterdir()) == ["ca.pem", "server.key", "server.pem"]
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "PRIVATE" not in files.ca.read_text() + files.certificate.read_text()


def test_parts_are_used_again_while_they_are_good(tmp_path: Path) -> None:
    files = tls_files(tmp_path, clock())
    before = [path.read_bytes() for path in files]
    assert tls_files(tmp_path, clock(395)) == files
    assert [path.read_bytes() for path in files] == before


def _expire(files: TlsFiles) -> ManualClock:
    return clock(397)


def _too_early(files: TlsFiles) -> ManualClock:
    return clock(-1)


def _open_to_all(files: TlsFiles) -> ManualClock:
    files.key.chmod(0o644)
    return clock()


def _lose_key(files: TlsFiles) -> ManualClock:
    files.key.unlink()
    return clock()


def _damage(files: TlsFiles) -> ManualClock:
    files.certificate.write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    return clock()


def _mix(files: TlsFiles) -> ManualClock:
    other = tls_files(files.ca.parent / "other", clock())
    files.ca.write_bytes(other.ca.read_bytes())
    return clock()


def _swap_key(files: TlsFiles) -> ManualClock:
    other = tls_files(files.ca.parent / "other", clock())
    files.key.write_bytes(other.key.read_bytes())
    return clock()


@pytest.mark.parametrize("harm", [_expire, _too_early, _open_to_all, _lose_key, _damage, _mix, _swap_key])
def test_parts_that_are_not_good_are_made_anew(tmp_path: Path, harm: object) -> None:
    files = tls_files(tmp_path, clock())
    before = files.ca.read_bytes()
    assert callable(harm)
    now = harm(files)
    tls_files(tmp_path, now)
    assert files.ca.read_bytes() != before
    x509.load_pem_x509_certificate(files.certificate.read_bytes()).verify_directly_issued_by(
        x509.load_pem_x509_certificate(files.ca.read_bytes())
    )
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="give another folder"):
        tls_files(tmp_path / "file" / "folder", clock())


@pytest.mark.parametrize(
    ("fault", "words"),
    [("self-signed", "self-signed|signature failure"), ("expired", "expired"), ("wrong-host", "mismatch")],
)
async def test_certificates_that_a_client_refuses(tmp_path: Path, fault: str, words: str) -> None:
    server, trusted = bad_context(tmp_path, fault)
    with pytest.raises(ssl.SSLCertVerificationError, match=f"(?i){words}"):
        await handshake(server, ssl.create_default_context(cafile=str(trusted)), "localhost")


async def test_a_protocol_that_a_client_refuses(tmp_path: Path) -> None:
    server, trusted = bad_context(tmp_path, "tls-1.0")
    client = ssl.create_default_context(cafile=str(trusted))
    # The server ends the connection with or without saying why, as its library sees fit.
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        await handshake(server, client, "localhost")


async def test_the_venue_itself_speaks_nothing_older_than_tls_1_2(tmp_path: Path) -> None:
    context = server_context(tls_files(tmp_path, clock()))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
