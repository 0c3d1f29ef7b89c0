"""Step 6/10 - prosody: `Audio` and phone times to timing, pauses and rates."""

from elocute.prosody.fluency import Fluency, fluency
from elocute.prosody.pauses import Pause, find_pauses
from elocute.prosody.timing import Timing, frame_energy_db, timing

__all__ = ["Fluency", "Pause", "Timing", "find_pauses", "fluency", "frame_energy_db", "timing"]
