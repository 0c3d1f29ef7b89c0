"""Advice in the words of a language model, where the user names one: it gets facts, never sound, and is checked.

Around the flow: a report that is done goes in, with advice by the rules, and comes out with the same advice in other
words. Whatever the model answers, no score, no error and no practice word comes from it; a reply that names an error
which the report does not have is thrown away.
"""

from __future__ import annotations

from elocute.wording.client import LanguageModel
from elocute.wording.reword import reword

__all__ = ["LanguageModel", "reword"]
