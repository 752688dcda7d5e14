"""Run by the interpreter that has the official SDK: makes tokens as the SDK does, and reads those of others.

Nothing of this project is imported here. Standard input is JSON: `keys` (name and secret, as pasted), `uses`
(method and path, or null for a WebSocket) and `tokens` (by another program, one for each use of each key).
Standard output: what the SDK made of the same, and what was in those tokens, whose signatures are verified.
"""

from __future__ import annotations

import json
import sys

import jwt
from coinbase import jwt_generator
from coinbase.rest import RESTClient


def made(client, use):
    """The SDK's token for one use."""
    if use is None:
        return jwt_generator.build_ws_jwt(client.api_key, client.api_secret)
    uri = jwt_generator.format_jwt_uri(*use)
    return jwt_generator.build_rest_jwt(uri, client.api_key, client.api_secret)


def read(client, token):
    """Header and claims of a token that verifies with the key as the SDK reads it; its times are of now."""
    key = jwt_generator._load_private_key(client.api_secret)
    claims = jwt.decode(token, key.public_key(), algorithms=[jwt_generator._algorithm_for(key)])
    return {"header": jwt.get_unverified_header(token), "claims": claims}


def main():
    asked = json.load(sys.stdin)
    told = []
    for (name, secret), tokens in zip(asked["keys"], asked["tokens"], strict=True):
        client = RESTClient(api_key=name, api_secret=secret)
        told.append(
            {
                "made": [made(client, use) for use in asked["uses"]],
                "read": [read(client, token) for token in tokens],
            }
        )
    json.dump(told, sys.stdout)


main()
