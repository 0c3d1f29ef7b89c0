"""The commands, run in this process: options, errors, formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_reports import weather
from typer.testing import CliRunner

import elocute.assessors
from elocute import installed
from elocute.azure import to_azure_json
from elocute.cli import batch as batch_command
from elocute.cli import doctor
from elocute.cli.app import app
from elocute.config import AssessorConfig
from elocute.errors import AudioError, ConfigError
from elocute.phones import PHONES, UserLexicon
from elocute.report import Report

COMMANDS = ("assess", "phones", "batch", "models", "serve", "doctor", "evaluate", "train")
runner = CliRunner()


class FakeAssessor:
    """Answers every recording with the same report and remembers what it was asked."""

    asked: dict[str, Any]

    def __init__(self, config: AssessorConfig) -> None:
        FakeAssessor.asked = {"config": config}

    def assess(
        self, audio: str | bytes, text: str, *, lexicon: UserLexicon | None = None, reference: Path | None = None
    ) -> Report:
        FakeAssessor.asked |= {"audio": audio, "text": text, "lexicon": lexicon, "reference": reference}
        if audio == "bad.wav":
            raise AudioError("bad.wav is no\nrecording; record again")
        return weather()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeAssessor]:
    monkeypatch.setattr(elocute.assessors, "Assessor", FakeAssessor)
    return FakeAssessor


def test_assess_writes_the_report_as_json(fake: type[FakeAssessor]) -> None:
    done = runner.invoke(app, ["assess", "a.wav", "I think", "--format", "json"])
    assert done.exit_code == 0
    assert done.stdout == weather().to_json(indent=2) + "\n"
    assert done.stderr == ""
    assert Report.from_json(done.stdout) == weather()
    assert fake.asked["config"] == AssessorConfig()


def test_assess_passes_every_option_on(fake: type[FakeAssessor], tmp_path: Path) -> None:
    lexicon = tmp_path / "mine.txt"
    lexicon.write_text("Nguyen  W IH1 N\n", encoding="utf-8")
    options = ["--backend", "hf:other", "--scale", "10", "--threads", "2", "--no-variants", "--lexicon", str(lexicon)]
    options += ["--sensitivity", "high", "--no-confusions", "--reference", str(lexicon), "--scorer", "mine"]
    options += ["--l1", "Mandarin", "--advice", "child"]
    done = runner.invoke(app, ["assess", "a.wav", "Nguyen", *options])
    assert done.exit_code == 0
    assert fake.asked["config"] == AssessorConfig(
        backend="hf:other",
        scorer="mine",
        scale=10,
        threads=2,
        variants=False,
        sensitivity="high",
        confusions=False,
        l1="zh",
        advice="child",
    )
    assert fake.asked["lexicon"].get("nguyen") == (("W", "IH1", "N"),)
    assert fake.asked["reference"] == lexicon


def test_assess_writes_the_shape_of_azure(fake: type[FakeAssessor]) -> None:
    done = runner.invoke(app, ["assess", "a.wav", "I think", "--format", "azure"])
    assert done.exit_code == 0
    assert done.stdout == to_azure_json(weather(), indent=2) + "\n"
    # The shape has no place for warnings.
    assert done.stderr == "".join(f"elocute: {warning}\n" for warning in weather().warnings)
    assert done.stderr


@pytest.mark.parametrize("scale", ["10", "1"])
def test_azure_has_no_other_scale(fake: type[FakeAssessor], scale: str) -> None:
    done = runner.invoke(app, ["assess", "a.wav", "I think", "--format", "azure", "--scale", scale])
    assert done.exit_code == 1
    assert done.stderr == (
        f"elocute: scale is {scale}, and Azure's format has no such scale; leave --scale out for 0 to 100\n"
    )


def test_phones_have_no_shape_of_azure() -> None:
    assert runner.invoke(app, ["phones", "I think", "--format", "azure"]).exit_code == 2


def test_assess_reads_audio_from_stdin_and_text_from_a_file(fake: type[FakeAssessor], tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\ufeffI think\nso", encoding="utf-8")
    done = runner.invoke(app, ["assess", "-", f"@{text}"], input=b"RIFF\x00\xff")
    assert done.exit_code == 0
    assert fake.asked["audio"] == b"RIFF\x00\xff"
    assert fake.asked["text"] == "I think\nso"


def test_assess_prints_a_plain_table_where_there_is_no_terminal(fake: type[FakeAssessor]) -> None:
    done = runner.invoke(app, ["assess", "a.wav", "I think"])
    assert "TH sounded like S (93% sure)" in done.stdout
    assert "\x1b" not in done.stdout
    assert all(line == line.rstrip() and len(line) <= 80 for line in done.stdout.splitlines())


@pytest.mark.parametrize("format", ["text", "json", "azure"])
def test_assess_writes_a_file(fake: type[FakeAssessor], tmp_path: Path, format: str) -> None:
    out = tmp_path / "report"
    same = runner.invoke(app, ["assess", "a.wav", "I think", "--format", format]).stdout
    done = runner.invoke(app, ["assess", "a.wav", "I think", "--format", format, "-o", str(out)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert out.read_text(encoding="utf-8") == same


def test_a_result_that_cannot_be_written_is_an_error(fake: type[FakeAssessor], tmp_path: Path) -> None:
    done = runner.invoke(app, ["assess", "a.wav", "I think", "-o", str(tmp_path / "no" / "report")])
    assert done.exit_code == 1
    assert "cannot write" in done.stderr


def test_an_error_is_one_line_and_exit_code_1(fake: type[FakeAssessor]) -> None:
    done = runner.invoke(app, ["assess", "bad.wav", "I think"])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr == "elocute: bad.wav is no recording; record again\n"


@pytest.mark.parametrize("arguments", [["-v", "assess", "bad.wav", "x"], ["assess", "bad.wav", "x", "--verbose"]])
def test_verbose_shows_where_an_error_arose(fake: type[FakeAssessor], arguments: list[str]) -> None:
    done = runner.invoke(app, arguments)
    assert done.exit_code == 1
    assert "Traceback" in done.stderr
    assert "test_cli_commands.py" in done.stderr
    assert done.stderr.endswith("\nelocute: bad.wav is no recording; record again\n")


def test_a_variable_asks_for_the_traceback_too(
    fake: type[FakeAssessor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ELOCUTE_DEBUG", "1")
    assert "Traceback" in runner.invoke(app, ["assess", "bad.wav", "x"]).stderr


def test_a_bug_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(config: AssessorConfig) -> None:
        raise KeyError(config.backend)

    monkeypatch.setattr(elocute.assessors, "Assessor", broken)
    done = runner.invoke(app, ["assess", "a.wav", "x"])
    assert isinstance(done.exception, KeyError)


@pytest.mark.parametrize(
    "arguments",
    [
        ["assess", "a.wav"],
        ["assess", "a.wav", "I", "think"],
        ["assess", "a.wav", "x", "--scale", "50"],
        ["assess", "a.wav", "x", "--format", "yaml"],
        ["assess", "a.wav", "x", "--threads", "0"],
        ["assess", "a.wav", "x", "--sensitivity", "highest"],
        ["batch", "m.jsonl", "-o", "x", "--sensitivity", "0.5"],
        ["train", "scorer", "--speechocean", ".", "--heldout", ".", "--out", "x", "--planted-fold", "0"],
        ["train", "scorer", "--speechocean", ".", "--heldout", ".", "--out", "x", "--epochs", "3"],
        ["train", "confusions", "--speechocean", "."],
        ["assess", "a.wav", "x", "--lexicon", "no-such-file"],
        ["phones", "x", "--g2p", "guess"],
        ["batch", "m.jsonl"],
        ["batch", "m.jsonl", "-o", "x", "--workers", "0"],
        ["recite"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    done = runner.invoke(app, arguments)
    assert done.exit_code == 2
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["phones", "  "], "empty"),
        (["assess", "a.wav", "@no-such-file"], "cannot read text file 'no-such-file'"),
        (["batch", "no-such-file", "-o", "x"], "cannot read manifest no-such-file"),
        (["batch", "no-such-file", "-o", "x", "--backend", "embeded"], "expected one of"),
    ],
)
def test_what_is_wrong_with_the_input_is_exit_code_1(arguments: list[str], says: str) -> None:
    done = runner.invoke(app, arguments)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_text_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes("café".encode("latin-1"))
    done = runner.invoke(app, ["assess", "a.wav", f"@{text}"])
    assert (done.exit_code, "not UTF-8" in done.stderr) == (1, True)


@pytest.mark.parametrize("command", COMMANDS[:-1])
def test_help_has_examples_that_are_not_joined(command: str) -> None:
    done = runner.invoke(app, [command, "--help"])
    assert done.exit_code == 0
    lines = [line.strip() for line in done.stdout.splitlines()]
    examples = lines[lines.index("Examples:") + 1 :]
    assert sum(f"elocute {command}" in line for line in examples) >= 1
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_help_names_every_command_and_no_arguments_are_help() -> None:
    done = runner.invoke(app, ["-h"])
    assert all(f"  {command} " in done.stdout for command in COMMANDS)
    bare = runner.invoke(app, [])
    assert (bare.exit_code, bare.stdout, bare.stderr) == (2, "", done.stdout)


def test_version() -> None:
    assert runner.invoke(app, ["--version"]).stdout == f"elocute {elocute.__version__}\n"


def test_phones_as_json() -> None:
    done = runner.invoke(app, ["phones", "The tomato, 42!", "--format", "json"])
    plain = json.loads(done.stdout)
    assert plain["text"] == "The tomato, 42!"
    the, tomato, forty, two = plain["words"]
    assert tomato["phones"] == ["T", "AH0", "M", "EY1", "T", "OW2"]
    assert tomato["syllables"] == [["T", "AH0"], ["M", "EY1"], ["T", "OW2"]]
    assert (tomato["ipa"], tomato["source"]) == ("təmˈeɪtˌoʊ", "lexicon")
    vowels = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW"
    weak = {"phones": ["DH", "IY0"], "ipa": "ði", "kind": "weak form", "before": vowels, "after": None}
    assert weak in the["variants"]
    assert [item["kind"] for item in tomato["variants"]][0] == "dictionary variant"
    assert (forty["word"], forty["spoken"], two["spoken"]) == ("42", "forty", "two")


def test_phones_as_a_table(tmp_path: Path) -> None:
    lexicon = tmp_path / "mine.txt"
    lexicon.write_text("Nguyen  /wɪn/\n", encoding="utf-8")
    done = runner.invoke(app, ["phones", "weather Nguyen 42", "--lexicon", str(lexicon)])
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "W EH1 . DH ER0" in rows["weather"]
    assert "wˈɛðɚ" in rows["weather"]
    assert "user" in rows["Nguyen"]
    assert "42 (two)" in done.stdout
    assert "weak form: ənd" in runner.invoke(app, ["phones", "black and white"]).stdout
    long = runner.invoke(app, ["phones", "internationalization"]).stdout
    assert "…" not in long
    assert max(map(len, long.splitlines())) <= 80


def test_a_backend_of_another_package_is_listed_by_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "bigears-2.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bigears\nVersion: 2.1\n")
    (info / "entry_points.txt").write_text("[elocute.backends]\nbig = bigears:load\n")
    monkeypatch.syspath_prepend(tmp_path)
    done = runner.invoke(app, ["models", "--format", "json"])
    (big,) = [model for model in json.loads(done.stdout)["models"] if model["name"] == "big"]
    assert (big["role"], big["version"], big["bytes"]) == ("backend", "bigears 2.1", None)
    assert "bigears 2.1" in runner.invoke(app, ["models"]).stdout
    assert installed.model_versions("big")["backend"] == "big bigears 2.1"
    assert set(installed.model_versions("big")) == {"backend", "scorer", "g2p", "lexicon"}


def test_models_shows_the_cards() -> None:
    plain = json.loads(runner.invoke(app, ["models", "--format", "json"]).stdout)
    assert plain["version"] == elocute.__version__
    assert [(model["role"], model["name"]) for model in plain["models"]] == [
        ("backend", "embedded"),
        ("scorer", "embedded"),
        ("scorer", "unrated"),
        ("g2p", "model"),
    ]
    text = " ".join(runner.invoke(app, ["models"]).stdout.split())
    for model in plain["models"]:
        assert model["bytes"] > 10_000
        assert model["version"] in text
        assert model["card"]["licence"]
        assert model["card"]["data"]


def test_a_batch_goes_on_only_under_the_same_settings(tmp_path: Path) -> None:
    lexicon = tmp_path / "mine.txt"
    lexicon.write_text("a  AH0\n", encoding="utf-8")
    configs = [AssessorConfig(), AssessorConfig(scale=10), AssessorConfig(variants=False)]
    configs += [AssessorConfig(sensitivity="high"), AssessorConfig(confusions=False)]
    texts = [batch_command.configuration(config, None) for config in configs]
    texts.append(batch_command.configuration(configs[0], lexicon))
    lexicon.write_text("a  EY1\n", encoding="utf-8")
    texts.append(batch_command.configuration(configs[0], lexicon))
    assert len(set(texts)) == 7
    assert batch_command.configuration(AssessorConfig(), None) == texts[0]
    assert str(tmp_path) not in texts[-1]


def test_batch_passes_every_option_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[AssessorConfig] = []

    def run_batch(manifest: Path, out: Path, *, make_assessor: Any, **_: Any) -> None:
        asked.append(make_assessor.config)
        raise ConfigError("enough")

    monkeypatch.setattr("elocute.batch.local.run_batch", run_batch)
    call = ["batch", "m.jsonl", "-o", str(tmp_path / "out.jsonl")]
    options = ["--scale", "10", "--no-variants", "--sensitivity", "low", "--no-confusions", "--l1", "Spanish"]
    for extra in ([], options):
        assert "enough" in runner.invoke(app, [*call, *extra]).stderr
    assert asked == [
        AssessorConfig(threads=1),
        AssessorConfig(threads=1, scale=10, variants=False, sensitivity="low", confusions=False, l1="es"),
    ]


def test_train_confusions_writes_what_was_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="training needs the extra 'train'")
    counts = np.zeros((len(PHONES), len(PHONES) + 1))
    counts[PHONES.index("TH"), [PHONES.index("S"), PHONES.index("T"), len(PHONES)]] = [7.256, 2.0, 3.0]
    asked = []

    def count_errors(utterances: object, heard: object, progress: Any) -> np.ndarray:
        asked.append((utterances, heard))
        progress(1, 2)
        return counts

    monkeypatch.setattr("elocute.training.confusions.count_errors", count_errors)
    monkeypatch.setattr("elocute.corpora.speechocean762.read_speechocean762", lambda folder: f"scores of {folder}")
    monkeypatch.setattr("elocute.training.scorer_data.read_heldout", lambda folder: f"heard in {folder}")
    out = tmp_path / "confusions.json"
    call = ["train", "confusions", "--speechocean", str(tmp_path), "--heldout", "runs", "--out", str(out)]
    done = runner.invoke(app, call)
    assert (done.exit_code, asked) == (0, [(f"scores of {tmp_path}", "heard in runs")])
    written = json.loads(out.read_text(encoding="utf-8"))
    assert list(written["counts"]["TH"].items()) == [("S", 7.26), ("-", 3.0), ("T", 2.0)]
    assert written["licence"]
    assert [line for line in done.stdout.splitlines() if line.startswith("TH")] == ["TH  S:7.26 -:3 T:2"]


def test_progress_lines_come_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock_s = iter([0.0, 4.0, 12.0, 13.0, 30.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock_s))
    progress = batch_command._Lines()
    for done in (100, 140, 220, 230, 400):
        progress(done, 400)
    assert capsys.readouterr().err.splitlines() == [
        "220 of 400 rows, 10.0 a second, about 18 s left",
        "400 of 400 rows, 10.0 a second, about 0 s left",
    ]


def test_doctor_says_what_is_broken_and_how_to_mend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise ConfigError("not there")

    def crash() -> str:
        raise OSError("libx.so: bad")

    found = [
        doctor.Check(name="good", run=lambda: "1.2", fix="nothing"),
        doctor.Check(name="bad", run=crash, fix="mend it"),
        doctor.Check(name="extra", run=refuse, fix="install it", is_needed=False),
    ]
    monkeypatch.setattr(doctor, "checks", lambda backend: iter(found))
    done = runner.invoke(app, ["doctor"])
    assert done.exit_code == 1
    assert [line.split(maxsplit=1) for line in done.stdout.splitlines()[:3]] == [
        ["ok", "good: 1.2"],
        ["BROKEN", "bad: OSError: libx.so: bad; fix: mend it"],
        ["missing", "extra: not there; fix: install it"],
    ]
    found.pop(1)
    assert runner.invoke(app, ["doctor"]).exit_code == 0


def test_doctor_finds_a_backend_that_is_not_there() -> None:
    done = runner.invoke(app, ["doctor", "--backend", "embeded"])
    assert done.exit_code == 1
    assert "did you mean 'embedded'?" in " ".join(done.stdout.split())
