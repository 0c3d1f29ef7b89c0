"""Several opinions on one recording, and what to make of them: any reports, combined by a fitted combination.

`values.py` takes what a report or a stored prediction says as plain numbers, `combination.py` combines these, `fit.py`
learns how from out-of-fold predictions, `merge.py` writes the outcome into a report, and `assessor.py` is what
`--backend ensemble:A,B` loads.
"""

from elocute.ensemble.combination import Blend, Combination, Member, read_combination, write_combination

__all__ = ["Blend", "Combination", "Member", "read_combination", "write_combination"]
