"""The official SDK is a second signer: its tokens and ours are interchangeable, in every spelling of a key.

The SDK has no verifier of its own. Its tokens are judged by the local venue; ours are read by the library it
signs with, in its own environment, with the key as the SDK reads it.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import jwt
import pytest
from coinbase_rest.auth_vectors import vectors
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from engine.core.clock import SystemClock
from engine.exchange.coinbase.keys import AdvancedKey
from engine.exchange.coinbase.signing import AdvancedSigner
from engine.local_venue.advanced.tokens import TokenJudge
from engine.local_venue.keys import Algorithm, CdpKey

pytestmark = pytest.mark.peer

HERE = Path(__file__).parent
PREFIX = "/api/v3/brokerage"
USES = [
    None,
    ["GET", f"{PREFIX}/accounts"],
    ["POST", f"{PREFIX}/orders"],
    ["GET", f"{PREFIX}/orders/historical/batch"],
]
NAME = "organizations/0f6c1f0e/apiKeys/7d1c"
ALGORITHMS = {"es256": Algorithm.ES256, "ed25519": Algorithm.EDDSA}
SPELLINGS = [
    (kind, spelling) for kind in ALGORITHMS for spelling in vectors()[kind] if spelling.startswith("private")
]
SESSION_S = 60

Spelling = tuple[str, str]
"""Kind of key, and how it is written."""
Tokens = dict[Spelling, list[str]]
Told = dict[Spelling, dict[str, list[Any]]]


def _secret(kind: str, spelling: str) -> str:
    text: str = vectors()[kind][spelling]
    return text


def _our_tokens(kind: str, spelling: str) -> list[str]:
    signer = AdvancedSigner(AdvancedKey.create(NAME, _secret(kind, spelling)), SystemClock().wall_ns)
    return [
        signer.ws_fields("user", ())["jwt"]
        if use is None
        else signer.rest_headers(use[0], use[1])["Authorization"].removeprefix("Bearer ")
        for use in USES
    ]


@pytest.fixture(scope="module")
def ours() -> Tokens:
    return {spelt: _our_tokens(*spelt) for spelt in SPELLINGS}


@pytest.fixture(scope="module")
def theirs(sdk_python: Path, ours: Tokens) -> Told:
    """What the SDK made, and what it read in our tokens, by spelling."""
    asked = {
        "keys": [[NAME, _secret(*spelt)] for spelt in SPELLINGS],
        "uses": USES,
        "tokens": list(ours.values()),
    }
    done = subprocess.run(
        [str(sdk_python), str(HERE / "sdk_tokens.py")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=SESSION_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(SPELLINGS, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("spelt", SPELLINGS, ids=" ".join)
def test_the_sdk_reads_our_tokens_as_its_own(spelt: Spelling, theirs: Told) -> None:
    told = theirs[spelt]
    assert len(told["read"]) == len(told["made"]) == len(USES)
    for ours, token in zip(told["read"], told["made"], strict=True):
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
        nonces = [bytes.fromhex(one.pop("nonce")) for one in (ours["header"], header)]
        assert [len(nonce) for nonce in nonces] == [16, 32]
        assert header == ours["header"]
        for both in (claims, ours["claims"]):
            assert both.pop("exp") - both.pop("nbf") in (120, 121)  # the SDK looks at its clock twice
        assert claims == ours["claims"]


@pytest.mark.parametrize("spelt", SPELLINGS, ids=" ".join)
def test_the_local_venue_takes_both_for_the_same_thing(
    spelt: Spelling,
    ours: Tokens,
    theirs: Told,
) -> None:
    kind = spelt[0]
    public: Any = load_pem_public_key(vectors()[kind]["public_key_pem"].encode())
    judge = TokenJudge([CdpKey(NAME, ALGORITHMS[kind], public, "")], SystemClock(), leeway_s=2)
    for tokens in (ours[spelt], theirs[spelt]["made"]):
        for token, use in zip(tokens, USES, strict=True):
            uris = [] if use is None else [f"{use[0]} api.coinbase.com{use[1]}"]
            assert judge.judge(token, uris).name == NAME
