"""What is given to those who run a server: settings that are ours, and files that their programs accept."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

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


def test_two_replicas_are_limited_like_one_and_nginx_knows_them() -> None:
    services = yaml.safe_load((DEPLOY / "compose-replicas.yaml").read_text())["services"]
    one = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["elocute"]
    asked = re.findall(r"^    server (\S+):8000 ", (DEPLOY / "nginx-replicas.conf").read_text(), re.MULTILINE)
    assert sorted(asked) == sorted({*services} - {"nginx"}) == ["elocute-a", "elocute-b"]
    for name in asked:
        assert settled({}, services[name]["environment"], None).config.workers == services[name]["cpus"]
        for key in ("build", "read_only", "tmpfs", "cap_drop", "security_opt", "mem_limit", "stop_grace_period"):
            assert services[name][key] == one[key]
        assert services["nginx"]["depends_on"][name] == {"condition": "service_healthy"}
    port = re.findall(r"listen (\d+);", (DEPLOY / "nginx-replicas.conf").read_text())[0]
    assert services["nginx"]["ports"][0].endswith(f":{port}")


def kubernetes() -> dict[str, dict[str, Any]]:
    """The objects of the manifest, by kind."""
    return {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())}


def test_the_manifest_of_kubernetes_fits_together() -> None:
    objects = kubernetes()
    pod = objects["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    for selector in (
        objects["Deployment"]["spec"]["selector"]["matchLabels"],
        objects["Service"]["spec"]["selector"],
        objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        pod["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert (
        objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"]
        == objects["Deployment"]["metadata"]["name"]
    )
    assert "replicas" not in objects["Deployment"]["spec"]  # or each `apply` would undo the autoscaler
    container = pod["spec"]["containers"][0]
    config = settled({}, {one["name"]: one["value"] for one in container["env"]}, None).config
    assert str(config.workers) == container["resources"]["requests"]["cpu"]
    assert pod["spec"]["terminationGracePeriodSeconds"] > config.shutdown_delay_s + config.shutdown_timeout_s + 5
    assert int(pod["metadata"]["annotations"]["prometheus.io/port"]) == config.port
    assert container["ports"][0] == {"name": "http", "containerPort": config.port}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["spec"]["securityContext"]["runAsUser"] == 10001  # as the container file says
    assert "USER 10001:10001" in (DEPLOY / "Containerfile").read_text()


def test_probes_and_the_autoscaler_ask_for_what_the_server_has() -> None:
    pytest.importorskip("fastapi", reason="needs the extra 'serve'")
    from elocute.server.app import METHODS
    from elocute.server.metrics import Metrics

    class Crew(SimpleNamespace):
        alive, lost, workers = 2, 0, ()

    objects = kubernetes()
    pod = objects["Deployment"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    for kind in ("startup", "readiness", "liveness"):
        assert METHODS[container[f"{kind}Probe"]["httpGet"]["path"]] == "GET"
    assert METHODS[pod["metadata"]["annotations"]["prometheus.io/path"]] == "GET"
    metric = objects["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["pods"]["metric"]["name"]
    metrics = Metrics()
    metrics.watch(SimpleNamespace(waiting=3, running=2, workers=2, crew=Crew()))
    assert f"\n{metric} 3.0\n" in metrics.text().decode()


@pytest.mark.parametrize("release", ["1.27", "1.37"])
def test_the_manifest_keeps_to_the_schema_of_kubernetes(release: str) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate")
    for each in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()):
        validator.validate(each, release, strict=True)


@pytest.mark.skipif(shutil.which("nginx") is None or shutil.which("openssl") is None, reason="needs nginx and openssl")
@pytest.mark.parametrize("name", ["nginx.conf", "nginx-replicas.conf"])
def test_the_proxy_is_understood(name: str, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout".split()
    subprocess.run([*make, str(key), "-out", str(certificate)], check=True, capture_output=True)
    site = re.sub(r"elocute-[ab]:8000", "127.0.0.1:8000", (DEPLOY / name).read_text())
    site = site.replace("/etc/ssl/elocute/fullchain.pem", str(certificate))
    site = site.replace("/etc/ssl/elocute/privkey.pem", str(key))
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid; events {{}} http {{ {site} }}")
    command = ["nginx", "-t", "-e", str(tmp_path / "errors"), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
