"""The family of errors that this package raises: each message is one sentence naming the input and the remedy."""

from __future__ import annotations


class DserError(Exception):
    """Something that a user can put right; the command line prints it as one line and exits with 1."""


class AudioError(DserError):
    """Sound that cannot be read or used: missing, empty, undecodable, or not finite."""


class ModelError(DserError):
    """A model folder that is missing, incomplete, damaged, or cannot run on the device asked for."""


class VoiceError(DserError):
    """A voice profile that is damaged, empty, or made with another model."""


class FormatError(DserError):
    """A track, style or animation file that does not say what its format promises, or cannot be written."""


class Audio2FaceError(DserError):
    """Audio2Face cannot be reached, refuses the request, or stops answering."""


class ServiceError(DserError):
    """Our own service cannot be reached, refuses the call, or fails."""


class DserWarning(UserWarning):
    """A result was made, but not of the kind the user may expect (silence, a truncated file, no voice)."""
