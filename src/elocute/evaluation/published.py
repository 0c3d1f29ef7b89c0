"""What others published on speechocean762, to stand beside our figures and clearly apart from them.

All of it is as printed in the sources, on the corpus's official test split; nothing was run here. Many of these systems
kept the epoch that was best on that very test split, and GOPT alone moves by 0.006 to 0.013 phone PCC with the seed, so
differences below 0.02 say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

COLUMNS = (
    ("phone", "accuracy"),
    ("word", "accuracy"),
    ("word", "stress"),
    ("word", "total"),
    ("utterance", "accuracy"),
    ("utterance", "completeness"),
    ("utterance", "fluency"),
    ("utterance", "prosodic"),
    ("utterance", "total"),
)
"""Level and score of each entry of `PublishedScores.pcc`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedScores:
    """PCC of a published system.

    Attributes:
        system: its name, with what sets this run apart.
        source: where the figures are printed.
        phone_mse: on the scale of 0 to 2; None where not reported.
        pcc: one for each of `COLUMNS`; None where not reported.
    """

    system: str
    source: str
    phone_mse: float | None
    pcc: tuple[float | None, ...]

    def of(self, level: str, score: str) -> float | None:
        """PCC of one score."""
        return self.pcc[COLUMNS.index((level, score))]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedDetection:
    """Detection of wrong phones by a published system; None where not reported."""

    system: str
    source: str
    precision: float | None
    recall: float | None
    f1: float | None
    roc_auc: float | None


GOPT = PublishedScores(
    system="GOPT (LibriSpeech acoustic model, mean of 5 runs)",
    source="Gong et al., ICASSP 2022; its README",
    phone_mse=0.085,
    pcc=(0.612, 0.533, 0.291, 0.549, 0.714, 0.155, 0.753, 0.760, 0.742),
)

SCORES = (
    PublishedScores(
        system="LSTM on GOP features",
        source="as printed in HMamba, table 1",
        phone_mse=0.089,
        pcc=(0.591, 0.514, 0.294, 0.531, 0.720, 0.076, 0.745, 0.747, 0.741),
    ),
    GOPT,
    PublishedScores(
        system="GOPT (private acoustic model of PAII)",
        source="Gong et al., ICASSP 2022; its README",
        phone_mse=0.069,
        pcc=(0.679, 0.595, 0.150, 0.606, 0.727, -0.044, 0.692, 0.695, 0.731),
    ),
    PublishedScores(
        system="HiPAMA",
        source="as printed in HMamba, table 1",
        phone_mse=0.084,
        pcc=(0.616, 0.575, 0.320, 0.591, 0.730, 0.276, 0.749, 0.751, 0.754),
    ),
    PublishedScores(
        system="FGOP-CTC-SF-Norm + GOPT head (phone loss only)",
        source="arXiv 2507.16838",
        phone_mse=None,
        pcc=(0.648, None, None, None, None, None, None, None, None),
    ),
    PublishedScores(
        system="HierTFR",
        source="ACL 2024, table 1",
        phone_mse=0.081,
        pcc=(0.644, 0.622, 0.325, 0.634, 0.735, 0.513, 0.801, 0.795, 0.764),
    ),
    PublishedScores(
        system="3M (GOP, self-supervised and prosodic features)",
        source="as printed in HMamba, table 1",
        phone_mse=0.078,
        pcc=(0.656, 0.598, 0.289, 0.617, 0.760, 0.325, 0.828, 0.827, 0.796),
    ),
    PublishedScores(
        system="HierCB + ConPCO",
        source="ICASSP 2025",
        phone_mse=0.071,
        pcc=(0.701, 0.669, 0.437, 0.682, 0.780, 0.749, 0.830, 0.823, 0.803),
    ),
    PublishedScores(
        system="JCAPT",
        source="JCAPT (2025), table 1",
        phone_mse=0.066,
        pcc=(0.720, 0.699, 0.270, 0.711, 0.783, 0.551, 0.834, 0.824, 0.806),
    ),
    PublishedScores(
        system="HMamba",
        source="NAACL 2025, table 1",
        phone_mse=0.062,
        pcc=(0.739, 0.708, 0.366, 0.718, 0.807, 0.278, 0.848, 0.843, 0.829),
    ),
    PublishedScores(
        system="MuFFIN",
        source="MuFFIN (2025)",
        phone_mse=0.063,
        pcc=(0.742, 0.705, 0.315, 0.714, 0.807, 0.768, 0.841, 0.832, 0.830),
    ),
    PublishedScores(
        system="Azure Pronunciation Assessment",
        source="arXiv 2503.11229, table 1",
        phone_mse=None,
        pcc=(None, 0.623, None, None, 0.700, 0.258, 0.715, 0.842, 0.782),
    ),
)

DETECTION = (
    PublishedDetection(
        system="GOP threshold, FA-GOP",
        source="arXiv 2506.02080",
        precision=0.262,
        recall=0.605,
        f1=0.366,
        roc_auc=0.882,
    ),
    PublishedDetection(
        system="GOP threshold, PP-AF-GOP",
        source="arXiv 2506.02080",
        precision=0.322,
        recall=0.556,
        f1=0.408,
        roc_auc=0.916,
    ),
    PublishedDetection(
        system="JAM", source="JCAPT (2025), table 1", precision=0.6410, recall=0.3476, f1=0.4501, roc_auc=None
    ),
    PublishedDetection(
        system="JCAPT", source="JCAPT (2025), table 1", precision=0.6989, recall=0.4023, f1=0.5105, roc_auc=None
    ),
    PublishedDetection(
        system="HMamba, decoupled loss 0.7",
        source="NAACL 2025, tables 3 and 4",
        precision=0.6435,
        recall=0.6341,
        f1=0.6385,
        roc_auc=None,
    ),
    PublishedDetection(
        system="MuFFIN with phone-specific variation",
        source="MuFFIN (2025)",
        precision=0.6760,
        recall=0.6837,
        f1=0.6798,
        roc_auc=None,
    ),
)
"""All of these know the text; recognisers that do not are another task."""


def best(level: str, score: str) -> tuple[float, str] | None:
    """Highest published PCC of a score, and whose; None where nobody reports one."""
    found = [(value, row.system) for row in SCORES if (value := row.of(level, score)) is not None]
    return max(found, key=lambda pair: pair[0]) if found else None
