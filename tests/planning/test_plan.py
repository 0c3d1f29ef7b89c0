"""Plans: the arithmetic by hand, rates as their files say them, and a command that names its sources."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from elocute.cli.app import app
from elocute.errors import ConfigError
from elocute.planning.plan import Machine, Prices, plan_serving, plan_work
from elocute.planning.rates import Rate, ServingRate, read_rates

ROOT = Path(__file__).parent.parent.parent
TOOLS = ROOT / "tools"
CORE = Rate(
    name="core",
    what="a model",
    task="scoring",
    unit="core",
    hours_per_hour=25.0,
    core_s_per_speech_s=0.0,
    passes=1,
    device="a processor",
    source="benchmarks/x.json",
    sha256="0",
    date="2026-11-22",
    note="nothing left out",
)
GPU = replace(CORE, name="gpu", unit="GPU", hours_per_hour=1000.0, core_s_per_speech_s=0.02)
SERVING = ServingRate(
    cpu_s_per_speech_s=0.05,
    proxy_cpu_ms=0.5,
    upload_bytes_per_s=5000.0,
    answer_bytes_per_s=6000.0,
    server_mb=100.0,
    worker_mb=200.0,
    device="a processor",
    source="benchmarks/y.json",
    sha256="0",
    date="2026-11-22",
)
PRICES = Prices(core_hour=0.05, gpu_hour=4.0, source="a test", date="today")


def test_scoring_on_processors_by_hand() -> None:
    plan = plan_work(CORE, hours=10_000, within_h=8, machine=Machine(cores=10), prices=PRICES)
    assert plan.speed == 250
    assert plan.alone_h == 40
    assert plan.machines == 5
    assert plan.hours == 8
    assert plan.cost == pytest.approx(40 * 10 * 0.05)
    assert plan_work(CORE, hours=10_000, within_h=8.1, machine=Machine(cores=10)).machines == 5
    assert plan_work(CORE, hours=10_000, within_h=7.9, machine=Machine(cores=10)).machines == 6
    assert plan_work(CORE, hours=1, within_h=8).machines == 1


def test_a_gpu_waits_for_its_cores_where_they_are_too_few() -> None:
    few = plan_work(GPU, hours=8000, machine=Machine(gpu_cores=16), prices=PRICES)
    assert (few.speed, few.is_bound_by_cores) == (800, True)
    many = plan_work(GPU, hours=8000, machine=Machine(gpu_cores=32), prices=PRICES)
    assert (many.speed, many.is_bound_by_cores) == (1000, False)
    assert many.cost == 8 * 4.0
    assert not plan_work(replace(GPU, core_s_per_speech_s=0.0), hours=1).is_bound_by_cores


def test_a_training_makes_its_passes() -> None:
    training = replace(GPU, task="training", passes=3, core_s_per_speech_s=0.0)
    assert plan_work(training, hours=1000, prices=PRICES).alone_h == 3
    assert plan_work(training, hours=1000, passes=10, prices=PRICES).cost == 40
    assert plan_work(CORE, hours=25, passes=10, machine=Machine(cores=1)).alone_h == 1  # scoring makes one


def test_serving_by_hand() -> None:
    plan = plan_serving(
        SERVING, requests_per_s=1000, speech_s=4, utilisation=0.5, machine=Machine(cores=20), prices=PRICES
    )
    assert (plan.cores, plan.replicas) == (400, 20)  # 1000 x 4 s x 0.05, twice
    assert plan.proxy_cores == 1
    assert plan.memory_gb == pytest.approx(20 * 0.1 + 400 * 0.2)
    assert (plan.in_mbit_s, plan.out_mbit_s) == (160, 192)
    assert plan.cost_month == pytest.approx(401 * 0.05 * 730)
    assert plan_serving(SERVING, requests_per_s=0.1).replicas == 2  # one may be lost


@pytest.mark.parametrize("changed", [{"hours": 0}, {"hours": float("nan")}, {"hours": 1, "within_h": -1}])
def test_numbers_that_mean_nothing(changed: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="expected more than 0"):
        plan_work(CORE, **changed)
    with pytest.raises(ConfigError, match=r"utilisation is 1\.5, expected 1 or less"):
        plan_serving(SERVING, requests_per_s=1, utilisation=1.5)


def document(**changed: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return {"format": "elocute rates 1", "rates": [asdict(CORE) | changed], "serving": None}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is no file of rates"),
        (json.dumps(document() | {"rates": []}), "holds no rates"),
        (json.dumps(document(hours_per_hour=0)), "'hours_per_hour' is 0, expected more than 0"),
        (json.dumps(document(hours_per_hour="5")), "'hours_per_hour' is '5', expected a number"),
        (json.dumps(document(device=5)), "'device' is 5, expected a text"),
        (json.dumps(document(unit="TPU")), "'unit' is 'TPU', expected one of core, GPU"),
        (json.dumps(document(more=1)), "a rate has .*'more'.*, expected"),
    ],
)
def test_files_that_are_no_rates(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "rates.json").write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_rates(tmp_path / "rates.json")
    with pytest.raises(ConfigError, match="cannot read rates"):
        read_rates(tmp_path / "no.json")


def test_rates_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "rates.json").write_text(json.dumps(document()))
    assert read_rates(tmp_path / "rates.json").rates == (CORE,)


def test_what_ships_is_what_the_measurements_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every file that has not changed since; tools/rates.py --check names the others."""
    monkeypatch.syspath_prepend(TOOLS)
    import rates as tool

    if not (ROOT / "benchmarks").is_dir():
        pytest.skip("needs the repository's benchmarks")
    now = tool.collected(ROOT)
    known = read_rates()
    assert {rate.task for rate in known.rates} == {"scoring", "training"}
    assert {rate.unit for rate in known.rates} == {"core", "GPU"}
    assert known.serving is not None
    assert len({rate.name for rate in known.rates}) == len(known.rates)
    built = {one["name"]: one for one in now["rates"]}
    compared = 0
    for rate in known.rates:
        source = ROOT / rate.source
        assert source.is_file()
        if hashlib.sha256(source.read_bytes()).hexdigest() == rate.sha256:
            compared += 1
            for key in ("hours_per_hour", "passes", "device", "note"):
                assert built[rate.name][key] == getattr(rate, key)
    assert compared or known.rates  # nothing to compare where all were measured anew


# --- the command ------------------------------------------------------------------------------------------------------

runner = CliRunner()


def test_the_command_names_machines_time_cost_and_source() -> None:
    done = runner.invoke(app, ["plan", "--hours", "10000", "--core-price", "0.05", "--gpu-price", "4"])
    assert done.exit_code == 0, done.output
    for rate in read_rates().rates:
        assert rate.source in done.stdout
    assert "Scoring 10,000 hours of speech within 8 hours" in done.stdout
    assert "Training on 10,000 hours of speech" in done.stdout
    assert "Prices: $0.05 for an hour of a core, $4 for one of a GPU and its cores\n(as given;" in done.stdout
    assert "a month" not in done.stdout


def test_the_command_gives_the_same_as_json() -> None:
    call = ["plan", "--hours", "100", "--requests-per-second", "10000", "--cores", "8", "--format", "json"]
    done = runner.invoke(app, call)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    for rate, work in zip(read_rates().rates, said["work"], strict=True):
        plan = plan_work(rate, hours=100, machine=Machine(cores=8))
        assert (work["machines"], work["hours"], work["cost"]) == (plan.machines, plan.hours, plan.cost)
    assert said["serving"]["requests_per_s"] == 10000
    assert said["serving"]["cores"] > 500
    assert said["serving_rate"]["source"] == "benchmarks/serving.json"
    text = runner.invoke(app, ["plan", "--requests-per-second", "10000", "--cores", "8"]).stdout
    assert f"{said['serving']['replicas']:,} replicas of 8 workers" in text
    assert "Scoring" not in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing to plan; say --hours, --requests-per-second, or both"),
        (["--hours", "-1"], "hours is -1, expected more than 0"),
        (["--hours", "1", "--rates", "no.json"], "cannot read rates no.json"),
    ],
)
def test_plans_that_cannot_be(options: list[str], message: str) -> None:
    done = runner.invoke(app, ["plan", *options])
    assert done.exit_code == 1
    assert message in done.stderr
