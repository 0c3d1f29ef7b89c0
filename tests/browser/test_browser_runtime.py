"""The tool behind `make browser`: what it refuses, leaves out, and repeats."""

from __future__ import annotations

import importlib.util
import io
import marshal
import sys
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = Path(__file__).parents[2] / "tools" / "browser_runtime.py"
    spec = importlib.util.spec_from_file_location("browser_runtime", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["browser_runtime"] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_another_archive_than_the_known_one_is_refused(tool: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"onnxruntime-web 1\.30\.0 has the SHA-512 .*; expected q0y\+"):
        tool.check(tool.ONNXRUNTIME, b"something else")
    empty = "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="
    tool.check(replace(tool.NUMPY, sha512=empty), b"")


@pytest.mark.parametrize(
    ("path", "stays"),
    [
        ("json/decoder.py", True),
        ("importlib/metadata/__init__.py", True),
        ("encodings/utf_8.py", True),
        ("encodings/cp1252.py", False),
        ("pydoc.py", False),
        ("unittest/mock.py", False),
    ],
)
def test_modules_that_nobody_imports_are_left_out(tool: ModuleType, path: str, stays: bool) -> None:
    assert tool.is_needed(PurePosixPath(path)) == stays


def test_modules_are_compiled_and_the_archive_repeats(tool: ModuleType) -> None:
    files = {"a/__init__.py": b'"""Words."""\nX = 1\n', "a/b.so": b"\0asm"}
    done = tool.compiled(files, 2)
    assert set(done) == {"a/__init__.pyc", "a/b.so"}
    code = marshal.loads(done["a/__init__.pyc"][16:])
    assert "Words." not in code.co_consts
    assert "Words." in marshal.loads(tool.compiled(files, 0)["a/__init__.pyc"][16:]).co_consts
    first = tool.archived(done)
    assert first == tool.archived(tool.compiled(files, 2))
    assert zipfile.ZipFile(io.BytesIO(first)).read("a/b.so") == b"\0asm"


def test_a_script_names_no_map(tool: ModuleType) -> None:
    assert tool.without_map(b"a();\n//# sourceMappingURL=a.map\n") == b"a();\n"
