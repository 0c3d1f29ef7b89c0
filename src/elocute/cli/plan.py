"""`elocute plan`: machines, time and cost, from rates that were measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elocute.cli.options import Verbose
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from elocute.planning.plan import Machine, Prices, ServingPlan, WorkPlan
    from elocute.planning.rates import Rates

EXAMPLES = (
    "elocute plan --hours 10000",
    "elocute plan --hours 10000 --within 2 --core-price 0.03",
    "elocute plan --requests-per-second 1000 --seconds 4",
)
"""Shown under the help of the command."""


class Format(StrEnum):
    """How the plan is printed."""

    text = "text"
    json = "json"


def plan(
    hours: Annotated[float | None, typer.Option(metavar="N", help="Hours of speech to score, and to train on.")] = None,
    within: Annotated[float, typer.Option(metavar="H", help="Hours in which it should be done.")] = 8.0,
    requests: Annotated[
        float | None, typer.Option("--requests-per-second", metavar="R", help="Answer so many, at the busiest hour.")
    ] = None,
    seconds: Annotated[float, typer.Option(metavar="S", help="Of speech in a request.")] = 4.0,
    utilisation: Annotated[
        float, typer.Option(metavar="U", help="Share of a server's cores that may be busy then.")
    ] = 0.6,
    passes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of a training over the speech; default: its recipe's.")
    ] = None,
    cores: Annotated[int, typer.Option(min=1, metavar="N", help="Of a machine.")] = 16,
    gpu_cores: Annotated[int, typer.Option(min=1, metavar="N", help="That come with a GPU.")] = 16,
    core_price: Annotated[float | None, typer.Option(min=0, metavar="USD", help="Of a core for an hour.")] = None,
    gpu_price: Annotated[
        float | None, typer.Option(min=0, metavar="USD", help="Of a GPU and its cores for an hour.")
    ] = None,
    rates: Annotated[Path | None, typer.Option(metavar="FILE", help="Rates measured on machines of your own.")] = None,
    output: Annotated[Format, typer.Option("--format", help="text or json.")] = Format.text,
    verbose: Verbose = False,
) -> None:
    """Say how many machines scoring and training take, how long, and what they cost.

    Every line rests on a rate that was measured, and names its file. Prices are yours to give; the defaults say where
    they come from. Machines are counted as if work divided evenly, without the minutes in which they start.
    """
    from elocute.planning.plan import Machine, plan_serving, plan_work
    from elocute.planning.rates import read_rates

    if hours is None and requests is None:
        raise ConfigError("nothing to plan; say --hours, --requests-per-second, or both")
    prices, machine = _prices(core_price, gpu_price), Machine(cores=cores, gpu_cores=gpu_cores)
    known = read_rates(rates)
    works = [
        plan_work(rate, hours=hours, within_h=within, machine=machine, prices=prices, passes=passes)
        for rate in known.rates
        if hours is not None
    ]
    serving = None
    if requests is not None:
        if known.serving is None:
            raise ConfigError("the rates do not say what an answer takes; give a file of tools/rates.py that does")
        serving = plan_serving(
            known.serving,
            requests_per_s=requests,
            speech_s=seconds,
            utilisation=utilisation,
            machine=machine,
            prices=prices,
        )
    if output is Format.json:
        document = {
            "prices": asdict(prices),
            "machine": asdict(machine),
            "work": [asdict(one) for one in works],
            "serving": serving and asdict(serving),
            "serving_rate": serving and known.serving and asdict(known.serving),
        }
        typer.echo(json.dumps(document, indent=2))
        return
    lines = [*(_work_lines(works, hours, within, machine) if hours is not None else ())]
    if serving is not None:
        lines += [*_serving_lines(serving, known, machine)]
    core, gpu = f"${prices.core_hour:g} for an hour of a core", f"${prices.gpu_hour:g} for one of a GPU and its cores"
    lines += [*([""] if lines[-1] else []), f"Prices: {core}, {gpu}", f"({prices.source}; {prices.date})."]
    sys.stdout.write("\n".join(lines) + "\n")


def _prices(core: float | None, gpu: float | None) -> Prices:
    """Prices as given, the others as they ship."""
    from elocute.planning.plan import Prices

    usual = Prices()
    if core is None and gpu is None:
        return usual
    return Prices(
        core_hour=usual.core_hour if core is None else core,
        gpu_hour=usual.gpu_hour if gpu is None else gpu,
        source="as given" if core is not None and gpu is not None else f"as given, else {usual.source}",
    )


def _work_lines(works: list[WorkPlan], hours: float, within: float, machine: Machine) -> Iterable[str]:
    """Scoring and training, a block each."""
    for task, title in (("scoring", "Scoring"), ("training", "Training on")):
        chosen = [work for work in works if work.rate.task == task]
        if not chosen:
            continue
        yield f"{title} {hours:,g} hours of speech within {within:g} hours"
        if task == "training" and any(work.machines > 1 for work in chosen):
            yield "  (as if every GPU that is added brought as much as the first)"
        for work in chosen:
            kind = f"machines of {machine.cores} cores" if work.rate.unit == "core" else "GPUs"
            kind = kind if work.machines > 1 else kind.replace("machines", "machine").replace("GPUs", "GPU")
            passes = "" if work.passes == 1 else f", {work.passes} passes"
            yield f"  {work.rate.what}{passes}"
            cost = f"{work.cost:,.2f}" if work.cost < 1000 else f"{work.cost:,.0f}"
            yield f"      {work.machines:,} {kind}, {_duration(work.hours)}, ${cost}; alone {_duration(work.alone_h)}"
            bound = f"; its {machine.gpu_cores} cores keep it waiting" if work.is_bound_by_cores else ""
            yield f"      {work.speed:,.0f} hours of speech an hour each{bound}"
            yield f"      {work.rate.source}, {work.rate.device}{_dated(work.rate.date)}: {work.rate.note}"
        yield ""


def _serving_lines(plan: ServingPlan, known: Rates, machine: Machine) -> Iterable[str]:
    """What serving takes."""
    rate = known.serving
    assert rate is not None
    yield f"Answering {plan.requests_per_s:,g} requests a second of {plan.speech_s:g} s of speech"
    yield (
        f"  {plan.replicas:,} replicas of {machine.cores} workers ({plan.cores:,} cores, {plan.memory_gb:,.0f} GB), at "
        f"most {100 * plan.utilisation:.0f} % busy"
    )
    yield f"  {plan.proxy_cores:,} cores of nginx; {plan.in_mbit_s:,.0f} Mbit/s in, {plan.out_mbit_s:,.0f} Mbit/s out"
    yield f"  ${plan.cost_month:,.0f} a month, if all of them stand there all the time"
    takes = f"{rate.cpu_s_per_speech_s:.4f} s of a core for a second of speech"
    yield f"  {rate.source}, {rate.device}{_dated(rate.date)}: {takes}"


def _dated(date: str) -> str:
    return f", {date}" if date else ""


def _duration(hours: float) -> str:
    """Hours as people say them."""
    if hours < 1:
        return f"{max(hours * 60, 0.1):.1f} min"
    return f"{hours:,.1f} h" if hours < 100 else f"{hours / 24:,.1f} days"
