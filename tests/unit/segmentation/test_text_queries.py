"""Text embeddings as queries and as classes of the mask head, and the matching that gives a query a class."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from segmentation_toys import TinyHierarchy
from torch import nn
from transformers.models.mask2former.modeling_mask2former import Mask2FormerTransformerModule

from vfm_fusion.config.head import HeadConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.errors import ShapeError, TrainingError
from vfm_fusion.segmentation.encoder_pyramid import PyramidProjection, projected_channels
from vfm_fusion.segmentation.head import MaskHead
from vfm_fusion.segmentation.loss import MaskCriterion
from vfm_fusion.segmentation.matching import IdentityMatcher, Matcher, build_matcher
from vfm_fusion.segmentation.model import FusedSegmenter

CLASSES, TEXT = 6, 24
CHANNELS = {4: 8, 8: 8, 16: 8, 32: 8}


def pyramid(batch: int = 2, size: int = 64, seed: int = 0) -> dict[int, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {s: torch.randn(batch, 8, size // s, size // s, generator=generator) for s in CHANNELS}


def built(config: HeadConfig, seed: int = 0, **widths: int) -> MaskHead:
    torch.manual_seed(seed)
    return MaskHead(CHANNELS, CLASSES, config, **widths)


@pytest.fixture
def identity(head_config: HeadConfig) -> HeadConfig:
    return head_config.model_copy(update={"matcher": "identity"})


def targets() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Two images: three classes in bands, one class everywhere."""
    bands = torch.zeros(3, 64, 64)
    for number in range(3):
        bands[number, 21 * number : 21 * number + 21] = 1
    return [bands, torch.ones(1, 64, 64)], [torch.tensor([1, 4, 5]), torch.tensor([2])]


def test_text_embeddings_as_queries_and_classes_train_by_the_identity_matcher(identity: HeadConfig) -> None:
    """The whole way: words, a projection of them, queries and classes, a loss that the setting matches."""
    head = built(identity, query_width=TEXT, text_width=TEXT)
    words = torch.randn(CLASSES, 16, generator=torch.Generator().manual_seed(1))
    projection = nn.Linear(16, TEXT)
    criterion = MaskCriterion(CLASSES, identity)
    assert isinstance(criterion.matcher, IdentityMatcher)
    masks, labels = targets()
    optimizer = torch.optim.AdamW([*head.parameters(), *projection.parameters()], lr=1e-3)

    def loss() -> torch.Tensor:
        text = projection(words)
        output = head(pyramid(), queries=text, texts=text)
        assert output.class_logits.shape == (2, CLASSES, CLASSES + 1)
        assert output.mask_logits.shape == (2, CLASSES, 16, 16)
        generators = [torch.Generator().manual_seed(image) for image in range(2)]
        return criterion(output, masks, labels, generators=generators)["loss"]

    before = loss()
    before.backward()
    for parameters in (projection, head.query_projection, head.class_predictor):
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in parameters.parameters())
    assert head.decoder.queries_features.weight.grad is None  # the learned contents are not read
    optimizer.step()
    after = loss()
    assert after.item() < before.item()


def test_without_queries_and_texts_the_head_is_mask2formers_bit_for_bit(head_config: HeadConfig) -> None:
    head = built(head_config)
    levels = [torch.randn(2, 32, side, side, requires_grad=True) for side in (2, 4, 8)]
    mask_features = torch.randn(2, 32, 16, 16)
    ours = head.decoder(levels, mask_features)
    theirs = Mask2FormerTransformerModule.forward(head.decoder, levels, mask_features)
    for name in ("intermediate_hidden_states", "masks_queries_logits"):
        for first, second in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            assert torch.equal(first, second)
    inputs = [*levels[:2], head.decoder.level_embed.weight]  # two layers read two levels
    gradients = [torch.autograd.grad(d.masks_queries_logits[-1].sum(), inputs) for d in (ours, theirs)]
    assert all(torch.equal(first, second) for first, second in zip(*gradients, strict=True))


def test_widths_of_text_leave_the_other_initial_weights_as_they_are(head_config: HeadConfig) -> None:
    plain, with_queries = built(head_config), built(head_config, query_width=TEXT)
    extended = with_queries.state_dict()
    assert {name for name in extended if name not in plain.state_dict()} == {
        f"query_projection.{layer}.{part}" for layer in (0, 2) for part in ("weight", "bias")
    }
    assert all(torch.equal(tensor, extended[name]) for name, tensor in plain.state_dict().items())
    assert torch.equal(plain(pyramid()).mask_logits, with_queries(pyramid()).mask_logits)


def test_the_learned_contents_passed_in_change_nothing(head_config: HeadConfig) -> None:
    head = built(head_config).eval()
    learned = head.decoder.queries_features.weight
    expected = head(pyramid())
    for queries in (learned, learned.expand(2, -1, -1)):
        found = head(pyramid(), queries=queries)
        assert torch.equal(found.class_logits, expected.class_logits)
        assert torch.equal(found.mask_logits, expected.mask_logits)


def test_each_image_may_have_queries_and_texts_of_its_own(head_config: HeadConfig) -> None:
    head = built(head_config, query_width=TEXT, text_width=TEXT).eval()
    queries, texts = torch.randn(2, CLASSES, TEXT), torch.randn(2, 9, TEXT)
    together = head(pyramid(), queries, texts)
    assert together.class_logits.shape == (2, CLASSES, 9 + 1)
    for image in range(2):
        maps = {stride: feature[image : image + 1] for stride, feature in pyramid().items()}
        alone = head(maps, queries[image], texts[image])
        torch.testing.assert_close(alone.class_logits[0], together.class_logits[image])
        torch.testing.assert_close(alone.mask_logits[0], together.mask_logits[image])


def test_the_segmenter_hands_them_to_its_head(head_config: HeadConfig) -> None:
    encoder = TinyHierarchy()
    channels = projected_channels(encoder.spec, head_config.pyramid_channels)
    head = MaskHead(channels, CLASSES, head_config, query_width=TEXT, text_width=TEXT)
    projection = PyramidProjection(encoder.spec, head_config.pyramid_channels)
    model = FusedSegmenter(encoder, projection, head, train_master=False).eval()
    images, queries, texts = torch.rand(1, 3, 64, 64), torch.randn(CLASSES, TEXT), torch.randn(4, TEXT)
    expected = head(model.pyramid(images), queries, texts)
    found = model(images, queries, texts)
    assert torch.equal(found.class_logits, expected.class_logits)
    assert torch.equal(found.mask_logits, expected.mask_logits)


def test_class_logits_are_cosines_over_the_temperature(head_config: HeadConfig) -> None:
    config = head_config.model_copy(update={"text_temperature": 0.5})
    classifier = built(config, text_width=TEXT).class_predictor
    hidden, texts = torch.randn(1, CLASSES, 32), torch.randn(4, TEXT)
    found = classifier(hidden, texts)
    cosine = nn.functional.cosine_similarity(classifier.projection(hidden)[0, 3], texts[2], dim=0)
    assert found[0, 3, 2].item() == pytest.approx(cosine.item() / 0.5, rel=1e-5)
    assert found[0, 3, 4].item() == pytest.approx(classifier.no_object(hidden)[0, 3].item(), rel=1e-6)
    torch.testing.assert_close(classifier(hidden, 7 * texts), found)


@pytest.mark.parametrize(
    ("widths", "given", "message"),
    [
        ({}, {"queries": torch.zeros(CLASSES, TEXT)}, r"\(6, 32\) or \(2, 6, 32\), found \(6, 24\).*query_w"),
        (
            {"query_width": TEXT},
            {"queries": torch.zeros(5, TEXT)},
            r"found \(5, 24\).*head\.queries",
        ),
        ({}, {"texts": torch.zeros(4, TEXT)}, r"learns its own classes; build it with text_width 24"),
        ({"text_width": TEXT}, {}, r"expected texts \(K, 24\) or \(2, K, 24\), found None"),
        ({"text_width": TEXT}, {"texts": torch.zeros(3, 4, TEXT)}, r"found \(3, 4, 24\)"),
        ({"text_width": TEXT}, {"texts": torch.zeros(4, 8)}, r"found \(4, 8\)"),
    ],
)
def test_other_shapes_are_refused(head_config: HeadConfig, widths: dict, given: dict, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        built(head_config, **widths)(pyramid(), **given)


def test_query_k_is_for_class_k(identity: HeadConfig) -> None:
    layers = [(torch.zeros(2, CLASSES, CLASSES + 1), torch.zeros(2, CLASSES, 8, 8))] * 3
    masks, labels = targets()
    queries, rows = build_matcher(identity, CLASSES).match(layers, torch.cat(masks), labels, [None, None])
    assert queries.tolist() == [[1, 4, 5, CLASSES + 2]] * 3
    assert rows.tolist() == [[0, 1, 2, 3]] * 3


def test_two_targets_of_one_class_are_refused(identity: HeadConfig) -> None:
    head = built(identity)
    with pytest.raises(TrainingError, match="two targets of one class"):
        MaskCriterion(CLASSES, identity)(head(pyramid(1)), [torch.ones(2, 64, 64)], [torch.tensor([3, 3])])


def test_a_matcher_of_ones_own_is_an_argument(head_config: HeadConfig) -> None:
    class Last(Matcher):
        def match(self, layers, targets, labels, draws):
            count = layers[0][0].shape[1]
            queries = torch.cat([torch.arange(count - len(label), count) for label in labels])
            return queries.expand(len(layers), -1), torch.arange(len(queries)).expand(len(layers), -1)

    masks, labels = targets()
    criterion = MaskCriterion(CLASSES, head_config, matcher=Last())
    output = built(head_config)(pyramid(1))
    output.mask_logits.retain_grad()
    criterion(output, masks[:1], labels[:1])["loss_mask"].backward()
    taught = output.mask_logits.grad.abs().sum(dim=(0, 2, 3)) > 0
    assert taught.tolist() == [False] * 3 + [True] * 3


def test_where_identity_cannot_apply_the_setting_is_refused(head_config: HeadConfig) -> None:
    settings = head_config.model_dump() | {"matcher": "identity"}
    for task in ("instance", "panoptic"):
        with pytest.raises(ValidationError, match=f"head.matcher: identity .* in task {task}"):
            TrainingConfig.model_validate({"task": task, "head": settings})
    config = TrainingConfig.model_validate({"task": "semantic", "head": settings}).head
    with pytest.raises(TrainingError, match=r"each of the 7 classes; training\.head\.queries is 6"):
        MaskCriterion(7, config)


def test_a_class_without_a_query_is_refused(identity: HeadConfig) -> None:
    logits = torch.zeros(2, 5, 7), torch.zeros(2, 5, 4, 4)
    labels = [torch.tensor([0, 6]), torch.tensor([1])]
    with pytest.raises(TrainingError, match="class 6 has no query: there are 5"):
        IdentityMatcher(identity, 5).match([logits], torch.zeros(3, 4, 4), labels, [None, None])
