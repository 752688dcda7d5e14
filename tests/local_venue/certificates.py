"""Certificates that no client must accept, and contexts that show them."""

from __future__ import annotations

import datetime as dt
import ssl
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = dt.timedelta(days=1)


def bad_context(folder: Path, fault: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context with one fault, and the certificate that a client should be told to trust.

    `self-signed`: a certificate of its own, and the trusted one is another's · `expired` · `wrong-host` ·
    `tls-1.0`: a good certificate, and no newer protocol.
    """
    now = dt.datetime.now(dt.UTC)
    name = "other.example" if fault == "wrong-host" else "localhost"
    until = now - _DAY if fault == "expired" else now + _DAY
    shown = _write(folder, "shown", name, now - 10 * _DAY, until)
    trusted = shown
    if fault == "self-signed":
        trusted = _write(folder, "trusted", name, now - _DAY, until)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if fault == "tls-1.0":
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it shall be old
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1
    context.load_cert_chain(shown, folder / "shown.key")
    return context, trusted


def _write(folder: Path, stem: str, name: str, since: dt.datetime, until: dt.datetime) -> Path:
    """A certificate signed by itself, so that trusting it is trusting its issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{stem} {name}")])
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / f"{stem}.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    path = folder / f"{stem}.pem"
    path.write_bytes(certificate.public_bytes(pem))
    return path
