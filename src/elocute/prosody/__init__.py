"""Step 6/10 - prosody: `Audio` and phone times to timing, pauses and rates."""

from elocute.prosody.breaks import Break, PlacedPause, find_breaks, place_pauses
from elocute.prosody.fluency import LONG_PAUSE_S, Fluency, fluency
from elocute.prosody.measure import Prosody, measure_prosody, word_times
from elocute.prosody.pauses import Pause, find_pauses
from elocute.prosody.phrases import Gap, phrase_gaps
from elocute.prosody.rhythm import Rhythm, rhythm
from elocute.prosody.sound import Sound, listen
from elocute.prosody.timing import Timing, frame_energy_db, refined, timing

__all__ = [
    "LONG_PAUSE_S",
    "Break",
    "Fluency",
    "Gap",
    "Pause",
    "PlacedPause",
    "Prosody",
    "Rhythm",
    "Sound",
    "Timing",
    "find_breaks",
    "find_pauses",
    "fluency",
    "frame_energy_db",
    "listen",
    "measure_prosody",
    "phrase_gaps",
    "place_pauses",
    "refined",
    "rhythm",
    "timing",
    "word_times",
]
