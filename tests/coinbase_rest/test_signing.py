"""Tokens and signatures, against reference vectors and against the public halves of the keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from engine.core.clock import ManualClock
from engine.core.secret import Secret
from engine.exchange.coinbase.keys import AdvancedKey, ExchangeKey
from engine.exchange.coinbase.signing import AdvancedSigner, ExchangeSigner, signer_for
from engine.local_venue.advanced.tokens import TokenJudge, TokenRefused
from engine.local_venue.keys import Algorithm, CdpKey, Rights

PREFIX = "/api/v3/brokerage"
ALGORITHMS = {"es256": Algorithm.ES256, "ed25519": Algorithm.EDDSA}
SPELLINGS = [
    ("es256", "private_key_sec1_pem"),
    ("es256", "private_key_pkcs8_pem"),
    ("es256", "private_key_as_one_line_env"),
    ("ed25519", "private_key_base64_64_bytes_seed_and_public"),
    ("ed25519", "private_key_base64_32_bytes_seed"),
    ("ed25519", "private_key_pkcs8_pem"),
]
NOW_S = 1_790_000_000
NS = 10**9
ACCOUNTS = f"{PREFIX}/accounts"


def _signer(vectors: dict[str, Any], kind: str, seconds: int) -> AdvancedSigner:
    name = vectors["jwt_cases"][0]["key_name"]
    private = {"es256": "private_key_sec1_pem", "ed25519": "private_key_base64_64_bytes_seed_and_public"}[
        kind
    ]
    return AdvancedSigner(
        AdvancedKey.create(name, vectors[kind][private]), lambda: seconds * 10**9 + 999_999_999
    )


def _bearer(signer: AdvancedSigner, method: str, target: str) -> str:
    return signer.rest_headers(method, target)["Authorization"].removeprefix("Bearer ")


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize("kind", ["es256", "ed25519"])
def test_tokens_carry_exactly_the_reference_claims(vectors: dict[str, Any], kind: str) -> None:
    algorithm = {"es256": "ES256", "ed25519": "EdDSA"}[kind]
    assert len(vectors["jwt_cases"]) == 4
    for case in vectors["jwt_cases"]:
        signer = _signer(vectors, kind, case["now"])
        uri = case["payload"].get("uri")
        if uri is None:
            token = signer.ws_fields("user", ())["jwt"]
        else:
            method, address = uri.split(" ")
            path = address.removeprefix("api.coinbase.com")
            headers = signer.rest_headers(method.lower(), f"{path}?order_status=OPEN", b"{}")
            kind_of_token, token = headers["Authorization"].split(" ")
            assert list(headers) == ["Authorization"]
            assert kind_of_token == "Bearer"
        claims = jwt.decode(
            token,
            vectors[kind]["public_key_pem"],
            algorithms=[algorithm],
            options={"verify_exp": False, "verify_nbf": False},
        )
        assert claims == case["payload"]
        header = jwt.get_unverified_header(token)
        nonce = header.pop("nonce")
        expected = {"es256": case["header_es256"], "ed25519": case["header_eddsa"]}[kind]
        assert header == {name: value for name, value in expected.items() if name != "nonce"}
        assert len(bytes.fromhex(nonce)) == 16
        assert len(base64.urlsafe_b64decode(token.rpartition(".")[2] + "==")) == 64


def test_every_spelling_of_a_key_is_listed(vectors: dict[str, Any]) -> None:
    spelt = [(kind, name) for kind in ALGORITHMS for name in vectors[kind] if name.startswith("private")]
    assert spelt == SPELLINGS


@pytest.mark.parametrize(("kind", "spelling"), SPELLINGS)
def test_a_signature_is_64_raw_bytes_over_what_was_sent(
    vectors: dict[str, Any], kind: str, spelling: str
) -> None:
    signer = AdvancedSigner(AdvancedKey.create("n", vectors[kind][spelling]), lambda: NOW_S * NS)
    public = load_pem_public_key(vectors[kind]["public_key_pem"].encode())
    for token in (signer.ws_fields("user", ())["jwt"], _bearer(signer, "GET", ACCOUNTS)):
        signed, _, signature = token.rpartition(".")
        raw = _unpadded(signature)
        assert len(raw) == 64
        # Verified by hand: r and s side by side, not the DER of certificates.
        if isinstance(public, EllipticCurvePublicKey):
            r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
            public.verify(encode_dss_signature(r, s), signed.encode(), ECDSA(SHA256()))
        else:
            assert isinstance(public, Ed25519PublicKey)
            public.verify(raw, signed.encode())
        header, claims = (json.loads(_unpadded(part)) for part in signed.split("."))
        assert header.keys() == {"alg", "kid", "nonce", "typ"}
        assert (header["alg"], header["kid"], header["typ"]) == (ALGORITHMS[kind], "n", "JWT")
        assert (claims["sub"], claims["iss"]) == ("n", "cdp")
        assert (claims["nbf"], claims["exp"]) == (NOW_S, NOW_S + 120)


def test_an_ed25519_token_is_the_references_byte_for_byte(
    vectors: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for case in vectors["jwt_cases"]:
        monkeypatch.setattr(secrets, "token_hex", lambda count, case=case: case["nonce"][: 2 * count])
        signer = _signer(vectors, "ed25519", case["now"])
        use = case["payload"].get("uri")
        token = (
            signer.ws_fields("user", ())["jwt"]
            if use is None
            else _bearer(signer, *use.replace("api.coinbase.com", "").split(" "))
        )
        parts = [json.dumps(part, separators=(",", ":")) for part in (case["header_eddsa"], case["payload"])]
        spelt = ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)
        assert token == f"{spelt}.{case['eddsa_signature']}"


def _judge(vectors: dict[str, Any], kind: str, clock: ManualClock) -> TokenJudge:
    """The local venue's, which knows the public half alone."""
    public: Any = load_pem_public_key(vectors[kind]["public_key_pem"].encode())
    return TokenJudge([CdpKey("n", ALGORITHMS[kind], public, "", Rights())], clock, leeway_s=0)


@pytest.mark.parametrize(("kind", "spelling"), SPELLINGS)
def test_a_token_opens_what_it_was_made_for_and_nothing_else(
    vectors: dict[str, Any], kind: str, spelling: str
) -> None:
    clock = ManualClock(wall_ns=NOW_S * NS)
    judge = _judge(vectors, kind, clock)
    signer = AdvancedSigner(AdvancedKey.create("n", vectors[kind][spelling]), clock.wall_ns)
    own = f"GET api.coinbase.com{ACCOUNTS}"
    wrong: tuple[list[str], ...] = (
        [f"POST api.coinbase.com{ACCOUNTS}"],
        [f"GET api.coinbase.com{PREFIX}/orders/historical/batch"],
        [f"GET api.example.com{ACCOUNTS}"],
        [f"{own}?limit=250"],
        [],
    )
    for uris in wrong:
        with pytest.raises(TokenRefused, match="uri"):
            judge.judge(_bearer(signer, "GET", f"{ACCOUNTS}?limit=250"), uris)
    token = _bearer(signer, "GET", f"{ACCOUNTS}?limit=250")
    assert judge.judge(token, [own]).name == "n"
    with pytest.raises(TokenRefused, match="nonce"):
        judge.judge(token, [own])
    feed = signer.ws_fields("user", ())["jwt"]
    with pytest.raises(TokenRefused, match="uri"):
        judge.judge(feed, [own])
    assert judge.judge(feed).name == "n"


@pytest.mark.parametrize("kind", ALGORITHMS)
@pytest.mark.parametrize(("seconds", "is_good"), [(-1, False), (0, True), (119, True), (120, False)])
def test_a_token_is_good_for_120_seconds(
    vectors: dict[str, Any], kind: str, seconds: int, is_good: bool
) -> None:
    signer = _signer(vectors, kind, NOW_S)
    name = vectors["jwt_cases"][0]["key_name"]
    public: Any = load_pem_public_key(vectors[kind]["public_key_pem"].encode())
    clock = ManualClock(wall_ns=(NOW_S + seconds) * NS)
    judge = TokenJudge([CdpKey(name, ALGORITHMS[kind], public, "")], clock, leeway_s=0)
    token = signer.ws_fields("user", ())["jwt"]
    if is_good:
        assert judge.judge(token).name == name
    else:
        with pytest.raises(TokenRefused, match="the token is good from"):
            judge.judge(token)


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_a_token_under_another_algorithms_name_opens_nothing(vectors: dict[str, Any], kind: str) -> None:
    clock = ManualClock(wall_ns=NOW_S * NS)
    judge = _judge(vectors, kind, clock)
    public = vectors[kind]["public_key_pem"]
    claims = {"sub": "n", "iss": "cdp", "nbf": NOW_S, "exp": NOW_S + 120}
    header = {"kid": "n", "nonce": "00", "typ": "JWT"}
    forgeries: dict[str, Callable[[bytes], bytes]] = {
        "none": lambda text: b"",
        "HS256": lambda text: hmac.digest(public.encode(), text, hashlib.sha256),
    }
    for algorithm, sign in forgeries.items():
        parts = [json.dumps(part).encode() for part in ({**header, "alg": algorithm}, claims)]
        signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
        token = b".".join((signed, base64.urlsafe_b64encode(sign(signed)).rstrip(b"="))).decode()
        with pytest.raises(TokenRefused):
            judge.judge(token)


def test_no_two_tokens_share_a_nonce(vectors: dict[str, Any]) -> None:
    signer = _signer(vectors, "ed25519", 1)
    tokens = [signer.ws_fields("user", ())["jwt"] for _ in range(200)]
    assert len({jwt.get_unverified_header(token)["nonce"] for token in tokens}) == 200


def test_a_changed_signature_does_not_verify(vectors: dict[str, Any]) -> None:
    token = _signer(vectors, "ed25519", 1).ws_fields("user", ())["jwt"]
    head, payload, signature = token.split(".")
    forged = f"{head}.{payload}.{'A' * 4 + signature[4:]}"
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(forged, vectors["ed25519"]["public_key_pem"], algorithms=["EdDSA"])


def test_exchange_signatures_are_the_reference_ones(vectors: dict[str, Any]) -> None:
    assert len(vectors["exchange_hmac"]) == 5
    for case in vectors["exchange_hmac"]:
        seconds, _, rest = case["timestamp"].partition(".")
        ns = int(seconds) * 10**9 + int(rest.ljust(9, "0") or 0)
        key = ExchangeKey.create("k", case["secret_base64"], "p")
        signer = ExchangeSigner(key, lambda ns=ns: ns)  # type: ignore[misc]
        headers = signer.rest_headers(case["method"].lower(), case["request_path"], case["body"].encode())
        # Ours has milliseconds always: what is signed is the very text that is sent.
        assert headers["CB-ACCESS-TIMESTAMP"] == f"{seconds}.{rest.ljust(3, '0')[:3]}"
        assert (headers["CB-ACCESS-KEY"], headers["CB-ACCESS-PASSPHRASE"]) == ("k", "p")
        if "." in case["timestamp"]:
            assert headers["CB-ACCESS-SIGN"] == case["signature_base64"]


def test_exchange_signs_whole_seconds_like_the_reference(
    vectors: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for case in vectors["exchange_hmac"]:
        signer = ExchangeSigner(ExchangeKey.create("k", case["secret_base64"], "p"), lambda: 0)
        monkeypatch.setattr(ExchangeSigner, "_timestamp", lambda self, case=case: case["timestamp"])
        headers = signer.rest_headers(case["method"], case["request_path"], case["body"].encode())
        assert headers["CB-ACCESS-SIGN"] == case["signature_base64"]
        if case["request_path"] == "/users/self/verify":
            fields = signer.ws_fields("user", ["BTC-USD"])
            assert fields == {
                "key": "k",
                "passphrase": "p",
                "timestamp": case["timestamp"],
                "signature": case["signature_base64"],
            }


def test_the_signer_of_a_key() -> None:
    exchange = ExchangeKey("k", Secret(b"s"), Secret("p"))
    assert isinstance(signer_for(exchange, lambda: 0), ExchangeSigner)
    seed = base64.b64encode(bytes(32)).decode()
    assert isinstance(signer_for(AdvancedKey.create("n", seed), lambda: 0), AdvancedSigner)
