"""Our messages are the wire's, and keep out of the way of everybody else's."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from dser_ext.audio2face import protocol

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = REPOSITORY / "dser_ext" / "messages.binpb"

OURS = "from dser_ext.audio2face import protocol"
SAMPLE_WHEEL = f"""
# What NVIDIA's sample wheel does on import: it registers these names for the whole process.
from google.protobuf import descriptor_pb2, descriptor_pool
files = descriptor_pb2.FileDescriptorSet.FromString(open({str(SHIPPED)!r}, "rb").read()).file
for file in files:
    if file.package.startswith("nvidia_ace"):
        file.message_type.add(name="NotInOurs")
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
"""
MEET = """
theirs = descriptor_pool.Default().FindMessageTypeByName("nvidia_ace.controller.v1.AudioStream")
assert theirs is not protocol.AudioStream.DESCRIPTOR
assert protocol.AudioStream(end_of_audio={}).WhichOneof("stream_part") == "end_of_audio"
"""


def run(python: Path | str, code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, env=environment, cwd="/", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_shipped_descriptors_are_those_of_the_declarations(tmp_path):
    pytest.importorskip("grpc_tools")
    code = f"import sys; sys.path.insert(0, {str(REPOSITORY / 'proto')!r}); import compile; from pathlib import Path; "
    run(sys.executable, code + f"compile.compile_to(Path({str(tmp_path / 'fresh')!r}))")
    fresh, shipped = (
        descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes()) for path in (tmp_path / "fresh", SHIPPED)
    )
    assert {file.name: file for file in fresh.file} == {file.name: file for file in shipped.file}


def test_our_messages_are_not_in_the_pool_that_everybody_shares():
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName(protocol.AudioStream.DESCRIPTOR.full_name)


def test_the_call_is_the_one_that_the_service_declares():
    pool = protocol.AudioStream.DESCRIPTOR.file.pool
    (method,) = pool.FindServiceByName(protocol.SERVICE).methods
    assert f"/{method.containing_service.full_name}/{method.name}" == protocol.PROCESS_AUDIO_STREAM
    assert method.input_type is protocol.AudioStream.DESCRIPTOR
    assert method.output_type is protocol.AnimationDataStream.DESCRIPTOR


@pytest.mark.parametrize("code", [OURS + SAMPLE_WHEEL + MEET, SAMPLE_WHEEL + OURS + MEET], ids=["first", "second"])
def test_whoever_registers_the_same_names_for_the_process_may_come_before_or_after_us(code):
    run(sys.executable, code)


COMPARE = """
SAME_NAME = {"AudioWithEmotionStream": "AudioStream", "AudioWithEmotionStreamHeader": "AudioStreamHeader",
    "A2F3DAnimationDataStream": "AnimationDataStream", "A2F3DAnimationDataStreamHeader": "AnimationDataStreamHeader"}

def kind(field, seen):
    if field.message_type:
        return layout(field.message_type, seen)
    return [(value.name, value.number) for value in field.enum_type.values] if field.enum_type else None

def layout(message, seen):
    name = SAME_NAME.get(message.name, message.name)
    if name not in seen:
        seen[name] = None  # messages may hold themselves
        seen[name] = {f.number: (f.name, f.type, f.is_repeated, f.has_presence, kind(f, seen)) for f in message.fields}
    return name

theirs, ours = {}, {}
for name in ("AudioWithEmotionStream", "A2F3DAnimationDataStream", "EmotionAggregate"):
    layout(getattr(messages_pb2, name).DESCRIPTOR, theirs)
for message in (protocol.AudioStream, protocol.AnimationDataStream, protocol.EmotionAggregate):
    layout(message.DESCRIPTOR, ours)
assert len(ours) > 20 and ours == theirs, (ours, theirs)
"""

EXCHANGE = """
from concurrent.futures import ThreadPoolExecutor
import grpc, numpy as np
from nvidia_ace import animation_pb2, status_pb2
from dser_ext.audio2face.animate import animate
from dser_ext.emotion.keyframes import Keyframes

class Service(audio2face_pb2_grpc.A2FControllerServiceServicer):
    def ProcessAudioStream(self, incoming, context):
        joy = {}
        for message in incoming:
            for key in message.audio_with_emotion.emotions:
                joy[key.time_code] = key.emotion["joy"]
            if message.HasField("audio_stream_header"):
                assert message.audio_stream_header.emotion_post_processing_params.emotion_strength == 1
                yield messages_pb2.A2F3DAnimationDataStream(animation_data_stream_header={
                    "skel_animation_header": {"blend_shapes": ["MouthSmileLeft"]}})
        for seconds, value in joy.items():
            frame = animation_pb2.AnimationData(
                skel_animation={"blend_shape_weights": [{"time_code": seconds, "values": [value]}]})
            aggregate = messages_pb2.EmotionAggregate(
                a2f_smoothed_output=[{"time_code": seconds, "emotion": {"joy": value}}])
            frame.metadata["emotion_aggregate"].Pack(aggregate)
            yield messages_pb2.A2F3DAnimationDataStream(animation_data=frame)
        yield messages_pb2.A2F3DAnimationDataStream(status={"code": status_pb2.Status.SUCCESS})

server = grpc.server(ThreadPoolExecutor(2))
audio2face_pb2_grpc.add_A2FControllerServiceServicer_to_server(Service(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
values = np.zeros((2, 10), np.float32)
values[:, 6] = 0.25, 0.75
animation = animate(np.zeros(20_000, np.float32), Keyframes(np.array([0.0, 1.0]), values), f"127.0.0.1:{port}")
assert animation.weights.tolist() == [[0.25], [0.75]]
assert animation.emotions[:, 6].tolist() == [0.25, 0.75]
server.stop(None)
"""

ASK = """
import grpc
with grpc.insecure_channel(TARGET) as channel:
    stub = audio2face_pb2_grpc.A2FControllerServiceStub(channel)
    Part = messages_pb2.AudioWithEmotionStream
    pcm = {"channel_count": 1, "samples_per_second": 16000, "bits_per_sample": 16}
    answer = list(stub.ProcessAudioStream(iter([
        Part(audio_stream_header={"audio_header": pcm}),
        Part(audio_with_emotion={"audio_buffer": bytes(32000), "emotions": [{"time_code": 0, "emotion": {"joy": 1}}]}),
        Part(end_of_audio={})])))
print(len(answer), answer[-1].status.message)
"""

NVIDIAS = "from nvidia_audio2face_3d import audio2face_pb2_grpc, messages_pb2\n"


@pytest.fixture(scope="module")
def beside_nvidia(tmp_path_factory):
    """A Python that has NVIDIA's published packages and what we need, nothing else."""
    folder = tmp_path_factory.mktemp("beside_nvidia")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    packages = ["nvidia-ace", "nvidia-audio2face-3d", "numpy"]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return python


@pytest.mark.slow
@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_beside_nvidias_published_packages_the_messages_agree_field_for_field(beside_nvidia, first):
    imports = f"{OURS}\n{NVIDIAS}" if first == "ours" else f"{NVIDIAS}{OURS}\n"
    run(beside_nvidia, imports + COMPARE)


@pytest.mark.slow
def test_our_client_understands_a_service_built_with_nvidias_packages(beside_nvidia):
    run(beside_nvidia, NVIDIAS + OURS + EXCHANGE)


@pytest.mark.slow
def test_a_client_built_with_nvidias_packages_is_served_by_our_stand_in(beside_nvidia, start_a2f):
    target = start_a2f().target
    assert run(beside_nvidia, NVIDIAS + ASK.replace("TARGET", repr(target))) == "33 all animation sent\n"
