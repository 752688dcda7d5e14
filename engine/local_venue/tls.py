"""TLS of the local venue: an authority and a certificate for this machine's own names, made on the spot.

The authority signs one certificate and its key is then thrown away, never written: whoever trusts `ca.pem`
trusts nothing but that one certificate. It may vouch for this machine's names only, whatever else befalls.
"""

from __future__ import annotations

import datetime as dt
import ssl
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from engine.core.clock import Clock
from engine.local_venue.files import private_folder, write_private

_LIFE: Final = dt.timedelta(days=397)
_LEAST_REST: Final = dt.timedelta(days=1)
"""A certificate with less life than this is made anew: nobody's session shall outlive it."""
_BACKDATED: Final = dt.timedelta(hours=1)
"""So that a client whose clock is a little behind does not refuse a fresh certificate."""
_NAMES: Final = ("localhost",)
_ADDRESSES: Final = ("127.0.0.1", "::1")


class TlsFiles(NamedTuple):
    """Where the parts are."""

    ca: Path
    """What a client must trust (PEM)."""
    certificate: Path
    """What the server shows (PEM)."""
    key: Path
    """The server's private key (PEM, mode 0600)."""


def tls_files(folder: Path, clock: Clock) -> TlsFiles:
    """The parts in `folder`: those that are there while they fit and are valid for a day, else new ones.

    Raises `UsageError` where they cannot be written.
    """
    files = TlsFiles(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    now = dt.datetime.fromtimestamp(clock.wall_ns() / 1e9, dt.UTC)
    if not _are_good(files, now):
        private_folder(folder)
        _make(files, now)
    return files


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """What the server speaks: TLS 1.2 or newer."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    return context


def _are_good(files: TlsFiles, now: dt.datetime) -> bool:
    """Whether all three are there, belong together and live long enough."""
    try:
        authority = x509.load_pem_x509_certificate(files.ca.read_bytes())
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
        certificate.verify_directly_issued_by(authority)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    is_private = not files.key.stat().st_mode & 0o077
    lives = all(
        one.not_valid_before_utc <= now and now + _LEAST_REST <= one.not_valid_after_utc
        for one in (authority, certificate)
    )
    return is_private and lives and key.public_key() == certificate.public_key()


def _make(files: TlsFiles, now: dt.datetime) -> None:
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key, now)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(authority, authority_key, key, now)
    pem = serialization.Encoding.PEM
    # The key first: a crash between two writes leaves parts that do not fit, which the next start sees.
    write_private(
        files.key,
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    write_private(files.certificate, certificate.public_bytes(pem))
    write_private(files.ca, authority.public_bytes(pem))


def _authority(key: ec.EllipticCurvePrivateKey, now: dt.datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pinnacle-tui local venue authority")])
    own_names = [
        *(x509.DNSName(one) for one in _NAMES),
        *(x509.IPAddress(ip_network(one)) for one in _ADDRESSES),
    ]
    return (
        _dated(now)
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(own_names, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _certificate(
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
) -> x509.Certificate:
    own_names = [
        *(x509.DNSName(one) for one in _NAMES),
        *(x509.IPAddress(ip_address(one)) for one in _ADDRESSES),
    ]
    return (
        _dated(now)
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName(own_names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )


def _dated(now: dt.datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _LIFE)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
