"""Which modules may import which, and what must not be imported until needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import idia_index

ROOT = Path(__file__).parents[1]
FOLDERS = ("idia_index", "backends", "indexes", "cli")
HEAVY = (
    "torch", "onnxruntime", "faiss", "open_clip", "torchvision", "transformers", "matplotlib",
    "pyarrow", "hyperscan", "ahocorasick_rs", "zstandard", "fsspec", "jinja2", "pandas",
    "ray",
)  # fmt: skip
# The stretches of the flow, from the top down: each imports only from those below it.
ORDER = (
    "serve", "testing", "pipelines", "report", "evaluation", "decide", "subjects", "photos",
    "search", "store", "worker_model", "registry", "encode", "engines", "plugins", "captions",
    "prompts", "study", "types", "support", "errors",
)  # fmt: skip
# What authors of plugins have to stand on.
FOUNDATION = {
    "backends": ("plugins", "encode", "prompts", "types", "support", "errors", "backends"),
    "indexes": ("plugins", "types", "support", "errors", "indexes"),
}
READERS = ("pyarrow", "hyperscan", "ahocorasick_rs", "zstandard", "fsspec")  # of captions
SERVER = ("starlette", "uvicorn", "platformdirs", "markupsafe")
LIGHT = {"numpy", "PIL", "threadpoolctl", "tomllib", "tomli", "idia_index"}  # tomli: Python 3.10
EXTRAS = {
    "figures.py": "matplotlib",
    "documents.py": "pandas",
    "remote.py": "fsspec",
}  # imported when they are used


@cache
def files(folder: str) -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob("*.py") if "__pycache__" not in p.parts)


@cache
def imports(path: Path) -> frozenset[str]:
    """Every module that a file imports, at its top or within functions, but for type checkers."""
    found = set()
    for node in _nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def _nodes(tree: ast.AST) -> list[ast.AST]:
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        found += [node, *_nodes(node)]
    return found


def starts(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


@pytest.mark.slow
@pytest.mark.parametrize("folder", [*FOLDERS, "tests", "benchmarks"])
def test_nothing_is_imported_by_its_folder_name(folder: str) -> None:
    for path in files(folder):
        for name in imports(path):
            assert not starts(name, "backends", "indexes", "cli"), f"{path}: {name}"


@pytest.mark.slow
def test_no_test_file_imports_another() -> None:
    for path in files("tests"):
        for name in imports(path):
            assert not starts(name.split(".")[-1], "tests") and not name.startswith("test_"), (
                f"{path}: {name}; what tests share is a module of tests/ without that prefix"
            )


@pytest.mark.slow
def test_the_core_imports_only_the_standard_library_numpy_and_pillow() -> None:
    for path in files("idia_index"):
        for name in imports(path):
            top = name.split(".")[0]
            if EXTRAS.get(path.name) == top:
                continue
            if top in READERS and _stretch(path) in ("captions", "pipelines", "report"):
                continue  # likewise, when captions are searched
            if top == "jinja2" and _stretch(path) in ("report", "serve"):
                continue  # imported when a page is written
            if top == "ray" and _stretch(path) == "engines":
                continue  # a plugin of its own
            if top in SERVER and _stretch(path) == "serve":
                continue  # imported when the pages are served
            assert top in LIGHT or top in sys.stdlib_module_names, f"{path}: {name}"
            if path.name != "__main__.py":  # the command line itself
                assert not starts(
                    name, "idia_index.backends", "idia_index.indexes", "idia_index.cli"
                ), f"{path}: {name}"
                assert _stretch(path) == "engines" or not starts(name, "idia_index.engines"), path


def _stretch(path: Path) -> str:
    """The folder or the module right under `idia_index/` that a file belongs to."""
    return path.relative_to(ROOT / "idia_index").parts[0].removesuffix(".py")


@pytest.mark.slow
@pytest.mark.parametrize("stretch", ORDER)
def test_each_stretch_imports_only_from_those_below_it(stretch: str) -> None:
    above = ORDER[: ORDER.index(stretch)]
    for path in files("idia_index"):
        if _stretch(path) == stretch:
            for name in imports(path):
                for other in above:
                    assert not starts(name, f"idia_index.{other}"), f"{path}: {name}"


def module_name(path: Path) -> str:
    """The name that a file is imported by; that of a package's `__init__.py` is the package's."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    top = parts[:1] if parts[0] == "idia_index" else ("idia_index", parts[0])
    return ".".join([*top, *parts[1:]]).removesuffix(".__init__")


@pytest.mark.slow
def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports of functions count, those for type checkers do not."""
    paths = {module_name(path): path for folder in FOLDERS for path in files(folder)}
    graph = {}
    for module, path in paths.items():
        found = set(imports(path))
        found |= {name.rpartition(".")[0] for name in found}
        graph[module] = (found & paths.keys()) - {module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_every_module_of_the_core_has_its_place_in_the_order() -> None:
    placed = {*ORDER, "__init__", "__main__", "_version"}
    assert {_stretch(path) for path in files("idia_index")} == placed


@pytest.mark.parametrize("folder", ["backends", "indexes"])
def test_plugins_import_what_authors_of_plugins_stand_on(folder: str) -> None:
    allowed = [f"idia_index.{name}" for name in FOUNDATION[folder]]
    for path in files(folder):
        for name in imports(path):
            if starts(name, "idia_index"):
                assert starts(name, *allowed), f"{path}: {name}"


def test_the_command_line_imports_no_plugin_by_name() -> None:
    for path in files("cli"):
        for name in imports(path):
            assert not starts(name, "idia_index.indexes", *HEAVY), f"{path}: {name}"


# What the command line may import of the core: whole jobs, the registry, errors, the public API,
# and support, which knows nothing of the method.
COMMANDS = ("pipelines", "registry", "errors", "support", "_version", "cli", "backends", "serve")


def reaches_past_the_api(path: Path) -> set[str]:
    """What a file of the command line imports of the core that is not its to import."""
    public = {f"idia_index.{name}" for name in idia_index.__all__}
    allowed = [f"idia_index.{name}" for name in COMMANDS]
    found = {name for name in imports(path) if starts(name, "idia_index")}
    return {name for name in found - public if not starts(name, *allowed)}


@pytest.mark.parametrize("path", files("cli"), ids=lambda path: path.name)
def test_the_command_line_imports_pipelines_registry_errors_and_the_public_api(path: Path) -> None:
    assert not reaches_past_the_api(path)


@pytest.mark.parametrize(
    "code",
    [
        "import idia_index",
        "import sys; sys.argv = ['idia-index', '--help']; from idia_index.cli.main import main\n"
        "try: main()\nexcept SystemExit as stop: assert not stop.code",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str) -> None:
    check = f"{code}\nimport sys\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd="/"
    )
    assert done.stdout.splitlines()[-1] == "[]"
