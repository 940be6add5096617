"""Batches of real lines: who is in them, what of them is told, and that chance is drawn from the seed alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from dser_training.config import UtteranceConfig
from dser_training.corpora.augmentation import Augmentation
from dser_training.corpora.clip import Clip, CorpusError
from dser_training.corpora.clips import read
from dser_training.stages.batches import Batch, Batches, Lot, batches_of_lots, both_targets, targets
from dser_training.stages.sounds import sound
from torch import Tensor
from torch.utils.data import DataLoader

from dser_ext.audio import SAMPLE_RATE
from dser_ext.emotion.names import NEUTRAL
from dser_ext.recognition.speech import HOP, loud_frames

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
EMOTION = {"ANG": 0, "DIS": 1, "FEA": 2, "HAP": 3, "NEU": 4, "SAD": 5}
LINES = [  # one in each emotion
    Clip(path, "made/1", EMOTION[path.stem.split("_")[2]], "train")
    for path in sorted((SAMPLES / "voice").glob("*.ogg"))
    if path.stem not in ("1058_IEO_NEU_XX", "1058_TSI_NEU_XX")
]
BURST = Clip(SAMPLES / "voice" / "1058_IEO_NEU_XX.ogg", "bursts/1", None, "train", label="awe")
STILL = Augmentation(voice_share=0, crop=0, shift=0, noise_share=0)
CONFIG = UtteranceConfig(
    "", voices_per_batch=2, clips_per_voice=8, clip_frames=600, paired=0.0, workers=0, augmentation=STILL
)


def made(speaker: str, count: int) -> list[Clip]:
    """Lines that no file is behind."""
    corpus = speaker.partition("/")[0]
    return [Clip(Path(f"{number}.wav"), speaker, number % 6, "train", corpus=corpus) for number in range(count)]


def of(lines: Sequence[Clip], speaker: str) -> list[Clip]:
    return [replace(line, speaker=speaker) for line in lines]


def lots(config: UtteranceConfig, clips: Sequence[Clip], seed: int = 0) -> list[list[Lot]]:
    return batches_of_lots(config, clips, np.random.default_rng(seed))


def heard(batches: list[list[Lot]]) -> Counter[Clip]:
    return Counter(clip for lots in batches for lot in lots for clip in lot.clips)


def batches(
    *epochs: int, clips: Sequence[Clip] = LINES, bursts: Sequence[Clip] = (), **settings: object
) -> list[Batch]:
    """The batches of some epochs."""
    dataset = Batches(replace(CONFIG, **settings), clips, bursts, 1500)
    made = []
    for epoch in epochs or (0,):
        dataset.set_epoch(epoch)
        made += [dataset[number] for number in range(len(dataset))]
    return made


def frames_and_mask(batch: Batch) -> tuple[Tensor, Tensor]:
    """All rows' frames of sound one after the other, (N, HOP), and where in them is speech, (N,)."""
    frames = torch.cat([rows.unflatten(1, (-1, HOP)).flatten(0, 1) for rows in batch.waves])
    return frames, torch.cat([speech.flatten() for speech in batch.speech]) > 0


def own_frames(batch: Batch) -> Iterator[tuple[int, Tensor]]:
    """Each line's emotion and the numbers of its frames of speech."""
    for target, members in zip(batch.target, batch.members, strict=True):
        yield int(target.argmax()), members[members >= 0]


def tensors(batch: Batch) -> list[Tensor]:
    single = [
        batch.picks,
        batch.members,
        batch.target,
        batch.rated,
        batch.partner,
        batch.share,
        torch.tensor(batch.position),
    ]
    return [*batch.waves, *batch.speech, *batch.references, *single]


def same(first: Batch, other: Batch) -> bool:
    pairs = list(zip(tensors(first), tensors(other), strict=True))
    return all(torch.equal(one, two) for one, two in pairs)


def test_every_clip_is_heard_once_in_an_epoch() -> None:
    clips = [clip for speaker in range(9) for clip in made(f"crema-d/{speaker}", 3 + 7 * speaker)]
    assert heard(lots(CONFIG, clips)) == Counter(clips)
    assert heard(lots(CONFIG, clips, seed=1)) == Counter(clips)
    assert lots(CONFIG, clips) != lots(CONFIG, clips, seed=1)


def test_lots_are_of_one_voice_each_or_of_strangers_who_have_few_lines() -> None:
    clips = [clip for speaker in range(30) for clip in made(f"crema-d/{speaker}", 1 + speaker)]
    for batch in lots(CONFIG, clips):
        assert len(batch) <= CONFIG.voices_per_batch
        for lot in batch:
            speakers = {clip.speaker for clip in lot.clips}
            assert 1 <= len(lot.clips) <= CONFIG.clips_per_voice
            assert lot.strangers == (int(lot.clips[0].speaker.partition("/")[2]) < 3)
            assert lot.strangers or len(speakers) == 1


def test_for_a_head_that_knows_no_voice_all_are_strangers() -> None:
    clips = [clip for speaker in range(4) for clip in made(f"crema-d/{speaker}", 40)]
    batches = lots(replace(CONFIG, head="plain", voices_per_batch=1), clips)
    assert heard(batches) == Counter(clips)
    assert all(lot.strangers for lots in batches for lot in lots)
    assert len({clip.speaker for clip in batches[0][0].clips}) > 1


@pytest.mark.parametrize("lines", [2, 16])
def test_of_some_corpora_only_a_share_is_heard_in_an_epoch(lines: int) -> None:
    config = replace(CONFIG, shares={"read": 0.3, "jl-corpus": 0.0})
    clips = [
        clip for name in ("read", "jl-corpus", "crema-d") for n in range(200) for clip in made(f"{name}/{n}", lines)
    ]
    epochs = [Counter(clip.speaker.partition("/")[0] for clip in heard(lots(config, clips, seed))) for seed in range(4)]
    for count in epochs:
        assert count["crema-d"] == 200 * lines
        assert count["jl-corpus"] == 0
        assert count["read"] == pytest.approx(0.3 * 200 * lines, rel=0.3)
    assert len({count["read"] for count in epochs}) > 1


def test_of_readers_only_a_share_is_heard_in_an_epoch(tmp_path: Path) -> None:
    for reader in range(50):
        (tmp_path / "librispeech" / str(reader)).mkdir(parents=True)
        (tmp_path / "librispeech" / str(reader) / "line.ogg").touch()
    batches = lots(replace(CONFIG, shares={"read": 0.3}), read("read", tmp_path))
    assert sum(heard(batches).values()) < 30


def test_nobody_to_train_on_is_said() -> None:
    with pytest.raises(CorpusError, match="training split is empty"):
        Batches(CONFIG, [], [], None)


def test_targets_lie_in_the_open_simplex_between_what_was_meant_and_what_was_heard() -> None:
    votes = (0.0, 0.0, 0.0, 0.25, 0.75, 0.0)
    clips = [Clip(Path("a"), "a/1", 3, "train", mixture=votes), Clip(Path("b"), "a/1", 3, "train")]
    clips += [Clip(Path("c"), "a/1", None, "train", mixture=votes)]
    for share, smoothing in ((0.0, 0.1), (0.5, 0.1), (1.0, 0.3)):
        said = targets(replace(CONFIG, votes=share, label_smoothing=smoothing), clips)
        assert said.shape == (3, 6)
        assert np.allclose(said.sum(axis=1), 1, atol=1e-6)
        assert said.min() > 0
        mixed = (1 - share) * np.eye(6)[3] + share * np.array(votes)
        assert np.allclose(said[0], (1 - smoothing) * mixed + smoothing / 6, atol=1e-6)
        assert np.allclose(said[1], (1 - smoothing) * np.eye(6)[3] + smoothing / 6, atol=1e-6)
        assert np.allclose(said[2], (1 - smoothing) * np.array(votes) + smoothing / 6, atol=1e-6)
    target, rated = both_targets(CONFIG, clips)
    assert rated[0].tolist() == pytest.approx([0.9 * vote + 0.1 / 6 for vote in votes])
    assert torch.equal(rated[1:], target[1:])


@pytest.mark.parametrize("paired", [0.0, 0.7, 1.0])
def test_what_is_told_is_speech_of_the_right_line(paired: float) -> None:
    clips = of(LINES, "made/1") + of(LINES[:4], "made/2") + of(LINES[:2], "made/3")
    bursts_heard = 0
    for batch in batches(*range(8), clips=clips, bursts=[BURST], paired=paired, voices_per_batch=3):
        frames, mask = frames_and_mask(batch)
        assert len(batch.target) == len(clips)
        all_own = torch.cat([own for _, own in own_frames(batch)])
        for (emotion, own), picks in zip(own_frames(batch), batch.picks, strict=True):
            assert mask[own].all()
            assert len(picks) == CONFIG.frames_per_clip
            assert torch.isin(picks, own).all()
            line = sound(next(clip for clip in LINES if clip.emotion == emotion))
            spoken = torch.from_numpy(line.reshape(-1, HOP)[loud_frames(line)])
            assert len(own) == len(spoken)
            assert (own.diff() > 0).all()
            gain = (frames[own] * spoken).sum() / spoken.square().sum()
            faded = (frames[own] - gain * spoken).square().mean(1) > 1e-3 * gain**2 * spoken.square().mean()
            assert faded.sum() <= 4  # two frames at either end
        bursts_heard += int(len(all_own.unique()) < mask.sum())
    assert bursts_heard or paired == 1


def test_rows_are_of_one_length_and_end_in_silence() -> None:
    for batch in batches(paired=0.5):
        for waves, speech in zip(batch.waves, batch.speech, strict=True):
            assert waves.shape[1] == speech.shape[1] * HOP
            assert set(speech.unique().tolist()) <= {0.0, 1.0}
            assert (waves.unflatten(1, (-1, HOP)).abs().amax(2)[speech > 0] > 0).all()


def test_silence_comes_before_lines_and_after_them() -> None:
    before, after = set(), set()
    for batch in batches(*range(6), silence_frames=20):
        (speech,) = batch.speech
        spoken = [torch.nonzero(row)[:, 0] for row in speech]
        before |= {int(row[0]) for row in spoken}
        after |= {speech.shape[1] - int(row[-1]) for row in spoken}
    quietest = min(int(np.flatnonzero(loud_frames(sound(line)))[0]) for line in LINES)
    assert max(before) > quietest + 20
    assert len(before) > 10
    assert len(after) > 10


def test_lines_of_a_voice_are_heard_in_pairs() -> None:
    [batch] = batches(paired=0.7, clips=LINES)
    assert [len(waves) for waves in batch.waves] == [2, 2]  # alone, and two of 70 % of six in pairs
    [batch] = batches(paired=1.0, clips=LINES)
    assert [len(waves) for waves in batch.waves] == [3]
    assert batch.waves[0].shape[1] > max(len(sound(clip)) for clip in LINES)
    [strangers] = batches(paired=1.0, clips=[replace(clip, speaker=f"made/{n}") for n, clip in enumerate(LINES)])
    assert [len(waves) for waves in strangers.waves] == [6]


def test_a_burst_is_heard_beside_a_line_and_never_told() -> None:
    """In a row with a line, before or after it; its speech is there to be heard, and is no line's."""
    beside = 0
    burst = sound(BURST)
    for batch in batches(*range(20), bursts=[BURST], clip_frames=80, silence_frames=0):
        _, mask = frames_and_mask(batch)
        owned = torch.zeros_like(mask)
        for _, own in own_frames(batch):
            owned[own] = True
        if len(batch.waves) == 1:  # nobody beside any line
            assert torch.equal(mask, owned)
            continue
        first = batch.speech[0].numel()
        rows = (mask & ~owned)[first:].reshape(batch.speech[1].shape).any(dim=1)
        assert rows.all()
        assert torch.equal(mask[:first], owned[:first])
        beside += len(rows)
        assert batch.waves[1].shape[1] <= (80 + 40) * HOP
    assert beside > 3
    assert loud_frames(burst).sum() > 40


def test_a_voice_is_other_lines_by_their_seconds_of_speech() -> None:
    sizes = set()
    for batch in batches(*range(10), clips=of(LINES, "made/1") + of(LINES[:4], "made/2")):
        assert sorted(len(chosen) for chosen in batch.references) == [4, 6]
        seconds = torch.tensor([len(own) / 50 for _, own in own_frames(batch)])
        first = 0
        for chosen in batch.references:
            own = seconds[first : first + len(chosen)]
            assert not chosen.diagonal().any()
            assert torch.allclose(chosen, (chosen > 0) * own)
            sizes |= set((chosen > 0).sum(1).tolist())
            first += len(chosen)
    assert {0, 1, 5} <= sizes


def test_strangers_are_nobodys_voice() -> None:
    strangers = [replace(clip, speaker=f"made/{number}") for number, clip in enumerate(LINES)]
    for batch in batches(*range(5), clips=[*strangers, *of(LINES, "made/voice")], mixed=1.0):
        assert len(batch.references) == 2
        for start, chosen in zip((0, 6), batch.references, strict=True):
            partner = batch.partner[start : start + 6]
            if not chosen.any():
                assert partner.tolist() == list(range(start, start + 6))
            else:
                assert sorted(partner.tolist()) == list(range(start, start + 6))
        assert sum(bool(chosen.any()) for chosen in batch.references) == 1


def test_only_as_many_lines_as_wanted_are_averaged_with_another() -> None:
    assert all((batch.share == 1).all() for batch in batches(*range(4)))
    shares = torch.cat([batch.share for batch in batches(*range(20), mixed=0.4)])
    assert 0.25 < float((shares < 1).float().mean()) < 0.55
    assert shares.min() >= 0.5


def test_lines_without_speech_are_left_out(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    soundfile.write(tmp_path / "short.wav", 0.1 * np.ones(4 * HOP), SAMPLE_RATE)
    mute = [Clip(tmp_path / name, "made/1", NEUTRAL, "train") for name in ("silent.wav", "short.wav")]
    for batch in batches(*range(4), clips=LINES[:4] + mute, paired=0.7):
        assert sorted(batch.target.argmax(1).tolist()) == sorted(clip.emotion for clip in LINES[:4])
        assert batch.members.shape[0] == batch.picks.shape[0] == len(batch.references[0]) == 4
    [batch] = batches(clips=of(mute, "made/2") + LINES)
    assert [len(chosen) for chosen in batch.references] == [6]
    everything = batches(clips=of(mute, "made/2") + LINES, voices_per_batch=1)
    assert [len(batch.target) for batch in everything] == [6, 6]  # instead of the strangers, again the others
    with pytest.raises(CorpusError, match="no line of the training split has speech"):
        batches(clips=mute)


def test_long_lines_are_cut() -> None:
    [batch] = batches(clip_frames=60)
    assert batch.waves[0].shape == (6, 60 * HOP)


def test_a_row_starts_anywhere_in_the_table_of_positions_that_it_fits_in() -> None:
    dataset = Batches(CONFIG, LINES, [], 200)
    longest = max(len(sound(clip)) for clip in LINES) // HOP
    positions = []
    for epoch in range(30):
        dataset.set_epoch(epoch)
        positions.append(dataset[0].position)
    assert min(positions) >= 0
    assert max(positions) + longest <= 200
    assert len(set(positions)) > 10
    assert Batches(CONFIG, LINES, [], None)[0].position == 0
    assert Batches(CONFIG, LINES, [], 20)[0].position == 0


def test_no_frames_besides_the_mean_may_be_asked_for() -> None:
    [batch] = batches(frames_per_clip=0)
    assert batch.picks.shape == (6, 0)


def test_a_batch_depends_on_the_seed_the_epoch_and_its_number_alone() -> None:
    settings = replace(CONFIG, augmentation=Augmentation(), paired=0.5, mixed=0.3, voices_per_batch=1)
    clips = of(LINES, "made/1") + of(LINES, "made/2")

    def dataset(epoch: int, seed: int = 1) -> Batches:
        made = Batches(replace(settings, seed=seed), clips, [BURST], 1500)
        made.set_epoch(epoch)
        return made

    there, back = dataset(3), dataset(5)
    expected = [there[number] for number in range(2)]
    np.random.seed(0)
    torch.manual_seed(0)
    back[0]
    back.set_epoch(3)
    assert all(same(back[number], expected[number]) for number in (1, 0))
    assert not same(expected[0], expected[1])
    assert not same(dataset(4)[0], expected[0])
    assert not same(dataset(3, seed=2)[0], expected[0])


def test_workers_prepare_the_same_batches() -> None:
    dataset = Batches(replace(CONFIG, augmentation=Augmentation(), voices_per_batch=1), LINES * 3, [BURST], 1500)
    loader = DataLoader(dataset, batch_size=None, num_workers=2)
    assert all(same(batch, dataset[number]) for number, batch in enumerate(loader))
