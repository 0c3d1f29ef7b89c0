"""Step 2/10 - the kinds of accepted pronunciation, named as a teacher would name them."""

from __future__ import annotations

LISTED = "dictionary variant"
USERS = "user's"
STRONG = "strong form"
WEAK = "weak form"
FLAP = "flap"
MERGER = "cot-caught merger"
SCHWA_R = "schwa and r"
DROPPED = "schwa dropped"
REDUCED = "reduced vowel"
BRITISH = "British"
LINKING_R = "linking r"
INTRUSIVE_R = "intrusive r"
ELISION = "final consonant elided"
ASSIMILATION = "assimilation"
SHARED = "shared consonant"
COALESCENCE = "joined y"

KINDS = (
    LISTED, USERS, STRONG, WEAK, FLAP, MERGER, SCHWA_R, DROPPED, REDUCED, BRITISH,
    LINKING_R, INTRUSIVE_R, ELISION, ASSIMILATION, SHARED, COALESCENCE,
)  # fmt: skip
"""All kinds; a variant of two has both names, joined by a comma."""
