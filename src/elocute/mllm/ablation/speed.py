"""How fast an arm trains and answers, and what energy that takes, with nothing else on the device."""

from __future__ import annotations

import ctypes
import statistics
import time

import torch

from elocute.mllm.ablation.bench import Bench
from elocute.mllm.ablation.recipe import Trial
from elocute.mllm.ablation.trial import Training, prepare
from elocute.mllm.generation import generate

WARM_UP, TIMED, ANSWERED = 5, 20, 5
"""Updates before the clock starts; updates and answers that are timed."""


def measure_speed(bench: Bench, trial: Trial) -> dict[str, float | None]:
    """Examples a second in training, milliseconds of an answer to one recording, tokens a second, joules.

    Answers are the shortest of the tasks, one recording at a time. Memory is the most that the training held, its
    spectra left out.
    """
    found: dict[str, float | None] = {}
    bench.tidy()
    model = prepare(bench, trial).model
    if trial.arm.allocation != "none":
        training = Training(bench, trial, model)
        for number in range(1, WARM_UP + 1):
            training.update(number)
        with Watch(bench.device) as watch:
            for number in range(WARM_UP + 1, WARM_UP + TIMED + 1):
                training.update(number)
        found["examples_per_s"] = TIMED * bench.recipe.adaptation.batch / watch.seconds
        found["joules_per_update"] = None if watch.joules is None else watch.joules / TIMED
        if bench.is_gpu:
            found["peak_bytes"] = torch.cuda.max_memory_allocated(bench.device) - bench.bank_bytes
    model.eval()
    shortest = sorted(bench.parts.held, key=lambda example: len(example.answer))[: ANSWERED + 1]
    seconds, tokens = [], 0
    for number, example in enumerate(shortest):
        with bench.autocast():
            made = generate(
                model,
                bench.processor,
                [example],
                batch_size=1,
                max_new_tokens=bench.recipe.evaluation.longest_answer,
                recordings=bench.recordings,
            )
        if number or len(shortest) == 1:  # the first one warms up
            seconds.append(made.seconds)
            tokens += made.tokens
    found["latency_ms"] = 1000 * statistics.median(seconds)
    found["tokens_per_s"] = tokens / sum(seconds)
    return found


class Watch:
    """Seconds and joules between entering and leaving.

    Attributes:
        seconds: wall clock, after the device has finished.
        joules: of the whole device, as it counts them; None where it does not.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.seconds = 0.0
        self.joules: float | None = None

    def __enter__(self) -> Watch:
        self._wait()
        self._before_j, self._began_s = energy_j(self._device), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self._wait()
        self.seconds = time.perf_counter() - self._began_s
        after_j = energy_j(self._device)
        if after_j is not None and self._before_j is not None:
            self.joules = after_j - self._before_j

    def _wait(self) -> None:
        """Until the device has done what it was asked."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def energy_j(device: torch.device) -> float | None:
    """Joules that a GPU has taken since its driver was loaded, from NVML; None where there is no such counter."""
    if device.type != "cuda":
        return None
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:  # no NVIDIA driver, as on AMD
        return None
    if uuid is None or nvml.nvmlInit_v2() != 0:
        return None
    handle, millijoules = ctypes.c_void_p(), ctypes.c_ulonglong()
    is_found = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}".encode(), ctypes.byref(handle)) == 0
    is_known = is_found and nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules)) == 0
    return millijoules.value / 1000 if is_known else None
