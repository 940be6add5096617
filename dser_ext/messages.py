"""The messages of our own service (proto/dser/v1), and of the errors that it tells in full."""

from __future__ import annotations

from dser_ext.pool import POOL, message

SERVICE = "dser.v1.EmotionService"
METHODS = {method.name: method for method in POOL.FindServiceByName(SERVICE).methods}
"""By name; whether each side streams, and the messages, are the declaration's."""

TOKEN = "DSER_TOKEN"
"""Environment variable with the token that callers bring and servers ask for; the only place that it is taken from."""

DETAILS = "grpc-status-details-bin"
"""Key of the trailing metadata with a Status that tells an error in full."""

AudioFormat = message("dser.v1.AudioFormat")
ExportOptions = message("dser.v1.ExportOptions")
ExportRequest = message("dser.v1.ExportRequest")
ExportResponse = message("dser.v1.ExportResponse")
Frames = message("dser.v1.Frames")
GetModelRequest = message("dser.v1.GetModelRequest")
GetModelResponse = message("dser.v1.GetModelResponse")
Keys = message("dser.v1.Keys")
LearnVoiceRequest = message("dser.v1.LearnVoiceRequest")
LearnVoiceResponse = message("dser.v1.LearnVoiceResponse")
LineStart = message("dser.v1.LineStart")
ListModelsRequest = message("dser.v1.ListModelsRequest")
ListModelsResponse = message("dser.v1.ListModelsResponse")
ModelInfo = message("dser.v1.ModelInfo")
Presentation = message("dser.v1.Presentation")
Progress = message("dser.v1.Progress")
PushOptions = message("dser.v1.PushOptions")
PushRequest = message("dser.v1.PushRequest")
PushResponse = message("dser.v1.PushResponse")
RecognizeOptions = message("dser.v1.RecognizeOptions")
RecognizeRequest = message("dser.v1.RecognizeRequest")
RecognizeResponse = message("dser.v1.RecognizeResponse")
RecognizeStreamRequest = message("dser.v1.RecognizeStreamRequest")
RecognizeStreamResponse = message("dser.v1.RecognizeStreamResponse")
StreamOptions = message("dser.v1.StreamOptions")
StreamStart = message("dser.v1.StreamStart")
TrackHead = message("dser.v1.TrackHead")
VoiceInfo = message("dser.v1.VoiceInfo")
VoiceOptions = message("dser.v1.VoiceOptions")
Waveform = message("dser.v1.Waveform")

Status = message("google.rpc.Status")
BadRequest = message("google.rpc.BadRequest")
ErrorInfo = message("google.rpc.ErrorInfo")
RetryInfo = message("google.rpc.RetryInfo")
