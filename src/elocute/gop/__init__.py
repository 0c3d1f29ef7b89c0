"""Step 5/10 - goodness of pronunciation from CTC posteriors.

`edits` holds the heart: the exact probability of everything that could have been said instead, in one pass.
`free` turns it into scores that need no alignment (GOP-SF); `aligned` has the classical scores of aligned segments.
`said` sums over errors everywhere at once; `reading` finds words left out, repeated and added; `variants` chooses
among accepted pronunciations.
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
from elocute.gop.reading import Extra, Reading, read_words
from elocute.gop.reading_lattice import ReadingPrices
from elocute.gop.said import EditPrior, Said, said_posterior

__all__ = [
    "Alternatives",
    "EditPrior",
    "Extra",
    "LogitGop",
    "PhoneAlignment",
    "Reading",
    "ReadingPrices",
    "Said",
    "align_phones",
    "alternatives",
    "gop_sa",
    "gop_sf",
    "gop_sf_per_frame",
    "gop_vector",
    "logit_gop",
    "perceived_posterior",
    "read_words",
    "said_posterior",
    "segment_lpp",
    "segment_lpr",
]
