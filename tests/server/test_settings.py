"""Settings of the server: command line before environment before file before defaults, and what is refused."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from elocute.cli.app import app
from elocute.config import AssessorConfig
from elocute.errors import ConfigError
from elocute.server.settings import ServerConfig, cores
from elocute.server.sources import settings, settled

# Another value than the default for every setting: in a file, in the environment, and as it is in the end.
OTHER: dict[str, tuple[str, str, object]] = {
    "host": ('"0.0.0.0"', "0.0.0.0", "0.0.0.0"),
    "port": ("9000", "9000", 9000),
    "workers": ("3", "3", 3),
    "queue": ("5", "5", 5),
    "uploads": ("6", "6", 6),
    "max_mb": ("1.5", "1.5", 3 * 2**19),
    "max_seconds": ("30", "30", 30.0),
    "max_chars": ("200", "200", 200),
    "upload_timeout": ("7", "7.0", 7.0),
    "queue_timeout": ("8.5", "8.5", 8.5),
    "timeout": ("9", "9", 9.0),
    "shutdown_delay": ("1", "1", 1.0),
    "shutdown_timeout": ("10", "10", 10.0),
    "api_keys": ('"/k/keys"', "/k/keys", Path("/k/keys")),
    "cors": ('["https://a.example", "*"]', "https://a.example, *", ("https://a.example", "*")),
    "log_text": ("true", "yes", True),
    "backend": ('"other"', "other", "other"),
    "scorer": ('"folder"', "folder", "folder"),
    "scale": ("10", "10", 10),
    "threads": ("2", "2", 2),
    "nbest": ("3", "3", 3),
    "variants": ("false", "off", False),
    "sensitivity": ('"high"', "high", "high"),
    "confusions": ("false", "0", False),
    "l1": ('"zh"', "zh", "zh"),
    "advice": ('"teacher"', "teacher", "teacher"),
    "pitch": ('"praat"', "praat", "praat"),
}


def value_of(config: ServerConfig, field: str) -> object:
    return getattr(config if hasattr(config, field) else config.assessor, field)


def test_every_field_is_a_setting_with_an_option() -> None:
    known = settings()
    both = [one.name for owner in (ServerConfig, AssessorConfig) for one in fields(owner) if one.name != "assessor"]
    assert sorted(one.field for one in known.values()) == sorted(both)
    usage = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}).stdout
    assert [name for name in known if f"--{name.replace('_', '-')}" not in usage] == []


@pytest.mark.parametrize("name", [*settings()])
def test_every_setting_is_read_from_file_environment_and_command_line(name: str, tmp_path: Path) -> None:
    in_toml, in_environment, value = OTHER[name]
    setting = settings()[name]
    file = tmp_path / "elocute.toml"
    file.write_text(f"{name} = {in_toml}\n")
    by_file = settled({}, {"ELOCUTE_CONFIG": str(file)}, None)
    by_environment = settled({}, {setting.variable: in_environment}, None)
    assert value_of(by_file.config, setting.field) == value != value_of(ServerConfig(), setting.field)
    assert value_of(by_environment.config, setting.field) == value
    assert by_file.origins == {name: f"file {file}"}
    assert by_environment.origins == {name: f"environment {setting.variable}"}
    if setting.kind in (int, float):
        given = settled({name: float(in_environment)}, {}, None)
        assert value_of(given.config, setting.field) == value


def test_who_wins(tmp_path: Path) -> None:
    file = tmp_path / "elocute.toml"
    file.write_text("port = 1\nqueue = 1\nuploads = 1\n")
    found = settled({"port": 3}, {"ELOCUTE_PORT": "2", "ELOCUTE_QUEUE": "2", "ELOCUTE_HOST": ""}, file)
    assert (found.config.port, found.config.queue, found.config.uploads) == (3, 2, 1)
    assert found.config.host == "127.0.0.1"
    assert found.origins["port"] == "command line --port"
    other = tmp_path / "other.toml"
    other.write_text("port = 4\n")
    assert settled({}, {"ELOCUTE_CONFIG": str(file)}, other).config.port == 4


def test_files_named_in_a_file_lie_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "elocute.toml"
    file.write_text('api_keys = "keys"\n')
    assert settled({}, {}, file).config.api_keys == tmp_path / "keys"
    assert settled({}, {"ELOCUTE_API_KEYS": "keys"}, file).config.api_keys == Path("keys")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("prot = 1", "there is no setting 'prot'; did you mean 'port'?"),
        ("[server]\nport = 1", "there is no setting 'server'; expected one of host, port"),
        ('port = "8000"', 'port is "8000"; expected a whole number, from 1 to 65535'),
        ("port = 8000.0", "port is 8000.0; expected a whole number"),
        ("port = true", "port is true; expected a whole number"),
        ("port = 0", "port is 0; expected from 1 to 65535"),
        ("port = [1]", "port is \\[1\\]; expected a whole number"),
        ("timeout = nan", "timeout is nan; expected from 0.1 to 86400"),
        ("max_mb = 0", "max_mb is 0; expected from 0.000976562 to 1024"),
        ("log_text = 1", "log_text is 1; expected true or false"),
        ('cors = "*"', 'cors is "\\*"; expected a list of texts'),
        ("cors = [1]", "cors is \\[1\\]; expected a list of texts"),
        ('cors = ["a"]', "CORS origin is 'a'"),
        ('sensitivity = "no"', 'sensitivity is "no"; expected one of low, normal, high'),
        ("scale = 7", "scale is 7; expected one of 100, 10, 1"),
        ("started = 2026-11-22", "there is no setting 'started'"),
        ("host = 2026-11-22", 'host is "2026-11-22"; expected a text'),
        ("port = ", "is not TOML"),
    ],
)
def test_what_a_file_may_not_say(line: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "elocute.toml"
    file.write_text(line)
    with pytest.raises(ConfigError, match=words) as caught:
        settled({}, {}, file)
    assert line.startswith('cors = ["') or str(file) in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the settings in"):
        settled({}, {}, tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"host = '\xff'")
    with pytest.raises(ConfigError, match="expected a TOML file"):
        settled({}, {}, tmp_path / "bytes.toml")


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("ELOCUTE_PROT", "1", "ELOCUTE_PROT, which is no setting; did you mean 'ELOCUTE_PORT'?"),
        ("ELOCUTE_PORT", "http", '\\$ELOCUTE_PORT: port is "http"; expected a whole number, from 1 to 65535'),
        ("ELOCUTE_WORKERS", "0", "\\$ELOCUTE_WORKERS: workers is 0; expected from 1 to 1024"),
        ("ELOCUTE_LOG_TEXT", "maybe", "expected true or false"),
        ("ELOCUTE_QUEUE", "1e3", "expected a whole number"),
        ("ELOCUTE_TIMEOUT", "inf", "timeout is inf; expected from 0.1"),
    ],
)
def test_what_the_environment_may_not_say(variable: str, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        settled({}, {variable: text}, None)


def test_what_kubernetes_says_of_a_service_named_elocute_is_not_ours() -> None:
    theirs = {
        "ELOCUTE_PORT": "tcp://10.0.0.7:8000",
        "ELOCUTE_PORT_8000_TCP": "tcp://10.0.0.7:8000",
        "ELOCUTE_PORT_8000_TCP_ADDR": "10.0.0.7",
        "ELOCUTE_SERVICE_HOST": "10.0.0.7",
        "ELOCUTE_SERVICE_PORT": "8000",
        "ELOCUTE_SERVICE_PORT_HTTP": "8000",
    }
    assert settled({}, theirs, None).config == ServerConfig()


def test_what_is_printed_is_a_file_that_says_the_same(tmp_path: Path) -> None:
    file = tmp_path / "first.toml"
    file.write_text("".join(f"{name} = {in_toml}\n" for name, (in_toml, _, _) in OTHER.items()))
    first = settled({}, {}, file)
    again = tmp_path / "again.toml"
    again.write_text(first.to_toml())
    assert settled({}, {}, again).config == first.config
    assert "default" not in first.to_toml()
    plain = settled({}, {}, None).to_toml()
    assert f"# workers is not set, that is {cores()}: one for each core" in plain
    again.write_text(plain)
    assert settled({}, {}, again).config == ServerConfig()
    odd = settled({"host": 'a"\\\n\x7f\u00e9'}, {}, None)
    again.write_text(odd.to_toml(), encoding="utf-8")
    assert settled({}, {}, again).config == odd.config


def test_the_command_prints_what_holds_and_no_key(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"ana {'s' * 20}\n")
    (tmp_path / "elocute.toml").write_text('api_keys = "keys"\nmax_seconds = 20\n')
    options = ["serve", "--print-config", "--config", str(tmp_path / "elocute.toml"), "--scale", "10", "--cors", "*"]
    done = CliRunner().invoke(app, options, env={"ELOCUTE_PORT": "9000"})
    assert done.exit_code == 0
    assert "s" * 20 not in done.stdout
    lines = {line.split(" ")[0]: " ".join(line.split()) for line in done.stdout.splitlines()}
    assert lines["port"] == "port = 9000 # environment ELOCUTE_PORT"
    assert lines["scale"] == "scale = 10 # command line --scale"
    assert lines["cors"] == 'cors = ["*"] # command line --cors'
    assert lines["max_seconds"] == f"max_seconds = 20.0 # file {tmp_path / 'elocute.toml'}"
    assert lines["queue"] == "queue = 16 # default"
    refused = CliRunner().invoke(app, ["serve", "--print-config", "--port", "99999"])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "elocute: command line --port: port is 99999; expected from 1 to 65535\n"


def test_only_what_is_given_counts_as_given() -> None:
    done = CliRunner().invoke(app, ["serve", "--print-config"], env={"ELOCUTE_VARIANTS": "no"})
    changed = [line for line in done.stdout.splitlines() if not line.endswith("# default")]
    assert [" ".join(line.split()) for line in changed] == ["variants = false # environment ELOCUTE_VARIANTS"]
    assert "ELOCUTE_VARIANTS" not in os.environ
