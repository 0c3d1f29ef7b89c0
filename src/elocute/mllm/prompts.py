"""What a speech language model is asked: the user turn of each task, with rubrics in our own words.

The order is that of the paper: `<|user|>`, control token, audio, task, `<|end|>`, `<|assistant|>`. Neither task tells
the model the sentence. White space stands nowhere beside a special token, because the released tokenizer swallows it
after some of them.

Source: Ahn & Nam, "English Pronunciation Evaluation without Complex Joint Training", arXiv 2509.02915, section 3.1.
Deviates: rubrics in our own words after the bands of the corpus (speechocean762); templates in JSON's double quotes,
    with phones that the corpus has; "combined" asks for everything at once, as an ablation.
"""

from __future__ import annotations

from typing import Literal, get_args

from elocute.errors import ConfigError

Task = Literal["apa", "mdd", "combined"]
"""Scores (automatic pronunciation assessment); transcripts (mispronunciation detection and diagnosis); both at once."""
TASKS: tuple[Task, ...] = ("apa", "mdd")
"""The two tasks of the paper; "combined" is an ablation."""
Style = Literal["rubric", "short"]
"""Whether a task is explained in full, or only named: what a model trained from nothing needs."""

PROMPTS_VERSION = "1"
"""Changes with every change of a prompt: a model must be asked as it was trained."""
CONTROL_TOKENS: dict[Task, str] = {"apa": "<|APA|>", "mdd": "<|MDD|>", "combined": "<|APA|><|MDD|>"}
"""Say which task comes, before the audio. Plain text, no tokens of the vocabulary, as far as the paper tells."""
AUDIO = "<|audio_1|>"
"""Stands for the recording in a user turn, whatever the tokenizer calls it."""
USER, END, ASSISTANT = "<|user|>", "<|end|>", "<|assistant|>"
DELIMITER = "|"
"""Between the phones of neighbouring words, where it is asked for."""

_ACCURACY = """**Accuracy**
Whole number from 0 to 10: how correctly the sounds of the words are spoken.
- 9 to 10: every word is spoken as a proficient speaker would; no slip that a listener would notice
- 7 to 8: well spoken; a few sounds are off, nothing is hard to understand
- 5 to 6: understandable, but many sounds are off, or a foreign accent is strong
- 3 to 4: several words are hard to recognise; sounds are often replaced or missing
- 0 to 2: hardly anything can be recognised, or nothing was said"""
_FLUENCY = """**Fluency**
Whole number from 0 to 10: how smoothly the sentence runs.
- 8 to 10: runs on evenly, without hesitation, repetition or needless pauses
- 6 to 7: mostly even; now and then a pause, a repetition or a drawn-out word
- 4 to 5: halting; many pauses, repetitions or restarts
- 0 to 3: falls apart into single words, or stops before its end"""
_PROSODIC = """**Prosodic**
Whole number from 0 to 10: stress, intonation, speed and rhythm.
- 9 to 10: stress and melody are right, the speed is steady, the rhythm natural
- 7 to 8: mostly right; the speed or some stress is a little unnatural
- 5 to 6: flat or uneven, or with misplaced stress, though still easy to follow
- 3 to 4: melody or speed hinder the listener
- 0 to 2: word by word without melody, or not to be judged"""
_TOTAL = """**Total**
Whole number from 0 to 10: the whole impression; accuracy weighs most.
- 9 to 10: excellent, like a proficient speaker
- 7 to 8: good, with small faults
- 5 to 6: fair, with faults that a listener notices all the time
- 3 to 4: poor, hard to follow
- 0 to 2: very poor, or not to be understood"""
_SCORES_TEMPLATE = '"accuracy": <0-10>, "fluency": <0-10>, "prosodic": <0-10>, "total": <0-10>'
_PHONES_TEMPLATE = '"word_transcript": "<words>", "phoneme_transcript": "<phones>"'
_TRANSCRIBE = """**word_transcript**
The words of the sentence in lower case, without punctuation.

**phoneme_transcript**
The sounds as they were really spoken, mistakes included, as CMUdict phones without stress digits, with a space between
them. Leave out what was not spoken; write <unk> for a sound that is no clear phone."""
_DELIMITED = f'Write " {DELIMITER} " between the phones of one word and those of the next.'
_EXAMPLE = "cat sat"
_EXAMPLE_PHONES = ("K AE T", "S AE T")


def user_turn(
    task: Task,
    *,
    control_token: bool = True,
    word_delimiter: bool = False,
    audio_token: str = AUDIO,
    style: Style = "rubric",
) -> str:
    """Everything up to where the answer begins: user turn and `<|assistant|>`.

    Args:
        task: what is asked.
        control_token: whether the task is named before the audio; the paper's base model was asked without.
        word_delimiter: whether phones of different words are to be kept apart; says nothing to "apa".
        audio_token: stands for the recording, exactly once.
        style: in full or short.

    >>> user_turn("mdd", style="short")
    '<|user|><|MDD|><|audio_1|>Transcribe the words and the phones of the recording as JSON.<|end|><|assistant|>'
    """
    if task not in get_args(Task):
        raise ConfigError(f"task is {task!r}; expected one of {', '.join(get_args(Task))}")
    if style not in get_args(Style):
        raise ConfigError(f"style is {style!r}; expected one of {', '.join(get_args(Style))}")
    asked = _short(task, word_delimiter) if style == "short" else _full(task, word_delimiter)
    return f"{USER}{CONTROL_TOKENS[task] if control_token else ''}{audio_token}{asked}{END}{ASSISTANT}"


def _short(task: Task, word_delimiter: bool) -> str:
    """The task in a sentence."""
    asked = {
        "apa": "Rate the pronunciation of the recording as JSON.",
        "mdd": "Transcribe the words and the phones of the recording as JSON.",
        "combined": "Rate and transcribe the pronunciation of the recording as JSON.",
    }[task]
    return f"{asked} {_DELIMITED}" if word_delimiter and task != "apa" else asked


def _full(task: Task, word_delimiter: bool) -> str:
    """The task with its rubric and the template of the answer."""
    rate = "Rate the pronunciation of the English sentence in the recording."
    transcribe = "Transcribe the English sentence in the recording, its words and its sounds."
    rubric = [_ACCURACY, _FLUENCY, _PROSODIC, _TOTAL]
    phones = f" {DELIMITER} " if word_delimiter else " "
    example = (
        f'Were the two words "{_EXAMPLE}" spoken as written, the answer would have '
        f'"phoneme_transcript": "{phones.join(_EXAMPLE_PHONES)}".'
    )
    spoken = [f"{_TRANSCRIBE} {_DELIMITED}" if word_delimiter else _TRANSCRIBE, example]
    parts = {
        "apa": [rate, *rubric, _template(_SCORES_TEMPLATE)],
        "mdd": [transcribe, *spoken, _template(_PHONES_TEMPLATE)],
        "combined": [
            f"{rate} {transcribe}",
            *rubric,
            *spoken,
            _template(f"{_SCORES_TEMPLATE}, {_PHONES_TEMPLATE}"),
        ],
    }[task]
    return "\n\n".join(parts)


def _template(fields: str) -> str:
    """What the answer is to look like."""
    return f"Answer with one JSON object and nothing else:\n{{{fields}}}"
