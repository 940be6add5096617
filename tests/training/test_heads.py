"""The heads by themselves: what they make of features and of a voice, whatever gave those."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from dser_training.heads import (
    FLOOR,
    LARGEST,
    LEAST_SHARE,
    MOST_TOTAL,
    STARTS,
    Head,
    PlainHead,
    VoiceHead,
    concentration,
)
from torch import Tensor

from dser_ext.emotion.names import EMOTIONS, NEUTRAL

SIZE = 8
NOTHING = torch.zeros(2, 1, SIZE), torch.zeros(2, 1)


@pytest.fixture
def head() -> VoiceHead:
    """A head of random parameters."""
    torch.manual_seed(0)
    head = VoiceHead(SIZE, 5, 8.0)
    with torch.no_grad():
        for weight in head.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
        head.log_sharpness.copy_(torch.tensor([-0.2, 0.3]))
    return head


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def close(heard: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> bool:
    return all(torch.allclose(one, two, rtol=1e-4, atol=1e-5) for one, two in zip(heard, other, strict=True))


def test_concentrations_have_the_mean_and_the_total_asked_for() -> None:
    logits, log_total = drawn(4, 6), drawn(4, 1, seed=1)
    alpha = concentration(logits, log_total)
    assert torch.allclose(alpha.sum(-1, keepdim=True), log_total.exp(), atol=1e-4)
    expected = (1 - 6 * LEAST_SHARE) * logits.softmax(-1) + LEAST_SHARE
    assert torch.allclose(alpha / alpha.sum(-1, keepdim=True), expected, atol=1e-4)


@pytest.mark.parametrize("largest", [10.0, 1e4, 1e30])
def test_concentrations_are_positive_and_bounded_and_rule_nothing_out(largest: float) -> None:
    logits = torch.tensor([largest, -largest, 0, 0, 0, 0]).requires_grad_()
    for log_total in (torch.tensor([largest], requires_grad=True), torch.tensor([-largest], requires_grad=True)):
        alpha = concentration(logits, log_total)
        assert (alpha >= FLOOR).all()
        assert alpha.sum() < 1.01 * torch.tensor(LARGEST).exp() + 1
        assert (alpha / alpha.sum()).min() > 0.9 * LEAST_SHARE
        alpha.log().sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_the_plain_head_is_the_papers() -> None:
    head = PlainHead(SIZE, 5, dirichlet=True)
    features = 3 * drawn(2, 20, SIZE)
    z = head.output(features)
    assert torch.allclose(head.concentrations(head.hear(features, *NOTHING)), z**2 + 1e-6, rtol=1e-4)
    smooth = torch.stack([features[:, max(0, frame - 2) : frame + 3].mean(dim=1) for frame in range(20)], dim=1)
    alpha, composition = head(features, torch.ones(2, 20), *NOTHING)
    assert torch.allclose(alpha, head.output(smooth) ** 2 + 1e-6, rtol=1e-3)
    assert composition.tolist() == torch.eye(6)[[NEUTRAL] * 2].tolist()


def test_the_plain_head_for_cross_entropy_has_one_total_for_all_frames() -> None:
    head = PlainHead(SIZE, 5, dirichlet=False)
    head.log_total.data.fill_(1.5)
    heard = head.hear(drawn(2, 20, SIZE), *NOTHING)
    assert torch.allclose(head.concentrations(heard).sum(-1), torch.tensor(1.5).exp(), rtol=1e-4)


@pytest.mark.parametrize("dirichlet", [True, False])
def test_the_plain_head_knows_no_voice(dirichlet: bool) -> None:
    head = PlainHead(SIZE, 5, dirichlet)
    features, speech = drawn(2, 20, SIZE), torch.ones(2, 20)
    with_voice = head(features, speech, drawn(2, 3, SIZE), torch.ones(2, 3))
    assert close(with_voice, head(features, speech, *NOTHING))


def test_what_is_no_speech_does_not_count(head: VoiceHead) -> None:
    features, speech = drawn(2, 20, SIZE), (torch.arange(20) < 12).float().expand(2, -1)
    other = torch.where(speech[..., None] > 0, features, 100 * drawn(2, 20, SIZE, seed=1))
    here, there = (head(each, speech, *NOTHING)[0] for each in (features, other))
    assert torch.allclose(here[:, :12], there[:, :12])


def test_the_order_of_a_voices_lines_does_not_matter(head: VoiceHead) -> None:
    features, lines, seconds = drawn(2, 20, SIZE), drawn(2, 7, SIZE, seed=1), 4 * drawn(2, 7, seed=2).abs()
    order = torch.tensor([3, 0, 6, 5, 1, 4, 2])
    speech = torch.ones(2, 20)
    assert close(head(features, speech, lines, seconds), head(features, speech, lines[:, order], seconds[:, order]))


def test_a_line_without_weight_changes_nothing(head: VoiceHead) -> None:
    features, lines, seconds = drawn(2, 20, SIZE), drawn(2, 7, SIZE, seed=1), 4 * drawn(2, 7, seed=2).abs()
    seconds[:, 4:] = 0
    speech = torch.ones(2, 20)
    fewer = head(features, speech, lines[:, :4], seconds[:, :4])
    assert close(head(features, speech, lines, seconds), fewer)
    lines[:, 4:] = 1e4
    assert close(head(features, speech, lines, seconds), fewer)


def test_without_lines_the_voice_is_ignored(head: VoiceHead) -> None:
    features, speech = drawn(2, 20, SIZE), torch.ones(2, 20)
    nothing = head(features, speech, *NOTHING)
    assert close(head(features, speech, 100 * drawn(2, 7, SIZE, seed=1), torch.zeros(2, 7)), nothing)


def test_without_lines_every_kind_of_recording_counts_by_its_share_and_by_how_well_it_fits(head: VoiceHead) -> None:
    features = drawn(2, 20, SIZE)
    variance = 1 + head.log_variance.exp()  # (kinds, SIZE), of a line around the usual speaker and its emotion
    distance = features[:, :, None, None] - head.usual[:, None] - head.centres  # (2, 20, kinds, 6, SIZE)
    likelihood = head.bias - 0.5 * (distance.square() / variance[:, None]).sum(-1)
    fit = head.log_frame.exp() * (likelihood.logsumexp(-1) - 0.5 * variance.log().sum(-1))
    share = (STARTS * head.log_share[0].exp() + head.log_share[1].exp()).log()
    weight = (share + fit).softmax(-1)
    mixtures = (head.log_sharpness[0].exp() * likelihood).softmax(-1)
    expected = (weight[..., None] * mixtures).sum(dim=2)
    assert torch.allclose(head.hear(features, *NOTHING).logits.softmax(-1), expected, atol=1e-4)


def test_lines_of_a_batch_are_each_measured_against_their_own_voice(head: VoiceHead) -> None:
    features, lines, seconds = drawn(3, 20, SIZE), drawn(3, 5, SIZE, seed=1), drawn(3, 5, seed=2).abs()
    seconds[1] = 0
    together = head(features, torch.ones(3, 20), lines, seconds)
    for row in range(3):
        part = slice(row, row + 1)
        alone = head(features[part], torch.ones(1, 20), lines[part], seconds[part])
        assert close(tuple(output[part] for output in together), alone)


def test_the_composition_of_a_voice_sums_to_one_and_is_all_neutral_without_one(head: VoiceHead) -> None:
    lines, seconds = drawn(2, 7, SIZE, seed=1), drawn(2, 7, seed=2).abs()
    _, composition = head(drawn(2, 20, SIZE), torch.ones(2, 20), lines, seconds)
    assert torch.allclose(composition.sum(-1), torch.ones(2))
    assert (composition >= 0).all()
    nothing = head(drawn(2, 20, SIZE), torch.ones(2, 20), *NOTHING)[1]
    assert nothing.tolist() == torch.eye(6)[[NEUTRAL] * 2].tolist()


SPREAD = 4.0  # of the emotions' centres, in deviations of a line from its centre
OFFSET = 2.5  # deviation of speakers from the generic one


def known_head() -> VoiceHead:
    """A head that knows how the made lines below come about, without training."""
    head = VoiceHead(SIZE, 1, 8.0).requires_grad_(False)
    for parameter in head.parameters():
        parameter.zero_()
    head.centres.copy_(centres())
    head.log_variance.fill_(2 * torch.tensor(OFFSET).log())
    return head


def centres() -> Tensor:
    """Six centres around 0."""
    corners = torch.eye(6, SIZE)
    return SPREAD * (corners - corners.mean(dim=0)) / 2**0.5


def said(emotions: Tensor, seed: int, spread: float = 1.0) -> tuple[Tensor, Tensor]:
    """Lines of speakers, (speakers, lines, SIZE), in these emotions (speakers, lines), and the speakers' offsets."""
    offset = OFFSET * drawn(len(emotions), 1, SIZE, seed=seed)
    return centres()[emotions] + offset + spread * drawn(*emotions.shape, SIZE, seed=seed + 1), offset


def share_right(head: Head, queries: Tensor, emotions: Tensor, lines: Tensor, seconds: float) -> float:
    told = head.hear(queries, lines, torch.full(lines.shape[:2], seconds)).logits.argmax(-1)
    return float((told == emotions).float().mean())


def test_sixteen_mixed_lines_of_a_speaker_tell_the_emotions_better_than_none() -> None:
    random = torch.Generator().manual_seed(0)
    emotions = torch.randint(6, (300, 16 + 10), generator=random)
    sounds, offset = said(emotions, seed=1)
    queries, asked, lines = sounds[:, 16:], emotions[:, 16:], sounds[:, :16]
    head = known_head()
    alone = share_right(head, queries, asked, lines, 0.0)
    few, many = share_right(head, queries, asked, lines[:, :2], 1.0), share_right(head, queries, asked, lines, 1.0)
    best = share_right(head, queries - offset, asked, lines, 0.0)  # the speaker's place given away
    assert 1 / 6 + 0.1 < alone < 0.7
    assert alone + 0.05 < few < many - 0.05
    assert many > best - 0.06


def test_lines_of_one_emotion_do_not_pass_for_neutral_ones_of_an_unusual_speaker() -> None:
    """Where speakers differ less than emotions do; a plain mean of the lines would take every one for the middle."""
    emotions = torch.arange(6).repeat(50)[:, None].expand(-1, 16 + 10)
    sounds, offset = said(emotions, seed=7)
    sounds = sounds - 0.7 * offset
    head = known_head()
    head.log_variance.fill_(2 * torch.tensor(0.3 * OFFSET).log())
    alone, with_lines = (
        share_right(head, sounds[:, 16:], emotions[:, 16:], sounds[:, :16], seconds) for seconds in (0.0, 1.0)
    )
    assert alone > 0.75
    assert with_lines > alone - 0.02


def test_the_emotions_of_the_voices_own_lines_are_told_together() -> None:
    emotions = torch.arange(24).remainder(6).expand(200, -1)
    sounds, offset = said(emotions, seed=3)
    head, ones = known_head(), torch.ones(200, 24)
    together = head.hear(sounds, sounds, ones).line_logits
    assert together is not None
    right = float((together.argmax(-1) == emotions).float().mean())
    assert right > share_right(head, sounds, emotions, sounds, 0.0) + 0.2
    assert right > share_right(head, sounds - offset, emotions, sounds, 0.0) - 0.06


def test_the_composition_is_that_of_the_lines() -> None:
    emotions = torch.tensor([0] * 12 + [3] * 6 + [4] * 6).expand(50, -1)
    sounds, _ = said(emotions, seed=5, spread=0.3)
    weights = torch.ones(50, 24)
    _, composition = known_head()(sounds, weights, sounds, weights)
    assert torch.allclose(composition.median(dim=0).values, torch.tensor([0.5, 0, 0, 0.25, 0.25, 0]), atol=0.03)


def test_the_more_is_known_of_a_voice_the_surer_is_every_frame(head: VoiceHead) -> None:
    """Where it is the generic one, that is: elsewhere it is also told from another place, and that is learned."""
    known = known_head()
    known.total, known.lost = head.total, head.lost
    features = 3 * drawn(2, 20, SIZE)
    lines = centres().expand(2, -1, -1)  # each emotion once, of a speaker at 0
    totals = [known.hear(features, lines, torch.full((2, 6), seconds)).log_total for seconds in (0.0, 0.5, 2.0, 1e6)]
    assert all((more > less).all() for less, more in pairwise(totals))
    assert (totals[-1] < MOST_TOTAL).all()
    low = head.total(features) < 0
    assert torch.allclose(totals[-1][low], head.total(features)[low], atol=0.1)


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e3])
@pytest.mark.parametrize("seconds", [0.0, 1e-3, 1.0, 1e4])
def test_gradients_are_finite(head: VoiceHead, scale: float, seconds: float) -> None:
    features = (scale * drawn(2, 20, SIZE)).requires_grad_()
    lines = (scale * drawn(2, 1, SIZE, seed=1)).expand(2, 5, -1).clone().requires_grad_()  # all alike
    heard = head.hear(features, lines, torch.full((2, 5), seconds))
    assert heard.line_logits is not None
    loss = head.concentrations(heard).log().sum() + heard.line_logits.log_softmax(-1)[..., 0].sum()
    loss.backward()
    gradients = [features.grad, lines.grad, *(weight.grad for weight in head.parameters())]
    assert loss.isfinite()
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_every_part_of_the_head_learns_from_a_voice(head: VoiceHead) -> None:
    features, lines = drawn(2, 20, SIZE), drawn(2, 5, SIZE, seed=1)
    heard = head.hear(features, lines, torch.ones(2, 5))
    head.concentrations(heard)[..., 0].log().sum().backward()
    assert [name for name, weight in head.named_parameters() if not weight.grad.any()] == []


def test_every_emotion_has_its_centre() -> None:
    assert VoiceHead(SIZE, 1, 8.0).centres.shape == (len(EMOTIONS), SIZE)
