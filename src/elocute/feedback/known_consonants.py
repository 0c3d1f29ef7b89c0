"""Hand-written advice for consonants: by what was expected and what was said."""

from __future__ import annotations

TEXTS: dict[tuple[str, str], tuple[str, str, str, str]] = {
    ("TH", "S"): (
        "Your tongue stayed behind your teeth, so the air hissed.",
        "Put the tip of your tongue between your teeth, so that you can see it in a mirror, and blow. It should sound "
        "soft, with no hiss.",
        "Your tongue hid behind your teeth, so you hissed like a snake.",
        "Let your tongue peep out between your teeth and blow. Look in a mirror: can you see it?",
    ),
    ("TH", "T"): (
        "Your tongue blocked the air behind your teeth, so it came out in one burst.",
        "Put the tip of your tongue between your teeth and let the air flow on and on. If you can hold the sound, it "
        "is right.",
        "Your tongue stopped the air, so it went pop.",
        "Let your tongue peep out between your teeth, and blow a long, soft wind: thhh.",
    ),
    ("TH", "F"): (
        "Your bottom lip touched your top teeth.",
        "Keep your lip down; hold it with a finger if you must. Only your tongue may touch your teeth: put its tip "
        "between them and blow.",
        "You bit your lip, like a rabbit.",
        "Leave your lip alone. Let your tongue peep out between your teeth and blow.",
    ),
    ("TH", "DH"): (
        "Your voice was on, so the sound buzzed.",
        "Leave your tongue between your teeth, and whisper the sound: only air comes out.",
        "Your voice was on, so it buzzed like a bee.",
        "Keep your tongue there, but whisper: only wind, no bee.",
    ),
    ("DH", "D"): (
        "Your tongue tapped behind your teeth and stopped the air.",
        "Rest the tip of your tongue between your teeth, and hum through the gap. Do not tap: you must be able to hold "
        "the sound.",
        "Your tongue tapped like a drum.",
        "Let your tongue peep out between your teeth, and buzz like a bee. Do not tap.",
    ),
    ("DH", "Z"): (
        "Your tongue stayed behind your teeth, so the sound buzzed sharply.",
        "Move the tip of your tongue out between your teeth and keep your voice on. The buzz gets soft, and it tickles "
        "your tongue.",
        "Your tongue hid behind your teeth and buzzed: zzz.",
        "Let your tongue peep out between your teeth, and keep on buzzing. It tickles!",
    ),
    ("DH", "TH"): (
        "Your voice was off, so only air came out.",
        "Keep your tongue between your teeth and switch your voice on. Your tongue should tickle.",
        "Your voice was asleep, so only wind came out.",
        "Keep your tongue there, and wake up your voice. It should buzz.",
    ),
    ("DH", "V"): (
        "Your bottom lip touched your top teeth.",
        "Keep your lip down and use your tongue: put its tip between your teeth and hum.",
        "You bit your lip and buzzed.",
        "Leave your lip alone. Let your tongue peep out between your teeth and buzz.",
    ),
    ("V", "W"): (
        "Your lips made a circle, and your teeth touched nothing.",
        "Pull your lips back, and rest your top teeth on your bottom lip. Now hum, until your lip tickles.",
        "Your lips made a kiss.",
        "No kiss! Bite your bottom lip softly and buzz, till it tickles.",
    ),
    ("V", "B"): (
        "Both your lips closed and stopped the air.",
        "Keep your top lip up and out of the way. Rest your top teeth on your bottom lip, and let the sound go on: "
        "vvv.",
        "Both your lips closed and popped.",
        "Do not pop. Bite your bottom lip softly and buzz for a long time: vvv.",
    ),
    ("V", "F"): (
        "Your voice was off, so only air came out.",
        "Leave your teeth on your lip, and switch your voice on. Your lip should tickle.",
        "Your voice was asleep, so only wind came out.",
        "Keep biting your lip softly, and wake up your voice: vvv.",
    ),
    ("W", "V"): (
        "Your top teeth touched your bottom lip.",
        "Push your lips out into a small circle, as if to whistle, so that your teeth cannot touch them. Then open up.",
        "You bit your lip.",
        "Do not bite. Make a kiss with your lips, then open them fast.",
    ),
    ("W", "R"): (
        "Your tongue pulled back as well as your lips.",
        "Let the tip of your tongue lie down, and make a tight little circle with your lips.",
        "Your tongue growled.",
        "No growl. Put your tongue to bed, and make a kiss with your lips.",
    ),
    ("B", "V"): (
        "Your teeth touched your lip, and the air leaked out.",
        "Press both lips together, so that no air gets out. Then let them pop open.",
        "You bit your lip, and it buzzed.",
        "Press both lips shut, then pop them open: b!",
    ),
    ("R", "L"): (
        "The tip of your tongue touched the ridge behind your teeth.",
        "Pull your tongue back, so that its tip hangs free and touches nothing. Round your lips a little and make a "
        "growl.",
        "Your tongue stuck to the top of your mouth.",
        "Let your tongue go! Pull it back so it touches nothing, and growl like a bear: rrr.",
    ),
    ("L", "R"): (
        "The tip of your tongue hung free and touched nothing.",
        "Press the tip of your tongue on the ridge behind your top teeth, and keep it there while you hum. Do not "
        "round your lips.",
        "Your tongue hung in the air and growled.",
        "Stick the tip of your tongue behind your top teeth, and sing: la, la, la.",
    ),
    ("R", "W"): (
        "Only your lips moved, and your tongue lay still.",
        "Pull your whole tongue back, until its sides touch your back teeth. Let your lips do less.",
        "Only your lips moved, like a kiss.",
        "Pull your tongue back too, and growl like a bear: rrr.",
    ),
    ("L", "N"): (
        "The air went out through your nose.",
        "Leave the tip of your tongue where it is, but lower its sides, so that the air gets out past them. Pinch your "
        "nose: the sound must go on.",
        "You hummed through your nose.",
        "Pinch your nose and sing: la, la, la. If it works, you have it!",
    ),
    ("N", "L"): (
        "The air went out of your mouth, past your tongue.",
        "Press the whole edge of your tongue to your gums, so that no air gets out of your mouth. It goes through your "
        "nose. Pinch your nose: the sound must stop.",
        "The sound came out of your mouth.",
        "Hum it through your nose: nnn. Pinch your nose, and it stops!",
    ),
    ("L", "W"): (
        "Your lips went round, and the tip of your tongue stayed down.",
        "Lift the tip of your tongue and touch the ridge behind your top teeth. Keep your lips loose.",
        "Your lips went round, and your tongue slept.",
        "Wake up your tongue: put its tip behind your top teeth. Keep your lips loose.",
    ),
    ("N", "NG"): (
        "The back of your tongue went up, and its tip stayed down.",
        "End the hum with the tip of your tongue pressed behind your top teeth.",
        "You hummed with the back of your tongue.",
        "Put the tip of your tongue up behind your teeth and hum: nnn.",
    ),
    ("NG", "N"): (
        "The tip of your tongue went up to your teeth.",
        "Keep the tip of your tongue down behind your bottom teeth. Lift the back, as for “k”, and hum through your "
        "nose.",
        "The tip of your tongue went up.",
        "Keep the tip down. Lift the back of your tongue and hum like a bell: dinggg.",
    ),
    ("M", "N"): (
        "Your lips stayed open, and your tongue closed the way.",
        "Shut both lips, and keep them shut while you hum.",
        "Your lips were open.",
        "Shut your lips and hum, as if the food is yummy: mmm.",
    ),
    ("N", "M"): (
        "Your lips closed.",
        "Keep your lips apart, so that you could see your tongue in a mirror. Its tip goes up behind your top teeth.",
        "Your lips were shut.",
        "Open your lips. Only your tongue goes up: nnn.",
    ),
    ("SH", "S"): (
        "Your tongue was too far forward, so the hiss was too sharp.",
        "Pull your tongue back by the width of a pencil, and push your lips out into a circle.",
        "You hissed like a snake.",
        "Push your lips out and say “be quiet”: shhh.",
    ),
    ("S", "SH"): (
        "Your tongue was too far back, so the hiss was too soft.",
        "Spread your lips, and bring the tip of your tongue close behind your top teeth. The hiss gets thin and sharp.",
        "You said “be quiet” instead of hissing.",
        "Smile, bring your tongue close to your teeth, and hiss like a snake: sss.",
    ),
    ("S", "TH"): (
        "Your tongue came out between your teeth.",
        "Close your teeth and keep your tongue inside. Let out a thin, sharp hiss.",
        "Your tongue stuck out.",
        "Hide your tongue behind your teeth, and hiss like a snake: sss.",
    ),
    ("Z", "S"): (
        "Your voice was off, so it only hissed.",
        "Leave your tongue where it is, and switch your voice on. Your throat and your tongue should buzz.",
        "You hissed like a snake.",
        "Be a bee, not a snake: switch your voice on and buzz: zzz.",
    ),
    ("ZH", "SH"): (
        "Your voice was off, so it only hissed.",
        "Keep your lips pushed out, and switch your voice on. It should buzz softly.",
        "You said “be quiet” with no voice.",
        "Say “shhh” and switch your voice on: zhhh.",
    ),
    ("ZH", "Z"): (
        "Your tongue was too far forward, so the buzz was too sharp.",
        "Pull your tongue a little back, and push your lips out. The buzz gets dark and soft.",
        "You buzzed like a bee: zzz.",
        "Push your lips out and buzz softly: zhhh.",
    ),
    ("ZH", "JH"): (
        "Your tongue blocked the air first.",
        "Let the sound start softly, with no stop before it. You must be able to hold it.",
        "You stopped the air first.",
        "Start softly and keep it going: zhhh.",
    ),
    ("CH", "SH"): (
        "The air leaked out from the start.",
        "Press your tongue up first, so that no air gets out. Then let it burst, like a sneeze.",
        "You said “be quiet”.",
        "Stop the air with your tongue first, then sneeze: ch!",
    ),
    ("SH", "CH"): (
        "Your tongue blocked the air first.",
        "Do not let your tongue touch the top of your mouth. Let the air flow from the start, as long as you like.",
        "You made a sneeze.",
        "Do not sneeze. Say “be quiet”, nice and long: shhh.",
    ),
    ("JH", "Z"): (
        "The air leaked out from the start, too far forward.",
        "Press your tongue up first, so that no air gets out. Push your lips out and let it burst with your voice on.",
        "You buzzed like a bee.",
        "Stop the air with your tongue first, then sneeze with your voice: j!",
    ),
    ("JH", "Y"): (
        "Your tongue came near the top of your mouth but did not touch it.",
        "Press your tongue to the top of your mouth, so that the air stops. Then let it burst with your voice on.",
        "Your tongue did not touch the top.",
        "Stop the air with your tongue, then sneeze with your voice: j!",
    ),
    ("HH", "F"): (
        "Your teeth touched your lip.",
        "Open your mouth, and let the air come from your throat. Nothing touches.",
        "You bit your lip.",
        "Open your mouth and breathe out, to warm your hands: hhh.",
    ),
    ("P", "B"): (
        "Your voice was on, and there was no puff of air.",
        "Keep your voice off, and let your lips pop open with a puff. Hold a strip of paper in front of your lips: it "
        "must move.",
        "Your voice was on.",
        "Whisper it with a big puff, as if you blow out a candle: p!",
    ),
    ("T", "D"): (
        "Your voice was on, and there was no puff of air.",
        "Keep your voice off, and let your tongue go with a puff. You should feel the air on your hand.",
        "Your voice was on.",
        "Whisper it with a puff of air: t!",
    ),
    ("K", "G"): (
        "Your voice was on, and there was no puff of air.",
        "Keep your voice off, and let the back of your tongue go with a puff. You should feel the air on your hand.",
        "Your voice was on.",
        "Whisper it with a puff of air: k!",
    ),
    ("B", "P"): (
        "Your voice started too late, after a puff of air.",
        "Hold the puff back, and let your voice start while your lips are still closed.",
        "You let a puff of air out.",
        "No puff! Wake up your voice first, then pop: b!",
    ),
    ("D", "T"): (
        "Your voice started too late, after a puff of air.",
        "Hold the puff back, and let your voice start while your tongue is still up.",
        "You let a puff of air out.",
        "No puff! Wake up your voice first, then tap: d!",
    ),
    ("G", "K"): (
        "Your voice started too late, after a puff of air.",
        "Hold the puff back, and let your voice start while the back of your tongue is still up.",
        "You let a puff of air out.",
        "No puff! Wake up your voice first, then let go: g!",
    ),
    ("P", "F"): (
        "Your lips did not close, and the air leaked out.",
        "Press both lips together, and let them pop open. It is one short burst, not a stream.",
        "You bit your lip and blew.",
        "Shut both lips, then pop them open: p!",
    ),
    ("F", "P"): (
        "Both your lips closed and stopped the air.",
        "Keep your top lip up. Rest your top teeth on your bottom lip, and let the air flow on and on.",
        "Your lips went pop.",
        "Bite your bottom lip softly, like a rabbit, and blow: fff.",
    ),
}
"""What the mouth did and the movement that mends it, for a learner; the same for a child."""
