"""NVIDIA's published packages as a client (see test_official): sends a WAV file and prints the answer as JSON.

Arguments: HOST:PORT of an Audio2Face, a 16-bit mono WAV file. As NVIDIA's own client it sends seconds, the last of
which may be empty, with all keys on the first, and does not half-close.
"""

from __future__ import annotations

import asyncio
import json
import sys
import wave

import grpc.aio
from nvidia_audio2face_3d import audio2face_pb2_grpc, messages_pb2


async def ask(target: str, path: str) -> dict[str, object]:
    with wave.open(path) as file:
        rate, sound = file.getframerate(), file.readframes(file.getnframes())
    part = messages_pb2.AudioWithEmotionStream
    said: dict[str, object] = {"frames": 0, "joy": [], "metadata": [], "statuses": [], "a2e": 0}
    async with grpc.aio.insecure_channel(target) as channel:
        call = audio2face_pb2_grpc.A2FControllerServiceStub(channel).ProcessAudioStream()
        audio = {"channel_count": 1, "samples_per_second": rate, "bits_per_sample": 16}
        await call.write(part(audio_stream_header={"audio_header": audio}))
        keys = [{"time_code": 0.0, "emotion": {"joy": 1.0}}]
        for second in range(len(sound) // (2 * rate) + 1):
            chunk = sound[2 * rate * second : 2 * rate * (second + 1)]
            await call.write(part(audio_with_emotion={"audio_buffer": chunk, "emotions": [] if second else keys}))
        await call.write(part(end_of_audio={}))
        async for message in call:
            if message.HasField("status"):
                said["statuses"].append([message.status.code, message.status.message])
            if message.HasField("animation_data"):
                frame = message.animation_data
                said["frames"] += 1
                said["metadata"] = sorted(frame.metadata)
                aggregate = messages_pb2.EmotionAggregate.FromString(frame.metadata["emotion_aggregate"].value)
                said["a2e"] += len(aggregate.a2e_output)
                said["joy"] += [row.emotion["joy"] for row in aggregate.a2f_smoothed_output]
    return said


if __name__ == "__main__":
    print(json.dumps(asyncio.run(ask(*sys.argv[1:]))))
