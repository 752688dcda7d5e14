"""Rules that hold for every file of the product: no markup from data, nothing that runs or trusts data."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from hygiene.product_code import Module, calls, modules, name_of

# -- text in widgets -----------------------------------------------------------------------------

TAKES_MARKUP = {"Static", "Label", "Digits", "Link", "Collapsible", "RichLog", "Log"}
"""Widgets whose text is markup unless they are told otherwise."""
BUILT = {"Content", "Text"}
"""Classes that take text as data."""
MARKUP = {"Content.from_markup", "Text.from_markup", "Markdown", "visualize", "render_str"}
"""What reads markup in any case."""


def markup_faults(module: Module) -> Iterator[str]:
    """Places of a file where data could be taken for markup."""
    for call in calls(module.tree):
        name = name_of(call.func)
        last = name.rpartition(".")[2]
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        markup = keywords.get("markup")
        is_off = isinstance(markup, ast.Constant) and markup.value is False
        if name in MARKUP or last == "from_markup":
            yield f"{module.path}:{call.lineno}: {name} reads markup"
        elif last in (*TAKES_MARKUP, "notify") and not is_off:
            yield f"{module.path}:{call.lineno}: {name} without markup=False"
        elif last in ("border_title", "border_subtitle") and call.args:
            yield f"{module.path}:{call.lineno}: {name} reads markup"
    for node in ast.walk(module.tree):
        targets = node.targets if isinstance(node, ast.Assign) else ()
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr in ("border_title", "border_subtitle"):
                yield f"{module.path}:{node.lineno}: a border's title reads markup"
        if isinstance(node, ast.ClassDef):
            yield from _subclass_faults(module, node)


def _subclass_faults(module: Module, node: ast.ClassDef) -> Iterator[str]:
    """A subclass of a widget that takes markup hands `markup=False` on where it is made."""
    if not any(name_of(base).rpartition(".")[2] in TAKES_MARKUP for base in node.bases):
        return
    draws = any(
        isinstance(part, ast.FunctionDef) and part.name in ("render", "render_line") for part in node.body
    )
    if draws:
        return
    made = [call for call in calls(node) if name_of(call.func) == "().__init__"]
    if not any(keyword.arg == "markup" for call in made for keyword in call.keywords):
        yield f"{module.path}:{node.lineno}: {node.name} does not switch markup off"


def test_no_text_reaches_a_widget_as_markup() -> None:
    faults = [
        fault
        for module in modules()
        if module.path.startswith("pinnacle_tui/")
        for fault in markup_faults(module)
    ]
    assert not faults


@pytest.mark.parametrize(
    "line",
    [
        "yield Static(f'order {order.client_id}')",
        "yield Label(text, markup=True)",
        "self.app.notify(f'{text}')",
        "notify(text)",
        "return Content.from_markup('[b]$x', x=1)",
        "panel.border_title = f'{product}'",
        "class Words(Static):\n    def __init__(self): super().__init__('')",
    ],
)
def test_markup_would_be_found(line: str) -> None:
    assert list(markup_faults(Module("x.py", line)))


@pytest.mark.parametrize(
    "line",
    [
        "yield Static(f'order {order.client_id}', markup=False)",
        "self.notify(text, markup=False)",
        "class Words(Static):\n    def __init__(self): super().__init__(markup=False)",
        "class Drawn(Static):\n    def render(self): return Content('x')",
    ],
)
def test_data_is_no_fault(line: str) -> None:
    assert not list(markup_faults(Module("x.py", line)))


# -- what runs or trusts data --------------------------------------------------------------------

FORBIDDEN_IMPORTS = {"pickle", "cPickle", "shelve", "marshal", "dill", "yaml", "telnetlib", "ftplib", "xml"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "os.system",
    "os.popen",
    "tempfile.mktemp",
    "ssl._create_unverified_context",
    "yaml.load",
    "rich.traceback.install",
    "traceback.install",
    "faulthandler.enable",
}
"""The last three print or could print what is in variables, or memory, of a process that holds keys."""
FORBIDDEN_NAMES = {"CERT_NONE", "PROTOCOL_TLSv1", "PROTOCOL_TLSv1_1", "PROTOCOL_SSLv23"}
FORBIDDEN_KEYWORDS = {
    "shell": True,
    "verify": False,
    "verify_ssl": False,
    "ssl": False,
    "check_hostname": False,
    "show_locals": True,
    "capture_locals": True,
    "tracebacks_show_locals": True,
}


def trust_faults(module: Module) -> Iterator[str]:
    """Places of a file that run data, trust a stranger, or show variables."""
    for node in ast.walk(module.tree):
        where = f"{module.path}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            yield from (f"{where}: {name}" for name in names if name.partition(".")[0] in FORBIDDEN_IMPORTS)
        elif isinstance(node, ast.Call):
            if name_of(node.func) in FORBIDDEN_CALLS:
                yield f"{where}: {name_of(node.func)}"
            for keyword in node.keywords:
                value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
                if isinstance(value, bool) and FORBIDDEN_KEYWORDS.get(keyword.arg or "") is value:
                    yield f"{where}: {keyword.arg}={value}"
        elif isinstance(node, ast.Attribute) and node.attr in FORBIDDEN_NAMES:
            yield f"{where}: {node.attr}"
        elif (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and node.value.value is False
        ):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and target.attr == "check_hostname":
                    yield f"{where}: check_hostname = False"


def test_nothing_runs_data_trusts_a_stranger_or_shows_variables() -> None:
    assert not [fault for module in modules() for fault in trust_faults(module)]


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "eval(text)",
        "subprocess.run(line, shell=True)",
        "yaml.load(text)",
        "tempfile.mktemp()",
        "context.verify_mode = ssl.CERT_NONE",
        "context.check_hostname = False",
        "session.get(url, ssl=False)",
        "traceback.TracebackException.from_exception(error, capture_locals=True)",
    ],
)
def test_it_would_be_found(line: str) -> None:
    assert list(trust_faults(Module("x.py", line)))


def test_every_file_is_looked_at() -> None:
    assert len(modules()) > 300
    assert {"engine/core/secret.py", "pinnacle_tui/app.py"} <= {module.path for module in modules()}
