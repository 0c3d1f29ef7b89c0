"""Every error that elocute raises on purpose; each message says what, got, expected and fix in one sentence."""

from __future__ import annotations


class ElocuteError(Exception):
    """Base of all errors meant for the user; anything else is a bug."""


class ConfigError(ElocuteError, ValueError):
    """A setting, option or asset is unknown, contradictory or malformed."""


class AudioError(ElocuteError, ValueError):
    """A recording cannot be used: empty, not audio, truncated, silent, too short, too long or not finite."""


class UnreadableAudioError(AudioError):
    """What should be a recording is no audio, or of a format or codec that cannot be read."""


class LongAudioError(AudioError):
    """A recording is longer, or holds more bytes, than is accepted."""


class TextError(ElocuteError, ValueError):
    """A text cannot be pronounced: empty, nothing to say in it, or letters that English does not have."""


class PhoneError(ElocuteError, ValueError):
    """A phone, pronunciation or phone set is unknown or malformed."""


class AlignmentError(ElocuteError, ValueError):
    """No CTC path exists: the recording has fewer frames than the phones of its text need."""


class MissingExtraError(ElocuteError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class BatchError(ElocuteError, RuntimeError):
    """A batch cannot go on, because a worker process died; its finished rows are kept."""
