"""Hand-written advice for vowels: by what was expected and what was said."""

from __future__ import annotations

TEXTS: dict[tuple[str, str], tuple[str, str, str, str]] = {
    ("IH", "IY"): (
        "Your tongue was too high and tense, and the sound was too long.",
        "Relax. Drop your tongue a tiny bit, let your lips hang loose, and keep it short.",
        "You smiled too much and held it too long.",
        "Do not smile. Make it short and lazy: i!",
    ),
    ("IY", "IH"): (
        "Your tongue was too low and loose, and the sound was too short.",
        "Smile, push your tongue up and forward, and hold the sound twice as long.",
        "It was too short and lazy.",
        "Smile big and hold it long: eeee.",
    ),
    ("AE", "EH"): (
        "Your mouth was not open far enough.",
        "Drop your jaw by one more finger and push your tongue down. Hold it a little longer.",
        "Your mouth was too small.",
        "Open much wider, with a smile, like a sheep: baa.",
    ),
    ("EH", "AE"): (
        "Your mouth was open too far.",
        "Lift your jaw, until only one finger fits between your teeth. Keep it short.",
        "Your mouth was too wide.",
        "Close your mouth a bit, and say it short: eh!",
    ),
    ("EH", "IH"): (
        "Your tongue was too high.",
        "Drop your jaw a little, so that your tongue comes down.",
        "Your mouth was too small.",
        "Open your mouth a bit more: eh!",
    ),
    ("EH", "EY"): (
        "Your tongue slid up to “ee” at the end.",
        "Keep your tongue still, and cut the sound short before it can slide.",
        "Your mouth slid into a smile.",
        "Stop! No slide. Just a short “eh”.",
    ),
    ("EY", "EH"): (
        "Your tongue stayed still, and the sound was too short.",
        "Make it longer, and let your tongue slide up to “ee” at the end.",
        "You stopped too soon.",
        "Go on a bit longer and slide to a smile: eh, ee.",
    ),
    ("UH", "UW"): (
        "Your lips were too tight, and the sound was too long.",
        "Let your lips go loose, drop your tongue a tiny bit, and keep it short.",
        "Your lips were too tight.",
        "Loose lips! Make it short, like a small monkey: u, u.",
    ),
    ("UW", "UH"): (
        "Your lips were too loose, and the sound was too short.",
        "Push your lips into a small tight circle, as if to blow out a candle, and hold it.",
        "Your lips were too lazy.",
        "Make a tight circle, like an owl, and hold it: hoooo.",
    ),
    ("AH", "AA"): (
        "Your mouth was open too far, and the sound was too long.",
        "Let your jaw come up half way and relax your tongue. Make it short, as if someone pokes you: uh!",
        "Your mouth was too wide.",
        "Close your mouth half way and make it short: uh!",
    ),
    ("AA", "AH"): (
        "Your mouth was not open far enough, and the sound was too short.",
        "Drop your jaw by two fingers, and hold the sound, as at the doctor's: ahh.",
        "Your mouth was too small.",
        "Open wide, like at the doctor's: ahh.",
    ),
    ("AH", "AE"): (
        "Your lips were spread, and your tongue was too far forward.",
        "Stop smiling. Let your tongue fall back to the middle, and keep it short.",
        "You smiled too wide.",
        "No smile. Let your mouth hang loose: uh!",
    ),
    ("AE", "AH"): (
        "Your mouth was half shut, and your tongue lay in the middle.",
        "Spread your lips, drop your jaw, and push your tongue to the front.",
        "Your mouth was too lazy.",
        "Open wide with a big smile, like a sheep: baa.",
    ),
    ("AE", "AA"): (
        "Your tongue was too far back.",
        "Push your tongue forward, until it touches your bottom teeth, and spread your lips.",
        "You forgot to smile.",
        "Open wide and smile at the same time, like a sheep: baa.",
    ),
    ("AO", "AA"): (
        "Your lips were not round.",
        "Pull your lips in to an oval, and leave the rest as it is. Many Americans say both sounds alike, so do not "
        "worry.",
        "Your lips were too flat.",
        "Make your lips a bit round, as if you see a kitten: aw.",
    ),
    ("AO", "OW"): (
        "Your lips closed at the end of the sound.",
        "Drop your jaw, and hold your mouth still to the end. Your lips must not move.",
        "Your mouth got smaller and smaller.",
        "Keep a big open mouth, and do not move it: aw.",
    ),
    ("OW", "AO"): (
        "Your mouth was open too wide and did not move.",
        "Start with round lips, and close them to a small circle at the end.",
        "Your mouth was too big.",
        "Make a small round mouth, and make it smaller still: oh!",
    ),
    ("ER", "AH"): (
        "Your tongue lay flat, so there was no “r” in the sound.",
        "Pull your tongue back into a lump while you speak, and hold it there.",
        "Your tongue was asleep.",
        "Pull your tongue back and growl like a small bear: errr.",
    ),
}
"""What the mouth did and the movement that mends it, for a learner; the same for a child."""
