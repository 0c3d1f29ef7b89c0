"""Step 5/10 - goodness of pronunciation from CTC posteriors.

`edits` holds the heart: the exact probability of everything that could have been said instead, in one pass.
`free` turns it into scores that need no alignment (GOP-SF); `aligned` has the classical scores of aligned segments.
"""

from elocute.gop.aligned import (
    LogitGop,
    PhoneAlignment,
    align_phones,
    gop_sa,
    logit_gop,
    segment_lpp,
    segment_lpr,
)
from elocute.gop.edits import Alternatives, alternatives
from elocute.gop.free import gop_sf, gop_sf_per_frame, gop_vector, perceived_posterior

__all__ = [
    "Alternatives",
    "LogitGop",
    "PhoneAlignment",
    "align_phones",
    "alternatives",
    "gop_sa",
    "gop_sf",
    "gop_sf_per_frame",
    "gop_vector",
    "logit_gop",
    "perceived_posterior",
    "segment_lpp",
    "segment_lpr",
]
