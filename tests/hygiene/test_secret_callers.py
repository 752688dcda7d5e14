"""Who sees what a Secret holds: this list, and nobody else. A new caller is added by hand, with the why."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from hygiene.product_code import modules

ALLOWED = {
    "engine/commands/credential_desk.py": {"_fingerprint": "remembers what was checked, as a digest"},
    "engine/commands/pasted_keys.py": {
        "_text": "reads what was pasted",
        "key_of_draft": "checks a key at the venue",
        "fields_of_draft": "puts a key into the vault",
    },
    "engine/credentials/entries.py": {"_document": "the vault's plaintext"},
    "engine/credentials/log_filter.py": {"_spellings": "looks for known secrets in what is logged"},
    "engine/credentials/passwords.py": {"judge": "judges a new master password"},
    "engine/credentials/pinnaclemm_file.py": {"_opened": "derives the key of an older file"},
    "engine/credentials/vault_format.py": {"_normalised": "derives the keys of the vault"},
    "engine/exchange/coinbase/keys.py": {"secret_document": "a key for the vault, the engine, the watchdog"},
    "engine/exchange/coinbase/signing.py": {
        "rest_headers": "authenticates a request",
        "ws_fields": "authenticates a subscription",
        "_signature": "signs",
    },
    "engine/runtime/key_source.py": {"_key": "the key of a run, out of the vault"},
    "pinnacle_tui/widgets/secret_input.py": {"fill": "puts what was entered before back into the field"},
    "pinnacle_tui/key_handover.py": {"_give": "hands a key to the engine over an inherited pipe"},
}


class _Callers(ast.NodeVisitor):
    """Finds the functions in which `reveal` is named, or `text()` is called without arguments."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._inside: list[str] = ["module"]

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._inside.append(node.name)
        self.generic_visit(node)
        self._inside.pop()

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr == "reveal":
            self.found.add(self._inside[-1])
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "text" and not node.args:
            self.found.add(self._inside[-1])
        self.generic_visit(node)


def callers(tree: ast.AST) -> set[str]:
    visitor = _Callers()
    visitor.visit(tree)
    return visitor.found


def in_the_product() -> Iterator[tuple[str, set[str]]]:
    for module in modules():
        if module.path != "engine/core/secret.py" and (
            ".reveal" in module.source or ".text(" in module.source
        ):
            found = callers(module.tree)
            if found:
                yield module.path, found


def test_only_these_functions_look_into_a_secret() -> None:
    assert dict(in_the_product()) == {path: set(functions) for path, functions in ALLOWED.items()}


def test_no_other_way_in_is_used() -> None:
    reads = [
        (module.path, node.lineno)
        for module in modules()
        if module.path != "engine/core/secret.py" and "_held" in module.source
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and node.attr == "_held"
        and not (isinstance(node.value, ast.Name) and node.value.id == "self")
    ]
    assert not reads


def test_a_caller_would_be_found() -> None:
    source = """
def sign(key): return hmac(key.secret.reveal())
async def ask(key):
    yield {"passphrase": key.passphrase.text()}
show = Secret.reveal
def other(event): return event.text, event.text(1)
"""
    assert callers(ast.parse(source)) == {"sign", "ask", "module"}
