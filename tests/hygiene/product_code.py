"""The product's source files as syntax trees, for rules that hold for all of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Module(NamedTuple):
    """One file."""

    path: str
    """From the root, with slashes."""
    source: str

    @property
    def tree(self) -> ast.Module:
        """Parsed once."""
        return _parsed(self.source)


@cache
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


@cache
def modules() -> tuple[Module, ...]:
    """Every file of the engine and the console."""
    files = [
        file for package in ("engine", "pinnacle_tui") for file in sorted((ROOT / package).rglob("*.py"))
    ]
    return tuple(Module(str(file.relative_to(ROOT)), file.read_text("utf-8")) for file in files)


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call in a tree."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(node: ast.AST) -> str:
    """`a.b.c` of an expression that is a name with attributes; a call in between counts as `()`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return "()"
