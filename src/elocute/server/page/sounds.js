// The 39 sounds: IPA name, a word that has it, and how the mouth makes it, in plain words.

export const SOUNDS = {
  AA: ["ɑ", "father", "Open your mouth wide, tongue low and at the back, lips relaxed."],
  AE: ["æ", "cat", "Open your mouth wide, tongue low and forward, lips spread a little."],
  AH: ["ʌ", "cup", "Relax everything: mouth half open, tongue in the middle, short."],
  AO: ["ɔ", "law", "Tongue low and back, lips a little rounded, mouth open."],
  AW: ["aʊ", "now", "Begin with the mouth wide open, then close and round your lips."],
  AY: ["aɪ", "my", "Begin with the mouth wide open, then let the tongue glide up to the front."],
  B: ["b", "bed", "Close your lips, start the voice, then let them burst open."],
  CH: ["tʃ", "chin", "Stop the air with the tongue behind the teeth ridge, then release it into a “sh”, without voice."],
  D: ["d", "day", "Press the tip of the tongue on the ridge behind the upper teeth, voice on, then let go."],
  DH: ["ð", "this", "Put the tip of the tongue lightly between the teeth and hum through it; the air never stops."],
  EH: ["ɛ", "bed", "Mouth half open, tongue forward and in the middle, short."],
  ER: ["ɝ", "bird", "Draw the tongue back and bunch it, tip touching nothing, lips a little rounded, voice on."],
  EY: ["eɪ", "day", "Begin as in “bed”, then let the tongue glide up to the front."],
  F: ["f", "five", "Upper teeth on the lower lip, and blow, without voice."],
  G: ["ɡ", "go", "Press the back of the tongue against the soft palate, voice on, then let go."],
  HH: ["h", "hat", "Just breathe out through an open mouth."],
  IH: ["ɪ", "sit", "Tongue high and forward but relaxed, lips loose, short. Not as tense as “see”."],
  IY: ["i", "see", "Tongue high and forward, lips spread as in a smile, long."],
  JH: ["dʒ", "jam", "As “ch” in “chin”, but with the voice on."],
  K: ["k", "cat", "Press the back of the tongue against the soft palate, then let go with a puff of air."],
  L: ["l", "light", "Keep the tip of the tongue on the ridge behind the upper teeth; the voice flows past its sides."],
  M: ["m", "man", "Close your lips and hum through the nose."],
  N: ["n", "no", "Tip of the tongue on the ridge behind the upper teeth, hum through the nose."],
  NG: ["ŋ", "sing", "Back of the tongue against the soft palate, hum through the nose; no “g” after it."],
  OW: ["oʊ", "go", "Begin with rounded lips, then round them more while the tongue rises."],
  OY: ["ɔɪ", "boy", "Begin with rounded lips, then spread them while the tongue glides up to the front."],
  P: ["p", "pen", "Close your lips, then let them burst open with a puff of air, without voice."],
  R: ["ɹ", "red", "Draw the tongue back; its tip touches nothing, lips a little rounded, voice on."],
  S: ["s", "see", "Tip of the tongue near the ridge behind the teeth; a sharp hiss, without voice."],
  SH: ["ʃ", "she", "Tongue a little further back than for “s”, lips rounded; a soft hiss, without voice."],
  T: ["t", "ten", "Tip of the tongue on the ridge behind the upper teeth, then let go with a puff of air."],
  TH: ["θ", "think", "Put the tip of the tongue lightly between the teeth and blow; the air never stops, no voice."],
  UH: ["ʊ", "book", "Tongue high and back but relaxed, lips a little rounded, short."],
  UW: ["u", "food", "Tongue high and back, lips rounded to a small opening, long."],
  V: ["v", "very", "Upper teeth on the lower lip, and hum through them."],
  W: ["w", "we", "Round your lips as for “oo”, then open them quickly; the teeth touch nothing."],
  Y: ["j", "yes", "Tongue high and forward as for “see”, then glide into the vowel."],
  Z: ["z", "zoo", "As “s”, but with the voice on: you feel it buzz."],
  ZH: ["ʒ", "vision", "As “sh”, but with the voice on."],
};

/** What AH and ER are called without stress, and a word that has them so. */
export const REDUCED = { AH: ["ə", "about"], ER: ["ɚ", "teacher"] };

/** IPA name of an ARPABET phone without digit; `stress` is 0, 1, 2 or null for unknown; no phone is nothing. */
export function ipa(phone, stress = null) {
  if (phone === null) return "nothing";
  if (stress === 0 && phone in REDUCED) return REDUCED[phone][0];
  return SOUNDS[phone]?.[0] ?? phone;
}

/** IPA of a syllable of a report. */
export function syllableIpa(syllable) {
  return syllable.phones.map((phone) => ipa(phone, syllable.stress_expected)).join("");
}

/** A word to know a canonical phone of a report by. */
export function exampleOf(phone) {
  const isReduced = REDUCED[phone.expected]?.[0] === phone.ipa;
  return isReduced ? REDUCED[phone.expected][1] : SOUNDS[phone.expected][1];
}

/** IPA of what was heard at a phone of a report; the phone itself is named as the report names it. */
export function heardIpa(heard, phone) {
  return heard !== null && heard === phone.expected ? phone.ipa : ipa(heard);
}
