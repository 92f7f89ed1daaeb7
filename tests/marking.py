"""Marks `torch` and `process` from the tests' source, so that they need no maintenance.

A test needs what its body, its decorators, and the fixtures and helpers that they name import or
require: in its own file, in the helper modules of this folder, or for a whole file at its top.
What this cannot see (a backend that is loaded by its name) is marked by hand.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

HELPERS = {path.stem: path for path in Path(__file__).parent.glob("*.py")}
NEEDS = {
    "torch": {"torch", "torchvision", "open_clip", "transformers", "onnxscript"},
    "process": {"subprocess", "multiprocessing"},
}


@cache
def needs_of(path: Path, test: str) -> list[str]:
    """Which marks a test needs: any of "torch" and "process"."""
    needed = _read(path).required | _reached(path, test)
    return [need for need, modules in NEEDS.items() if modules & needed]


class _File:
    """What a file of tests or helpers imports, defines, and cannot be imported without."""

    def __init__(self, path: Path) -> None:
        self.imported: dict[str, tuple[str, str]] = {}
        self.defined: dict[str, ast.stmt] = {}
        self.required: set[str] = set()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = getattr(node, "module", None)
                for alias in node.names:
                    place = (module, alias.name) if module else (alias.name, "")
                    self.imported[alias.asname or _top(alias.name)] = place
                    self.required |= {_top(place[0])} & NEEDS["torch"]
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                self.defined[node.name] = node
            elif isinstance(node, ast.Assign | ast.Expr):
                self.required |= _uses(node)[0]
                for target in getattr(node, "targets", []):
                    self.defined |= {
                        t.id: node for t in ast.walk(target) if isinstance(t, ast.Name)
                    }


_read = cache(_File)


def _top(module: str) -> str:
    return module.split(".")[0]


def _uses(node: ast.AST) -> tuple[set[str], set[str]]:
    """The packages that a statement imports or requires by `importorskip`, and the names in it."""
    modules: set[str] = set()
    names: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            names.add(part.id)
        elif isinstance(part, ast.arg):
            names.add(part.arg)
        elif isinstance(part, ast.Import):
            modules |= {_top(alias.name) for alias in part.names}
        elif isinstance(part, ast.ImportFrom):
            modules.add(_top(part.module or ""))
        elif isinstance(part, ast.Call) and getattr(part.func, "attr", "") == "importorskip":
            modules |= {_top(a.value) for a in part.args[:1] if isinstance(a, ast.Constant)}
    return modules, names


@cache
def _defined(path: Path, name: str) -> tuple[set[str], set[str]]:
    return _uses(_read(path).defined[name])


@cache
def _reached(path: Path, start: str) -> frozenset[str]:
    """The packages that whatever is called `start` in a file comes to use."""
    file, found, seen, todo = _read(path), set(), set(), {start}
    while todo:
        name = todo.pop()
        seen.add(name)
        if name in file.imported:
            module, attribute = file.imported[name]
            found.add(_top(module))
            if module in HELPERS:
                helper = HELPERS[module]
                found |= _read(helper).required | _reached(helper, attribute)
        elif name in file.defined:
            modules, names = _defined(path, name)
            found |= modules
            todo |= names - seen
    return frozenset(found)
