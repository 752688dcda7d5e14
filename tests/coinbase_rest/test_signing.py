"""Tokens and signatures, against reference vectors and against the public halves of the keys."""

from __future__ import annotations

import base64
from typing import Any

import jwt
import pytest

from engine.core.secret import Secret
from engine.exchange.coinbase.keys import AdvancedKey, ExchangeKey
from engine.exchange.coinbase.signing import AdvancedSigner, ExchangeSigner, signer_for

PREFIX = "/api/v3/brokerage"


def _signer(vectors: dict[str, Any], kind: str, seconds: int) -> AdvancedSigner:
    name = vectors["jwt_cases"][0]["key_name"]
    private = {"es256": "private_key_sec1_pem", "ed25519": "private_key_base64_64_bytes_seed_and_public"}[
        kind
    ]
    return AdvancedSigner(
        AdvancedKey.create(name, vectors[kind][private]), lambda: seconds * 10**9 + 999_999_999
    )


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


def test_no_two_tokens_share_a_nonce(vectors: dict[str, Any]) -> None:
    signer = _signer(vectors, "ed25519", 1)
    tokens = [signer.ws_fields("user", ())["jwt"] for _ in range(200)]
    assert len({jwt.get_unverified_header(token)["nonce"] for token in tokens}) == 200


def test_a_token_of_another_key_does_not_verify(vectors: dict[str, Any]) -> None:
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
