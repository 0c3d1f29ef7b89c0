"""The 39 phones in plain words: what they are called, how the mouth makes them, and what it did where it made them.

Written for this project. No jargon and no IPA: these are the words of the learner's and the child's advice.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One phone in plain words.

    Attributes:
        label: letters that stand for it.
        keyword: a common word that has it.
        do: how to make it, for a learner; whole sentences.
        did: what the mouth did where it made this instead of another; one whole sentence.
        child_do: how to make it, for a child.
        child_did: what the mouth did, for a child.
    """

    label: str
    keyword: str
    do: str
    did: str
    child_do: str
    child_did: str


def _sound(label: str, keyword: str, do: str, did: str, child_do: str, child_did: str) -> Sound:
    """One row of the table."""
    return Sound(label=label, keyword=keyword, do=do, did=did, child_do=child_do, child_did=child_did)


SOUNDS: dict[str, Sound] = {
    "AA": _sound(
        "a", "father",
        "Drop your jaw, lay your tongue low and back, and leave your lips loose. Hold it.",
        "Your jaw dropped, and your tongue lay low and far back.",
        "Open wide, like at the doctor's: ahh.",
        "You opened wide and said “ahh”.",
    ),
    "AE": _sound(
        "a", "cat",
        "Drop your jaw, push your tongue low and forward, and spread your lips a little.",
        "Your jaw dropped, and your tongue came forward.",
        "Open wide and smile at the same time, like a sheep: baa.",
        "You smiled with a wide open mouth.",
    ),
    "AH": _sound(
        "u", "cup",
        "Open your mouth half way and relax. Your tongue rests in the middle, and the sound is short.",
        "Your mouth was half open, and your tongue just rested in the middle.",
        "Let your mouth hang loose and say a short, lazy “uh”.",
        "Your mouth hung loose and said “uh”.",
    ),
    "AO": _sound(
        "aw", "law",
        "Drop your jaw, pull your tongue back, and round your lips a little. Hold it.",
        "Your tongue went back, and your lips were a little round.",
        "Make a big round mouth and say “aw”, as if you see a kitten.",
        "You made a big round mouth and said “aw”.",
    ),
    "AW": _sound(
        "ow", "now",
        "Start with a wide open mouth. Then close it slowly into a small circle.",
        "Your mouth opened wide and then closed into a circle.",
        "Open wide, then make a tiny circle with your lips: ow.",
        "Your lips ended in a tiny circle.",
    ),
    "AY": _sound(
        "y", "my",
        "Start with a wide open mouth. Then let your tongue slide up to “ee”.",
        "Your mouth opened wide, and then your tongue slid up to “ee”.",
        "Open wide, then slide up to a smile: ah, ee.",
        "You opened wide and slid up to “ee”.",
    ),
    "B": _sound(
        "b", "bed",
        "Close both lips, switch your voice on, and let your lips pop open.",
        "Both lips closed and popped open, with your voice on.",
        "Close your lips and pop them open with your voice on: b, b, b.",
        "Your lips popped open with your voice on.",
    ),
    "CH": _sound(
        "ch", "chair",
        "Block the air with your tongue just behind the ridge, then let it burst into “sh”. No voice.",
        "Your tongue blocked the air and then let it burst into “sh”.",
        "Sneeze with your mouth: ch! Start with “t” and jump into “sh”.",
        "You made a little sneeze: ch.",
    ),
    "D": _sound(
        "d", "day",
        "Press the tip of your tongue on the ridge behind your top teeth, voice on, and let go.",
        "The tip of your tongue tapped behind your top teeth, with your voice on.",
        "Tap behind your top teeth with your tongue, voice on: d, d, d.",
        "Your tongue tapped behind your teeth with your voice on.",
    ),
    "DH": _sound(
        "th", "this",
        "Rest the tip of your tongue between your teeth and hum through the gap. The air never stops.",
        "The tip of your tongue came between your teeth and buzzed.",
        "Stick your tongue out a tiny bit between your teeth, and buzz like a bee.",
        "Your tongue stuck out between your teeth and buzzed.",
    ),
    "EH": _sound(
        "e", "bed",
        "Open your mouth half way, with your tongue forward. Keep it short.",
        "Your mouth was only half open, with your tongue forward.",
        "Open your mouth just half way and say a short “eh”.",
        "Your mouth was only half open: eh.",
    ),
    "ER": _sound(
        "ir", "bird",
        "Pull your tongue back into a lump, so that its tip touches nothing. Keep your voice on.",
        "Your tongue pulled back and made an “r” sound.",
        "Growl like a small bear: pull your tongue back and say “errr”.",
        "Your tongue pulled back and growled: er.",
    ),
    "EY": _sound(
        "ay", "day",
        "Start as in “bed”, then let your tongue slide up to “ee”.",
        "Your tongue slid up towards “ee”.",
        "Start with “eh” and slide up to “ee”: hey!",
        "Your mouth slid from “eh” to “ee”.",
    ),
    "F": _sound(
        "f", "five",
        "Rest your top teeth on your bottom lip and blow. No voice.",
        "Your top teeth met your bottom lip, and only air came out.",
        "Bite your bottom lip softly, like a rabbit, and blow.",
        "Your teeth sat on your lip and blew air.",
    ),
    "G": _sound(
        "g", "go",
        "Lift the back of your tongue to the top of your mouth, voice on, and let go.",
        "The back of your tongue went up and let go, with your voice on.",
        "Lift the back of your tongue and let it go with your voice on: g, g, g, like a frog.",
        "The back of your tongue went up and let go with voice.",
    ),
    "HH": _sound(
        "h", "hat",
        "Open your mouth and just breathe out. Your tongue and lips do nothing.",
        "You only breathed out: no lip and no tongue took part.",
        "Breathe out, as if you want to warm your hands: hhh.",
        "You only breathed out, like when you warm your hands.",
    ),
    "IH": _sound(
        "i", "sit",
        "Keep your tongue high and forward, but loose. Do not smile, and keep it short.",
        "Your tongue was high but loose, and the sound was short.",
        "Make it short and lazy: i, i, i. Do not smile.",
        "Your mouth was loose, and the sound was very short.",
    ),
    "IY": _sound(
        "ee", "see",
        "Push your tongue high and forward, spread your lips into a smile, and hold it.",
        "Your tongue was high and tense, and your lips made a smile.",
        "Smile big and hold it: eeee.",
        "You made a big smile: eeee.",
    ),
    "JH": _sound(
        "j", "job",
        "Block the air with your tongue just behind the ridge, voice on, then let it burst into a buzz.",
        "Your tongue blocked the air and then burst into a buzz.",
        "Say “ch” like a sneeze, but with your voice on: j, j, j.",
        "You made a sneeze with your voice on: j.",
    ),
    "K": _sound(
        "k", "key",
        "Lift the back of your tongue to the top of your mouth, then let go with a puff. No voice.",
        "The back of your tongue went up and let go with a puff.",
        "Lift the back of your tongue and let a puff of air out: k, k, k.",
        "The back of your tongue went up and let out a puff.",
    ),
    "L": _sound(
        "l", "let",
        "Keep the tip of your tongue on the ridge behind your top teeth. Your voice flows past its sides.",
        "The tip of your tongue stayed up behind your top teeth.",
        "Put your tongue up behind your top teeth, keep it there, and sing: la, la, la.",
        "Your tongue stuck to the spot behind your teeth: l.",
    ),
    "M": _sound(
        "m", "me",
        "Close both lips and hum through your nose.",
        "Your lips were closed, and the sound came through your nose.",
        "Close your lips and hum, as if the food is yummy: mmm.",
        "Your lips stayed shut, and you hummed: mmm.",
    ),
    "N": _sound(
        "n", "no",
        "Press the tip of your tongue on the ridge behind your top teeth and hum through your nose.",
        "The tip of your tongue went up, and the sound came through your nose.",
        "Put your tongue up behind your top teeth and hum through your nose: nnn.",
        "Your tongue went up, and you hummed in your nose: nnn.",
    ),
    "NG": _sound(
        "ng", "sing",
        "Lift the back of your tongue and hum through your nose. Do not let go with a “g”.",
        "The back of your tongue went up, and the sound came through your nose.",
        "Hum with the back of your tongue up, like a bell: dinggg.",
        "You hummed with the back of your tongue: ng.",
    ),
    "OW": _sound(
        "o", "home",
        "Round your lips, then make the circle smaller while your tongue lifts.",
        "Your lips were round and closed more and more.",
        "Make a round mouth, then make it smaller: oh!",
        "Your round mouth got smaller and smaller: oh.",
    ),
    "OY": _sound(
        "oy", "boy",
        "Start with round lips, then spread them while your tongue slides up to “ee”.",
        "Your lips were round first, and then your tongue slid up to “ee”.",
        "Start with a round mouth and end with a smile: oy!",
        "You began with a round mouth and ended in a smile.",
    ),
    "P": _sound(
        "p", "pen",
        "Close both lips, then let them pop open with a puff of air. No voice.",
        "Both lips closed and popped open with a puff of air.",
        "Pop your lips open with a puff of air, as if you blow out a candle: p!",
        "Your lips popped with a puff of air.",
    ),
    "R": _sound(
        "r", "red",
        "Pull your tongue back so that its tip touches nothing, and round your lips a little. Voice on.",
        "Your tongue pulled back, and its tip touched nothing.",
        "Pull your tongue back like a bear that growls: rrr. The tip must touch nothing.",
        "Your tongue pulled back and growled: rrr.",
    ),
    "S": _sound(
        "s", "say",
        "Bring the tip of your tongue near the ridge behind your top teeth. Let a thin, sharp hiss out. No voice.",
        "Your tongue stayed behind your teeth, and the air hissed.",
        "Keep your tongue behind your teeth and hiss like a snake: sss.",
        "Your tongue hid behind your teeth and hissed like a snake.",
    ),
    "SH": _sound(
        "sh", "she",
        "Pull your tongue a little back from “s”, push your lips out, and let a soft, wide hiss out. No voice.",
        "Your tongue was pulled back, and the hiss was soft and dark.",
        "Push your lips out and say “be quiet”: shhh.",
        "You said “be quiet”: shhh.",
    ),
    "T": _sound(
        "t", "two",
        "Press the tip of your tongue on the ridge behind your top teeth, then let go with a puff. No voice.",
        "The tip of your tongue blocked the air behind your top teeth.",
        "Tap behind your top teeth with your tongue and let a puff out, like a clock: t, t, t.",
        "Your tongue tapped behind your teeth with a puff.",
    ),
    "TH": _sound(
        "th", "think",
        "Put the tip of your tongue between your teeth and blow softly. The air never stops. No voice.",
        "The tip of your tongue came between your teeth, and soft air came out.",
        "Stick your tongue out a tiny bit between your teeth and blow.",
        "Your tongue stuck out between your teeth and blew air.",
    ),
    "UH": _sound(
        "oo", "book",
        "Lift the back of your tongue, but keep it loose. Round your lips only a little, and keep it short.",
        "Your tongue was back but loose, and the sound was short.",
        "Make it short and lazy, like a small monkey: u, u.",
        "Your lips were loose, and the sound was short: u.",
    ),
    "UW": _sound(
        "oo", "too",
        "Push your lips out into a small tight circle, lift the back of your tongue, and hold it.",
        "Your lips made a small tight circle, and the sound was long.",
        "Make a tight little circle with your lips, like an owl: hoooo.",
        "Your lips made a tight circle: ooo.",
    ),
    "V": _sound(
        "v", "very",
        "Rest your top teeth on your bottom lip and hum through the gap, so that your lip tickles.",
        "Your top teeth met your bottom lip and buzzed.",
        "Bite your bottom lip softly and buzz, till it tickles: vvv.",
        "Your teeth sat on your lip and buzzed.",
    ),
    "W": _sound(
        "w", "we",
        "Push your lips into a small circle, then open them fast. Your teeth touch nothing.",
        "Your lips made a small circle and opened.",
        "Make a kiss with your lips, then open them fast: w!",
        "Your lips made a kiss and opened.",
    ),
    "Y": _sound(
        "y", "yes",
        "Start with your tongue up as for “ee”, then slide fast into the vowel.",
        "Your tongue started up at “ee” and slid away.",
        "Start with a quick “ee” and jump into the next sound: yay!",
        "You started with a quick “ee”.",
    ),
    "Z": _sound(
        "z", "zoo",
        "Bring the tip of your tongue near the ridge behind your top teeth, and buzz with your voice on.",
        "Your tongue stayed behind your teeth and buzzed.",
        "Keep your tongue behind your teeth and buzz like a bee: zzz.",
        "Your tongue hid behind your teeth and buzzed like a bee.",
    ),
    "ZH": _sound(
        "zh", "vision",
        "Push your lips out as for “sh”, then switch your voice on, so that it buzzes softly.",
        "Your tongue was pulled back and buzzed softly.",
        "Say “shhh”, then switch your voice on: zhhh.",
        "You said “shhh” with your voice on.",
    ),
}  # fmt: skip
"""By ARPABET symbol."""

REDUCED = {"AH": ("a", "about"), "ER": ("er", "teacher")}
"""Label and word of the vowels that have a weak form."""

KEYWORDS = {phone: sound.keyword for phone, sound in SOUNDS.items()}
"""A common word with each phone."""
