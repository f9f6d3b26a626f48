"""The rules of the layout: who imports whom, what is imported late, what lies where, what is listed."""

from __future__ import annotations

import ast
import fnmatch
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("app", "engine", "widgets")
TOP_LEVEL = {
    *("app", "widgets", "engine", "shaders", "resources", "tests", "main.py", "pyproject.toml"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "NOTICE"),
    *(".ci", ".git", ".gitattributes", ".gitignore", ".pre-commit-config.yaml", ".editorconfig", ".github"),
}
HEAVY = {"torch", "dlib", "cv2", "pyqtgraph", "scipy", "trimesh"}
QT = {"PySide6", "shiboken6", "pyqtgraph"}
MOST_LINES = 400
LISTED_RESOURCES = ("models", "packs", "samples")
MACHINE_PATHS = re.compile(r"/(?:work|root|home/\w+|Users/\w+)/" + r"|(?<![\w.}])/tmp" + r"/\w|[A-Z]:\\\\?Users\\")
TEXT_SUFFIXES = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".glsl", ".vert", ".frag", ".sh", ".desktop", ".svg"}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(node: ast.AST, path: Path) -> Iterator[str]:
    """Yield the dotted modules that one import statement names; relative ones made absolute."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = path.relative_to(ROOT).parent.parts
        base = package[: len(package) - node.level + 1] if node.level else ()
        module = ".".join((*base, *([node.module] if node.module else [])))
        yield module
        yield from (f"{module}.{alias.name}" for alias in node.names)


def imports(path: Path) -> set[str]:
    """Return every dotted name imported anywhere in a file, also inside functions."""
    return {name for node in ast.walk(tree_of(path)) for name in imported(node, path)}


def top_packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def imports_at_start(path: Path) -> set[str]:
    """Return the packages that importing the file imports: not those in functions or for the type checker only."""
    found: set[str] = set()
    waiting: list[ast.AST] = [tree_of(path)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
            continue
        found |= {name.split(".")[0] for name in imported(node, path)}
        waiting.extend(ast.iter_child_nodes(node))
    return found


def calls(path: Path, function: str) -> int:
    return sum(isinstance(node, ast.Call) and ast.unparse(node.func) == function for node in ast.walk(tree_of(path)))


@pytest.mark.parametrize("path", sources("engine"), ids=name_of)
def test_engine_knows_no_interface(path):
    assert not top_packages(path) & {*QT, "widgets", "app", "tests"}
    if not path.is_relative_to(ROOT / "engine" / "render"):
        assert "moderngl" not in top_packages(path)


@pytest.mark.parametrize("path", sources("widgets"), ids=name_of)
def test_widgets_know_no_models_and_no_application(path):
    assert not top_packages(path) & {"torch", "cv2", "dlib", "app", "tests"}


def test_the_program_imports_no_test():
    assert [name_of(path) for path in [ROOT / "main.py", *sources(*PACKAGES)] if "tests" in top_packages(path)] == []


def test_opengl_contexts_are_made_in_one_place():
    makers = {name_of(path): calls(path, "moderngl.create_context") for path in sources(*PACKAGES)}
    found = {name: count for name, count in makers.items() if count}
    assert list(found.values()) == [1]
    assert next(iter(found)).startswith("engine/render/")


@pytest.mark.parametrize("path", sources("app", "widgets"), ids=name_of)
def test_heavy_packages_are_imported_when_first_needed(path):
    assert not imports_at_start(path) & HEAVY


def test_importing_the_window_imports_nothing_heavy():
    """The same, through everything that these modules import in turn."""
    code = f"import sys, app.window; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_first_start_needs_only_the_standard_library():
    """What runs before the environment is there."""
    for name in ("main.py", "app/__init__.py", "app/bootstrap.py", "app/environment.py", "app/system_packages.py"):
        assert imports_at_start(ROOT / name) <= {*sys.stdlib_module_names, "app"}, name
    for name in ("tests/__init__.py", "tests/__main__.py", "tests/environment.py"):
        assert imports_at_start(ROOT / name) <= {*sys.stdlib_module_names, "app", "tests"}, name


@pytest.mark.parametrize("path", [ROOT / "main.py", *sources(*PACKAGES, "tests")], ids=name_of)
def test_files_are_small_and_named_by_what_they_hold(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < MOST_LINES
    assert path.stem not in {"utils", "util", "helpers", "misc", "common"}


@pytest.mark.parametrize("path", [path for path in sources(*PACKAGES) if "training" not in path.parts], ids=name_of)
def test_nothing_prints(path):
    assert calls(path, "print") == 0


def test_top_level_holds_what_the_design_names():
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").split() if line]
    present = {path.name for path in ROOT.iterdir()}
    kept = {name for name in present if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored)}
    assert kept <= TOP_LEVEL, sorted(kept - TOP_LEVEL)
    required = {name for name in TOP_LEVEL if not name.startswith(".")} | {".ci", ".gitignore"}
    assert required <= present, sorted(required - present)


def test_no_file_names_a_path_of_one_machine():
    folders = (*PACKAGES, "shaders", "resources", "tests", ".ci")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in TEXT_SUFFIXES]
    files += [path for path in ROOT.iterdir() if path.suffix in TEXT_SUFFIXES or path.name == "NOTICE"]
    found = {
        name_of(path): match[0]
        for path in files
        if path != Path(__file__) and (match := MACHINE_PATHS.search(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def listed_files() -> dict[str, dict[str, str]]:
    entries = json.loads((ROOT / "resources" / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert len({entry["path"] for entry in entries}) == len(entries), "a file is listed twice"
    return {entry["path"]: entry for entry in entries}


def test_every_shipped_file_of_others_is_listed_with_licence_and_source():
    folder = ROOT / "resources"
    shipped = {
        path.relative_to(folder).as_posix()
        for name in LISTED_RESOURCES
        for path in (folder / name).rglob("*")
        if path.is_file()
    }
    listed = listed_files()
    assert shipped == {path for path in listed if path.split("/")[0] in LISTED_RESOURCES}
    for path, entry in listed.items():
        assert all(entry.get(field) for field in ("name", "version", "license", "source")), path
        assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == entry["sha256"], path


def test_icons_are_drawn_at_the_sizes_their_names_say():
    from PIL import Image

    icons = ROOT / "resources" / "icons"
    sizes = {}
    for path in icons.glob("detailed-face*.png"):
        with Image.open(path) as picture:
            sizes[path.stem] = picture.size
    expected = {16: "-16", 32: "-32", 48: "-48", 64: "-64", 128: "-128", 256: "", 512: "-512"}
    assert sizes == {f"detailed-face{suffix}": (size, size) for size, suffix in expected.items()}
    with Image.open(icons / "detailed-face.ico") as icon:
        assert icon.info["sizes"] == {(size, size) for size in expected if size <= 256}
