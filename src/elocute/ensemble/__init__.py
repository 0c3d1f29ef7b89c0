"""Several opinions on one recording, and what to make of them: any reports, combined by a fitted combination.

`values.py` takes what a report or a stored prediction says as plain numbers, `combination.py` combines these,
`merge.py` writes the outcome into a report, and `assessor.py` is what `--backend ensemble:A,B` loads. How members are
combined is learned from what they said of a corpus out of fold: `members.py` reads it, `items.py` puts it beside what
people say, `fit.py` learns, `worth.py` measures, and `train.py` does all of it.
"""

from elocute.ensemble.combination import Blend, Combination, Member, read_combination, write_combination

__all__ = ["Blend", "Combination", "Member", "read_combination", "write_combination"]
