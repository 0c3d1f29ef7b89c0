"""What is given to those who run a server: settings that are ours, and files that their programs accept."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from elocute.server.settings import ServerConfig
from elocute.server.sources import settings, settled

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
SETTING = re.compile(r"\bELOCUTE_[A-Z_]+")


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_only_settings_that_there_are(path: Path) -> None:
    ours = {setting.variable for setting in settings().values()} | {"ELOCUTE_CONFIG"}
    assert {*SETTING.findall(path.read_text())} <= ours


def test_the_file_of_settings_is_the_defaults_and_every_line_of_it_may_be_used(tmp_path: Path) -> None:
    assert settled({}, {}, DEPLOY / "elocute.toml").config == ServerConfig()
    every = tmp_path / "every.toml"
    text = (DEPLOY / "elocute.toml").read_text()
    every.write_text(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE))
    assert settled({}, {}, every).config.cors == ("https://learn.example.org",)


def test_the_compose_file_limits_the_container() -> None:
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["elocute"]
    assert settled({}, service["environment"], None).config.workers == service["cpus"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert int(service["stop_grace_period"][:-1]) > ServerConfig().shutdown_timeout_s + 5


def test_what_the_container_file_copies_is_let_through() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    copied = {
        name for line in lines if line.startswith("COPY ") and "--from" not in line for name in line.split()[1:-1]
    }
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_unit_is_understood() -> None:
    command = ["systemd-analyze", "verify", str(DEPLOY / "elocute.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if "elocute.service" in line]
    assert [line for line in complaints if "is not executable" not in line] == []  # it is not installed here
    unit = (DEPLOY / "elocute.service").read_text()
    limit_s = int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0])
    assert limit_s > ServerConfig().shutdown_timeout_s + 10


@pytest.mark.skipif(shutil.which("nginx") is None or shutil.which("openssl") is None, reason="needs nginx and openssl")
def test_the_proxy_is_understood(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout".split()
    subprocess.run([*make, str(key), "-out", str(certificate)], check=True, capture_output=True)
    site = (DEPLOY / "nginx.conf").read_text()
    site = site.replace("/etc/ssl/elocute/fullchain.pem", str(certificate))
    site = site.replace("/etc/ssl/elocute/privkey.pem", str(key))
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid; events {{}} http {{ {site} }}")
    command = ["nginx", "-t", "-e", str(tmp_path / "errors"), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
