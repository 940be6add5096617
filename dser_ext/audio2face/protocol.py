"""The messages of Audio2Face's gRPC calls."""

from __future__ import annotations

from typing import Any

from dser_ext.pool import message


def _message(name: str, package: str = "nvidia_ace") -> Any:
    return message(f"{package}.{name}")


AudioHeader = _message("audio.v1.AudioHeader")
Status = _message("status.v1.Status")
EmotionWithTimeCode = _message("emotion_with_timecode.v1.EmotionWithTimeCode")
EmotionAggregate = _message("emotion_aggregate.v1.EmotionAggregate")

AudioWithEmotion = _message("a2f.v1.AudioWithEmotion")
FaceParameters = _message("a2f.v1.FaceParameters")
BlendShapeParameters = _message("a2f.v1.BlendShapeParameters")
EmotionParameters = _message("a2f.v1.EmotionParameters")
EmotionPostProcessingParameters = _message("a2f.v1.EmotionPostProcessingParameters")

AnimationData = _message("animation_data.v1.AnimationData")
AudioWithTimeCode = _message("animation_data.v1.AudioWithTimeCode")
FloatArrayWithTimeCode = _message("animation_data.v1.FloatArrayWithTimeCode")
SkelAnimation = _message("animation_data.v1.SkelAnimation")
SkelAnimationHeader = _message("animation_data.v1.SkelAnimationHeader")

AudioStream = _message("controller.v1.AudioStream")
AudioStreamHeader = _message("controller.v1.AudioStreamHeader")
AnimationDataStream = _message("controller.v1.AnimationDataStream")
AnimationDataStreamHeader = _message("controller.v1.AnimationDataStreamHeader")
Event = _message("controller.v1.Event")

SERVICE = "nvidia_ace.services.a2f_controller.v1.A2FControllerService"
PROCESS_AUDIO_STREAM = f"/{SERVICE}/ProcessAudioStream"
"""Path of the one call: stream of AudioStream in, stream of AnimationDataStream out."""

MAX_CLIP_SECONDS = 300
"""Longest clip that Audio2Face-3D accepts in one call (its default deployment configuration)."""

MAX_MESSAGE_SECONDS = 10
"""Most sound that Audio2Face-3D accepts in one message (its default deployment configuration)."""

PushAudioStreamRequest = _message("PushAudioStreamRequest", "nvidia.audio2face")
PushAudioStreamResponse = _message("PushAudioStreamResponse", "nvidia.audio2face")

PLAYER_SERVICE = "nvidia.audio2face.Audio2Face"
PUSH_AUDIO_STREAM = f"/{PLAYER_SERVICE}/PushAudioStream"
"""Path of the older app's call: stream of PushAudioStreamRequest in, one PushAudioStreamResponse out."""
