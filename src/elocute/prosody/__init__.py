"""Step 6/10 - prosody: `Audio` and phone times to timing, pauses and rates."""

from elocute.prosody.fluency import Fluency, fluency
from elocute.prosody.pauses import Pause, find_pauses
from elocute.prosody.rhythm import Rhythm, rhythm
from elocute.prosody.sound import Sound, listen
from elocute.prosody.timing import Timing, frame_energy_db, refined, timing

__all__ = [
    "Fluency",
    "Pause",
    "Rhythm",
    "Sound",
    "Timing",
    "find_pauses",
    "fluency",
    "frame_energy_db",
    "listen",
    "refined",
    "rhythm",
    "timing",
]
