"""Step 9/10 - from a diagnosis to a sentence that makes the next attempt better, and to what to practise next.

A `Slip` is one thing that went wrong at one phone; `advise` says what happened, what the mouth did, the one movement
that mends it, and which words to compare, for a child, a learner or a teacher.
"""

from __future__ import annotations

from elocute.feedback.advice import Advice, advise
from elocute.feedback.practice import minimal_pairs, practice_words
from elocute.feedback.schedule import Outcome, Practice, next_practice
from elocute.feedback.slip import LEVELS, Level, Slip

__all__ = [
    "LEVELS",
    "Advice",
    "Level",
    "Outcome",
    "Practice",
    "Slip",
    "advise",
    "minimal_pairs",
    "next_practice",
    "practice_words",
]
