"""Step 6/10 - prosody: `Audio` and phone times to timing, pauses and rates."""

from elocute.prosody.fluency import Fluency, fluency
from elocute.prosody.timing import Pause, Timing, frame_energy_db, timing

__all__ = ["Fluency", "Pause", "Timing", "fluency", "frame_energy_db", "timing"]
