"""What the load test and the fuzz share: a real server in a process of its own, recordings as browsers send them."""

from __future__ import annotations

import io
import json
import os
import platform
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).parent.parent / "examples" / "manifest.jsonl"
# Kind: container, codec, rate that the encoder takes; flac and wav are written by libsndfile.
ENCODERS = {
    "webm": ("webm", "libopus", 48_000),
    "mp4": ("mp4", "aac", 44_100),
    "ogg": ("ogg", "libopus", 48_000),
    "mp3": ("mp3", "libmp3lame", 44_100),
}
KINDS = (*ENCODERS, "wav", "flac")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A recording to be sent."""

    name: str
    text: str
    samples: np.ndarray

    @property
    def seconds(self) -> float:
        """Its length; samples are at 16 kHz."""
        return len(self.samples) / 16_000


def recordings(manifest: Path) -> list[Spoken]:
    """The recordings of a manifest: rows {"id", "audio", "text"}, as `elocute batch` takes them."""
    from elocute.audio import load_audio

    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [
        Spoken(name=row["id"], text=row["text"], samples=load_audio(manifest.parent / row["audio"]).samples)
        for row in rows
    ]


def encoded(samples: np.ndarray, kind: str) -> bytes:
    """Samples at 16 kHz as a file of some kind."""
    file = io.BytesIO()
    if kind in ("wav", "flac"):
        import soundfile

        soundfile.write(file, samples, 16_000, format=kind.upper(), subtype="PCM_16")
        return file.getvalue()
    import av

    container, codec, rate = ENCODERS[kind]
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray((samples[None] * 32767).astype(np.int16), format="s16", layout="mono")
        frame.sample_rate = 16_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(packet)
    return file.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server said, and after how many seconds; status 0: nothing."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


class Client:
    """One client, whose connection is kept. Threads have one each."""

    def __init__(self, port: int, timeout_s: float = 60.0) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=timeout_s)

    def ask(self, method: str, path: str, body: bytes | None = None, content_type: str | None = None) -> Answer:
        """Ask once; a kept connection that the server has closed meanwhile is opened again."""
        headers = {} if content_type is None else {"Content-Type": content_type}
        begin_s = time.perf_counter()
        for is_last in (False, True):
            try:
                self._connection.request(method, path, body, headers)
                answer = self._connection.getresponse()
                took = Answer(
                    status=answer.status,
                    headers={name.lower(): value for name, value in answer.getheaders()},
                    body=answer.read(),
                    seconds=time.perf_counter() - begin_s,
                )
                if answer.will_close:
                    self._connection.close()
                return took
            except (HTTPException, OSError) as error:
                self._connection.close()
                if is_last or isinstance(error, TimeoutError):
                    return Answer(
                        status=0, headers={}, body=repr(error).encode(), seconds=time.perf_counter() - begin_s
                    )
        raise AssertionError

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()

    def figures(self) -> dict[str, float]:
        """What /metrics says."""
        lines = self.ask("GET", "/metrics").body.decode().splitlines()
        return {name: float(value) for name, _, value in (x.rpartition(" ") for x in lines if not x.startswith("#"))}

    def resident_mb(self) -> dict[str, float]:
        """Memory of the server and its workers, 10^6 bytes."""
        found = {name: value / 1e6 for name, value in self.figures().items() if name.startswith("elocute_resident")}
        return {name.partition('"')[2].partition('"')[0]: value for name, value in found.items()}


def form(fields: Mapping[str, str], audio: bytes | None) -> tuple[bytes, str]:
    """A multipart form, and its content type."""
    boundary = uuid.uuid4().hex
    parts = [(name, "", value.encode("utf-8", "surrogatepass")) for name, value in fields.items()]
    parts += [] if audio is None else [("audio", '; filename="blob"', audio)]
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + value + b"\r\n"
        for name, extra, value in parts
    )
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that runs.

    Attributes:
        port: on this machine.
        pid: of the server.
        log: where its log goes.
        scratch: its folder for temporary files, which should stay empty.
    """

    port: int
    pid: int
    log: Path
    scratch: Path


@contextmanager
def serving(*options: str) -> Iterator[Running]:
    """`elocute serve` with some options, until it has ended in peace.

    Raises:
        RuntimeError: it did not start, or not end, as it should.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="elocute-serve-") as name:
        log, scratch = Path(name) / "log", Path(name) / "scratch"
        scratch.mkdir()
        environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(scratch)}
        command = [sys.executable, "-m", "elocute.cli", "serve", "--port", str(port), *options]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stderr=output, stdin=subprocess.DEVNULL, env=environment)
        try:
            client = Client(port)
            deadline_s = time.monotonic() + 120
            while client.ask("GET", "/readyz").status != 200:
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise RuntimeError(f"the server did not start:\n{log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.1)
            yield Running(port=port, pid=process.pid, log=log, scratch=scratch)
            process.send_signal(signal.SIGTERM)
            if process.wait(60) != 0:
                raise RuntimeError(f"the server ended with code {process.returncode}")
        finally:
            process.kill()
            process.wait()


@contextmanager
def balanced(servers: Sequence[Running]) -> Iterator[Running]:
    """Nginx before some servers, as deploy/nginx-replicas.conf has it; its log names who answered, a line an answer.

    Raises:
        RuntimeError: nginx is not installed, or did not start.
    """
    if shutil.which("nginx") is None:
        raise RuntimeError("several replicas need nginx, which is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    site = (Path(__file__).parent.parent / "deploy" / "nginx-replicas.conf").read_text(encoding="utf-8")
    line = re.search(r"^    server elocute-a:8000 (.*);$", site, re.MULTILINE)
    assert line is not None
    places = "\n".join(f"    server 127.0.0.1:{server.port} {line[1]};" for server in servers)
    site = re.sub(r"(^    server elocute-\w:8000 .*\n)+", f"{places}\n", site, flags=re.MULTILINE)
    site = site.replace("listen 8080;", f"listen 127.0.0.1:{port};")
    with tempfile.TemporaryDirectory(prefix="elocute-nginx-") as name:
        folder = Path(name)
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = f"user {pwd.getpwuid(os.getuid()).pw_name};" if os.getuid() == 0 else ""
        (folder / "nginx.conf").write_text(
            f"daemon off; worker_processes 1; pid {folder}/pid; {user}\n"
            f"events {{ worker_connections 4096; }}\n"
            f"http {{ {temporary}\nlog_format who '$status $upstream_addr'; access_log {folder}/log who;\n{site}\n}}\n",
            encoding="utf-8",
        )
        command = ["nginx", "-e", f"{folder}/errors", "-p", name, "-c", f"{folder}/nginx.conf"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            client = Client(port)
            deadline_s = time.monotonic() + 20
            while client.ask("GET", "/healthz").status != 200:
                if process.poll() is not None or time.monotonic() > deadline_s:
                    errors = folder / "errors"
                    said = errors.read_text(errors="replace") if errors.exists() else ""
                    raise RuntimeError(f"nginx did not start: {said[-1000:]}")
                time.sleep(0.1)
            client.close()
            yield Running(port=port, pid=process.pid, log=folder / "log", scratch=folder / "client_body")
        finally:
            process.terminate()
            process.communicate(timeout=20)


def cpu_seconds(pid: int) -> float:
    """What a process and all below it have taken of processors, s; those that ended do not count (Linux)."""
    return sum(cpu_by_process(pid).values())


def cpu_by_process(pid: int) -> dict[int, float]:
    """What a process and those below it have taken of processors, s, by their ids."""
    ticks, parents = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            parents[int(entry.name)], ticks[int(entry.name)] = int(fields[1]), int(fields[11]) + int(fields[12])

    def is_below(one: int) -> bool:
        while one not in (pid, 0) and one in parents:
            one = parents[one]
        return one == pid

    return {one: count / os.sysconf("SC_CLK_TCK") for one, count in ticks.items() if is_below(one)}


@contextmanager
def throttled(servers: Sequence[Running], share: float) -> Iterator[None]:
    """Let the workers of some servers have a share of a core each, as on small machines of their own (1: all of it).

    A worker that has had its share of the time so far is stopped for a moment, as `cpulimit` does.
    """
    ending = threading.Event()

    def hold() -> None:
        workers = [one for server in servers for one in cpu_by_process(server.pid) if one != server.pid]
        begun = {
            one: (time.monotonic(), seconds)
            for server in servers
            for one, seconds in cpu_by_process(server.pid).items()
        }
        while not ending.wait(0.02):
            for server in servers:
                for one, seconds in cpu_by_process(server.pid).items():
                    if one in workers:
                        at_s, before_s = begun[one]
                        allowed_s = share * (time.monotonic() - at_s)
                        # Time not used is not saved up, beyond a tenth of a second.
                        if allowed_s - (seconds - before_s) > 0.1:
                            begun[one] = (time.monotonic(), seconds - 0.1 * share)
                        os.kill(one, signal.SIGSTOP if seconds - before_s > allowed_s else signal.SIGCONT)
        for one in workers:
            os.kill(one, signal.SIGCONT)

    if share >= 1:
        yield
        return
    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def answered_by(log: Path) -> Counter[str]:
    """How many answers came from whom, of nginx's log; an answer after a refusal counts for the last one asked."""
    lines = (line.split(" ", 1) for line in log.read_text(encoding="utf-8").splitlines())
    return Counter(who.rpartition(", ")[2] for status, who in lines if status == "200")


def machine() -> dict[str, object]:
    """Where this runs, and since which commit."""
    commit = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return {
        "cpu": next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine()),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "load_after": round(os.getloadavg()[0], 2),
    }
