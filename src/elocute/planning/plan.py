"""Machines, time and cost of scoring or learning from so many hours of speech, and of answering so many requests."""

from __future__ import annotations

import math
from dataclasses import dataclass

from elocute.errors import ConfigError
from elocute.planning.rates import Rate, ServingRate

HOURS_A_MONTH = 730.0
_UTILISATION = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What machines cost.

    Attributes:
        core_hour: US dollars for an hour of one core.
        gpu_hour: US dollars for an hour of one GPU, with the cores that come with it.
        source: where that was seen.
        date: when.
    """

    core_hour: float = 0.045
    gpu_hour: float = 4.0
    source: str = (
        "core: an assumption, about what large clouds ask on demand; GPU: the middle of $3.50 to $4.50 that "
        "specialised providers ask for an H200 on demand, by mercatus-ai.com"
    )
    date: str = "May 2026"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine.

    Attributes:
        cores: of a machine without GPU.
        gpu_cores: that come with each GPU.
    """

    cores: int = 16
    gpu_cores: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkPlan:
    """Scoring or training.

    Attributes:
        rate: it rests on.
        passes: over the speech.
        speed: hours of speech that one machine takes in an hour, all its cores and its GPU at work.
        is_bound_by_cores: whether the cores of a GPU's machine keep it waiting.
        alone_h: hours of one machine.
        machines: so that it is done in time.
        hours: that they take.
        cost: US dollars.
    """

    rate: Rate
    passes: int
    speed: float
    is_bound_by_cores: bool
    alone_h: float
    machines: int
    hours: float
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingPlan:
    """Answering requests as they come.

    Attributes:
        requests_per_s: at the busiest hour.
        speech_s: of a recording.
        utilisation: share of the cores that may be busy then; the rest is for bursts and lost machines.
        cores: of the workers.
        replicas: of so many workers as a machine has cores.
        proxy_cores: of nginx.
        memory_gb: of all replicas.
        in_mbit_s: that arrive.
        out_mbit_s: that leave.
        cost_month: US dollars, if all stand there all the time.
    """

    requests_per_s: float
    speech_s: float
    utilisation: float
    cores: int
    replicas: int
    proxy_cores: int
    memory_gb: float
    in_mbit_s: float
    out_mbit_s: float
    cost_month: float


def plan_work(
    rate: Rate,
    *,
    hours: float,
    within_h: float = 8.0,
    machine: Machine | None = None,
    prices: Prices | None = None,
    passes: int | None = None,
) -> WorkPlan:
    """What it takes to score so many hours of speech, or to train on them.

    Args:
        rate: of one core or GPU.
        hours: of speech.
        within_h: it should be done.
        machine: what they look like.
        prices: what they cost.
        passes: over the speech; None takes those of the rate. Scoring makes one.

    Raises:
        ConfigError: a number is not above 0.
    """
    machine, prices = machine or Machine(), prices or Prices()
    _check(hours=hours, within=within_h, cores=machine.cores, gpu_cores=machine.gpu_cores)
    passes = rate.passes if passes is None or rate.task == "scoring" else passes
    _check(passes=passes)
    if rate.unit == "core":
        speed, price, is_bound = machine.cores * rate.hours_per_hour, machine.cores * prices.core_hour, False
    else:
        beside = rate.core_s_per_speech_s
        cores_take = machine.gpu_cores / beside if beside else math.inf
        is_bound = cores_take < rate.hours_per_hour
        speed, price = min(rate.hours_per_hour, cores_take), prices.gpu_hour
    alone_h = hours * passes / speed
    machines = max(math.ceil(alone_h / within_h - 1e-9), 1)
    return WorkPlan(
        rate=rate,
        passes=passes,
        speed=speed,
        is_bound_by_cores=is_bound,
        alone_h=alone_h,
        machines=machines,
        hours=alone_h / machines,
        cost=alone_h * price,
    )


def plan_serving(
    rate: ServingRate,
    *,
    requests_per_s: float,
    speech_s: float = 4.0,
    utilisation: float = _UTILISATION,
    machine: Machine | None = None,
    prices: Prices | None = None,
) -> ServingPlan:
    """What it takes to answer so many requests a second.

    Args:
        rate: of one core.
        requests_per_s: at the busiest hour.
        speech_s: of a recording, on average.
        utilisation: share of the cores that may be busy then.
        machine: a replica fills one.
        prices: what they cost.

    Raises:
        ConfigError: a number is not above 0, or the utilisation is above 1.
    """
    machine, prices = machine or Machine(), prices or Prices()
    _check(requests=requests_per_s, seconds=speech_s, utilisation=utilisation, cores=machine.cores)
    if utilisation > 1:
        raise ConfigError(f"utilisation is {utilisation:g}, expected 1 or less")
    busy = requests_per_s * speech_s * rate.cpu_s_per_speech_s
    # Two at least, so that one may be lost or replaced.
    replicas = max(math.ceil(busy / utilisation / machine.cores - 1e-9), 2)
    proxy = max(math.ceil(requests_per_s * rate.proxy_cpu_ms / 1000 / utilisation - 1e-9), 1)
    cores = replicas * machine.cores
    return ServingPlan(
        requests_per_s=requests_per_s,
        speech_s=speech_s,
        utilisation=utilisation,
        cores=cores,
        replicas=replicas,
        proxy_cores=proxy,
        memory_gb=(replicas * rate.server_mb + cores * rate.worker_mb) / 1000,
        in_mbit_s=requests_per_s * speech_s * rate.upload_bytes_per_s * 8 / 1e6,
        out_mbit_s=requests_per_s * speech_s * rate.answer_bytes_per_s * 8 / 1e6,
        cost_month=(cores + proxy) * prices.core_hour * HOURS_A_MONTH,
    )


def _check(**numbers: float) -> None:
    """Stop where a number is not above 0."""
    for name, number in numbers.items():
        if not 0 < number < math.inf:
            raise ConfigError(f"{name.replace('_', ' ')} is {number:g}, expected more than 0")
