"""Makes what a page needs to assess by itself: `make browser` writes src/elocute/server/runtime/.

Pyodide (CPython in WebAssembly), numpy for it, and onnxruntime come as npm packages of exact versions, whose checksums
are checked; `npm` fetches them from whatever registry it is set to. Modules that the assessor cannot use are left out,
Python's sources are compiled, and every large file is compressed. The same versions give the same bytes. The result is
committed, so that nobody needs npm to run or install elocute.

Needs npm, and the Python that Pyodide is (3.11), because compiled modules belong to one version.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.util
import io
import json
import py_compile
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

OUT = Path(__file__).parents[1] / "src" / "elocute" / "server" / "runtime"
PYTHON = (3, 11)
_DATE = (2026, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package of npm.

    Attributes:
        name: with its scope.
        version: exact.
        sha512: of the archive, base64, as the registry has it.
        licence: SPDX.
        texts: files with its licence and notices, which lie among the results and are not made here.
    """

    name: str
    version: str
    sha512: str
    licence: str
    texts: tuple[str, ...]


PYODIDE = Package(
    name="pyodide",
    version="0.25.1",
    sha512="y0nJ/fLA3bxD2iZRzvVTbP2O+wp4Ewm2wThfV4HF0BytQ6hsoqTJFLNY4usLOcCVBrK8TTWqFqrmsVPzHe4rsw==",
    licence="MPL-2.0 AND PSF-2.0",
    texts=("LICENSE.pyodide", "LICENSE.python"),
)
NUMPY = Package(
    name="@emscripten-forge/numpy",
    version="2.1.1-py311hc8e14bb-0",
    sha512="VPnSg+RuQC9zz0bnBzzI/maVyokubSgyKsfSqvszaLtlyRSY+LdtmAUpjZ9NlEpC3SWSYI30jWXY6hrTU1XirA==",
    licence="BSD-3-Clause",
    texts=("LICENSE.numpy",),
)
ONNXRUNTIME = Package(
    name="onnxruntime-web",
    version="1.30.0",
    sha512="q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
    licence="MIT",
    texts=("LICENSE.onnxruntime", "NOTICES.onnxruntime"),
)

# Nothing of these is imported by Pyodide, numpy or the assessor; a test assesses with what is left.
NO_STDLIB = frozenset(
    "antigravity bdb cgi cgitb chunk cmd code codeop crypt dbm doctest ensurepip filecmp fileinput ftplib getopt "
    "html imaplib imghdr lib2to3 mailbox mailcap modulefinder multiprocessing nntplib optparse pdb pickletools pipes "
    "poplib pstats pty pydoc pydoc_data rlcompleter sched smtpd smtplib sndhdr socketserver sunau tabnanny telnetlib "
    "test this timeit trace turtle turtledemo tty unittest uu venv wave webbrowser wsgiref xdrlib xml xmlrpc "
    "zipapp zoneinfo".split()
)
ENCODINGS = frozenset(
    "__init__ aliases ascii cp437 idna latin_1 punycode raw_unicode_escape unicode_escape utf_8".split()
)
NO_NUMPY = (
    "numpy/distutils/",
    "numpy/f2py/",
    "numpy/testing/",
    "numpy/random/",
    "numpy/polynomial/",
    "numpy/_core/_simd.",
    "numpy/linalg/lapack_lite.",
)


def main() -> None:
    """Fetch, strip, compress, and write the manifest."""
    if sys.version_info[:2] != PYTHON:
        sys.exit(f"this is Python {sys.version.split()[0]}; expected {PYTHON[0]}.{PYTHON[1]}, which Pyodide is")
    OUT.mkdir(parents=True, exist_ok=True)
    files = []
    with tempfile.TemporaryDirectory() as folder:
        for package, make in ((PYODIDE, pyodide), (NUMPY, numpy), (ONNXRUNTIME, onnxruntime)):
            for text in package.texts:
                if not (OUT / text).is_file():
                    sys.exit(f"{OUT / text} is missing; put the licence of {package.name} there")
            for name, content in make(fetch(package, Path(folder))):
                files.append(written(package, name, content))
    manifest = {"made_by": "make browser", "files": files}
    (OUT / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    total = sum(file["stored_bytes"] for file in files)
    print(f"{len(files)} files, {total / 1e6:.1f} MB in {OUT}", file=sys.stderr)


def fetch(package: Package, folder: Path) -> dict[str, bytes]:
    """The files of a package, by their paths in it; its archive must be the one that is known."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is not installed; install Node.js to make the browser's run-time again")
    done = subprocess.run(
        [npm, "pack", "--silent", f"{package.name}@{package.version}"],
        cwd=folder, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"npm cannot fetch {package.name} {package.version}: {done.stderr.strip()}")
    content = (folder / done.stdout.split()[-1]).read_bytes()
    check(package, content)
    return unpacked(content, lambda name: name.removeprefix("package/"))


def check(package: Package, content: bytes) -> None:
    """Refuse an archive that is not the one whose checksum is written above."""
    found = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != package.sha512:
        sys.exit(f"{package.name} {package.version} has the SHA-512 {found}; expected {package.sha512}")


def unpacked(content: bytes, rename: Callable[[str], str]) -> dict[str, bytes]:
    """The files of a compressed tar archive."""
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        return {
            rename(member.name): file.read() for member in archive if (file := archive.extractfile(member)) is not None
        }


def pyodide(files: dict[str, bytes]) -> Iterable[tuple[str, bytes]]:
    """Loader, interpreter, standard library; nothing is ever loaded by the names in its lock file."""
    yield "pyodide.mjs", without_map(files["pyodide.mjs"])
    yield "pyodide.asm.js", files["pyodide.asm.js"]
    yield "pyodide.asm.wasm.gz", files["pyodide.asm.wasm"]
    lock = json.loads(files["pyodide-lock.json"]) | {"packages": {}}
    yield "pyodide-lock.json", json.dumps(lock).encode()
    with zipfile.ZipFile(io.BytesIO(files["python_stdlib.zip"])) as archive:
        modules = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    yield (
        "python_stdlib.zip.gz",
        archived(compiled({k: v for k, v in modules.items() if is_needed(PurePosixPath(k))}, 2)),
    )


def is_needed(path: PurePosixPath) -> bool:
    """Whether a module of the standard library stays."""
    top = path.parts[0]
    if top == "encodings":
        return path.stem in ENCODINGS
    return top.removesuffix(".py") not in NO_STDLIB and "__pycache__" not in path.parts


def numpy(files: dict[str, bytes]) -> Iterable[tuple[str, bytes]]:
    """What is imported of numpy, as it lies in site-packages."""
    (inner,) = (content for name, content in files.items() if name.endswith(".tar.gz"))
    root = "lib/python3.11/site-packages/"
    kept = {
        name.removeprefix(root): content
        for name, content in unpacked(inner, str).items()
        if name.startswith(f"{root}numpy/") and name.endswith((".py", ".so"))
    }
    kept = {name: content for name, content in kept.items() if "/tests/" not in name and not name.startswith(NO_NUMPY)}
    yield "numpy.zip.gz", archived(compiled(kept, 0))  # it documents its C functions from docstrings, and fails without


def onnxruntime(files: dict[str, bytes]) -> Iterable[tuple[str, bytes]]:
    """The WebAssembly and the script around it; not the front end, see page/device/networks.js."""
    yield "ort-wasm-simd-threaded.mjs", without_map(files["dist/ort-wasm-simd-threaded.mjs"])
    yield "ort-wasm-simd-threaded.wasm.gz", files["dist/ort-wasm-simd-threaded.wasm"]


def without_map(script: bytes) -> bytes:
    """A script that names no source map, which is not there."""
    return b"\n".join(line for line in script.split(b"\n") if not line.startswith(b"//# sourceMappingURL="))


def compiled(modules: dict[str, bytes], optimize: int) -> dict[str, bytes]:
    """Modules as bytecode in the place of their sources, so that a page starts sooner; 2 leaves out docstrings."""
    done = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in modules.items():
            if not name.endswith(".py"):
                done[name] = content
                continue
            source = Path(folder) / "module.py"
            source.write_bytes(content)
            target = Path(folder) / "module.pyc"
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH  # no times inside, so that bytes repeat
            py_compile.compile(
                str(source), str(target), dfile=name, doraise=True, invalidation_mode=mode, optimize=optimize
            )
            done[f"{name}c"] = target.read_bytes()
    assert all(content[:4] == importlib.util.MAGIC_NUMBER for name, content in done.items() if name.endswith(".pyc"))
    return done


def archived(files: dict[str, bytes]) -> bytes:
    """A zip archive, stored: it is compressed as a whole."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _DATE), files[name])
    return target.getvalue()


def written(package: Package, name: str, content: bytes) -> dict[str, object]:
    """Write a file, compressed where its name says so; its entry in the manifest."""
    stored = gzip.compress(content, 9, mtime=0) if name.endswith(".gz") else content
    (OUT / name).write_bytes(stored)
    return {
        "name": name,
        "package": package.name,
        "version": package.version,
        "licence": package.licence,
        "texts": list(package.texts),
        "bytes": len(content),
        "stored_bytes": len(stored),
        "sha256": hashlib.sha256(stored).hexdigest(),
    }


if __name__ == "__main__":
    main()
