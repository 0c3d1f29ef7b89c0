"""Table 3 of the paper that this follows, to stand beside our figures and clearly apart from them.

S. Ahn and H. Nam, "English Pronunciation Evaluation without Complex Joint Training", arXiv 2509.02915, on the official
test split of speechocean762; nothing was run here.

Its F1 comes without a rule of alignment. As errors that are found it cannot be: at PER .114 there are far more edits
than mispronounced phones, and precision could not pass .34. As tokens that agree after alignment it would be above .9.
As tokens that agree at the same place, it is what such a PER gives: transcripts of our own phone recogniser of 250
recordings of the corpus have PER .083, .934 after alignment and .756 in place; the table has .724 at PER .114. So that
is how we read it (`Matches`, "in place").
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRun:
    """One row: PCC of accuracy, fluency, prosodic and total; WER, PER; F1, precision, recall."""

    run: str
    figures: tuple[float, ...]


TABLE_3 = (
    PublishedRun(run="base model", figures=(-0.041, -0.017, -0.049, -0.104, 0.970, 0.792, 0.143, 0.154, 0.134)),
    PublishedRun(run="LoRA, epoch 3", figures=(0.656, 0.727, 0.711, 0.675, 0.140, 0.114, 0.724, 0.728, 0.721)),
    PublishedRun(run="Unfreeze, epoch 4", figures=(0.743, 0.717, 0.704, 0.666, 0.142, 0.142, 0.667, 0.671, 0.663)),
)
"""Without tuning; the epoch with the best totals of each regime."""
