"""NVIDIA's published packages as a service (see test_official): a frame for every key, then SUCCESS.

Prints its port, then what it got of each request as JSON.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
from nvidia_ace import animation_pb2, status_pb2
from nvidia_audio2face_3d import audio2face_pb2_grpc, messages_pb2

Answer = messages_pb2.A2F3DAnimationDataStream


class Service(audio2face_pb2_grpc.A2FControllerServiceServicer):
    def ProcessAudioStream(self, incoming, _):  # noqa: N802 (NVIDIA's name)
        keys, size, strength = [], 0, None
        for message in incoming:
            if message.HasField("audio_stream_header"):
                strength = message.audio_stream_header.emotion_post_processing_params.emotion_strength
                yield Answer(animation_data_stream_header={"skel_animation_header": {"blend_shapes": ["JawOpen"]}})
            if message.HasField("audio_with_emotion"):
                size += len(message.audio_with_emotion.audio_buffer)
                keys += [[key.time_code, dict(key.emotion)] for key in message.audio_with_emotion.emotions]
            if message.HasField("end_of_audio"):
                break
        for seconds, emotion in keys:
            weights = [{"time_code": seconds, "values": [0.5]}]
            frame = animation_pb2.AnimationData(skel_animation={"blend_shape_weights": weights})
            felt = messages_pb2.EmotionAggregate(a2f_smoothed_output=[{"time_code": seconds, "emotion": emotion}])
            frame.metadata["emotion_aggregate"].Pack(felt)
            yield Answer(animation_data=frame)
        yield Answer(status={"code": status_pb2.Status.SUCCESS, "message": "done"})
        print(json.dumps({"bytes": size, "strength": strength, "keys": keys}), flush=True)


if __name__ == "__main__":
    server = grpc.server(ThreadPoolExecutor(2))
    audio2face_pb2_grpc.add_A2FControllerServiceServicer_to_server(Service(), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    time.sleep(120)
