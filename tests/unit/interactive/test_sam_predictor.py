"""SAM under the protocol: what it sees, which mask counts, what goes back, and its files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from interactive_toys import photo
from safetensors.torch import load_file, save_file

from vfm_fusion.config.clicks import ClickProtocolConfig
from vfm_fusion.errors import ShapeError, WeightsError
from vfm_fusion.interactive.click_predictor import Prediction, first_prediction
from vfm_fusion.interactive.click_protocol import ClickedObject, play
from vfm_fusion.interactive.clicks import Click
from vfm_fusion.interactive.sam_predictor import SamConfig, SamModel, SamPredictor, load_sam
from vfm_fusion.interactive.session import Session

CLICKS = [Click(10, 20, True), Click(30, 5, False)]
SIDE, LOW = 64, 16


def toy_sam() -> SamModel:
    """A small SAM whose random weights are large enough to answer differently at every place."""
    parts = {
        "vision_config": {
            "hidden_size": 16, "output_channels": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": SIDE, "window_size": 2, "global_attn_indexes": [0], "num_pos_feats": 8,
            "mlp_dim": 16,
        },
        "prompt_encoder_config": {"hidden_size": 16, "image_size": SIDE, "mask_input_channels": 8},
        "mask_decoder_config": {
            "hidden_size": 16, "mlp_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "iou_head_depth": 2, "iou_head_hidden_dim": 8,
        },
    }  # fmt: skip
    model = SamModel(SamConfig(**parts))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.4, generator=generator)
    return model


@pytest.fixture(scope="module")
def sam() -> SamModel:
    return toy_sam()


def predictor(model: SamModel, image: np.ndarray) -> SamPredictor:
    made = SamPredictor(model)
    made.set_image(image)
    return made


def reference(
    model: SamModel, image: np.ndarray, clicks: list[Click], taken_back: torch.Tensor | None = None
) -> tuple[np.ndarray, torch.Tensor]:
    """Probability and logits by transformers' own preparation and post-processing."""
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil  # imports torchvision

    processor = SamImageProcessorPil(
        size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE}, do_convert_rgb=False
    )
    seen = processor(images=[image], return_tensors="pt")
    rows, cols = (
        float(inner) / side
        for inner, side in zip(seen["reshaped_input_sizes"][0], image.shape[:2], strict=True)
    )
    with torch.no_grad():
        found = model(
            pixel_values=seen["pixel_values"],
            input_points=torch.tensor([[[[click.col * cols, click.row * rows] for click in clicks]]]),
            input_labels=torch.tensor([[[int(click.positive) for click in clicks]]]),
            input_masks=taken_back,
        )
    best = found.iou_scores.argmax()
    whole = processor.post_process_masks(
        found.pred_masks, seen["original_sizes"], seen["reshaped_input_sizes"], binarize=False
    )
    return whole[0][0, best].sigmoid().numpy(), found.pred_masks[:, 0, best][:, None]


@pytest.mark.parametrize("size", [(48, 64), (64, 48), (33, 50), (128, 90), (64, 64)])
def test_two_clicks_as_by_transformers_own_processing(sam: SamModel, size: tuple[int, int]) -> None:
    image, clicks = photo(*size), CLICKS
    made = predictor(sam, image)
    first = made.predict(clicks[:1], first_prediction(size))
    probability, logits = reference(sam, image, clicks[:1])
    np.testing.assert_allclose(first.probability, probability, atol=1e-5)
    assert first.probability.dtype == np.float32
    assert first.probability.std() > 0.01
    second = made.predict(clicks, first)
    probability, _ = reference(sam, image, clicks, logits)
    np.testing.assert_allclose(second.probability, probability, atol=1e-5)
    without, _ = reference(sam, image, clicks)
    assert not np.allclose(second.probability, without, atol=1e-3)


@pytest.mark.parametrize("best", [0, 1, 2])
def test_the_mask_that_the_model_scores_highest_counts(sam: SamModel, best: int) -> None:
    made, masks = predictor(sam, photo()), []

    def scored(_: object, __: object, output: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, ...]:
        masks.append(output[0])
        return output[0], torch.eye(3)[best][None, None]

    hook = sam.mask_decoder.register_forward_hook(scored)
    found = made.predict(CLICKS, first_prediction((48, 64)))
    hook.remove()
    assert masks[0].shape == (1, 1, 3, LOW, LOW)
    assert torch.equal(found.logits[0, 0], masks[0][0, 0, best])


def test_the_image_is_encoded_once(sam: SamModel) -> None:
    runs: list[int] = []
    hook = sam.vision_encoder.register_forward_hook(lambda *_: runs.append(1))
    made, last = predictor(sam, photo()), first_prediction((48, 64))
    for count in (1, 2):
        last = made.predict(CLICKS[:count], last)
    hook.remove()
    assert len(runs) == 1


def test_a_session_takes_the_clicks_of_the_protocol_to_the_same_bits(sam: SamModel) -> None:
    image, mask = photo(), np.zeros((48, 64), bool)
    mask[10:30, 20:50] = True
    target = ClickedObject("a", 1, mask, np.zeros_like(mask))
    rounds = play(predictor(sam, image), target, ClickProtocolConfig(max_clicks=4)).rounds
    session = Session(SamPredictor(sam))
    session.set_image(image)
    for each in rounds:
        row, col, positive = each.placement.click
        session.click(row, col, positive)
        assert (session.mask & mask).sum() / (session.mask | mask).sum() == each.iou
    before = session.probability
    session.undo()
    session.click(row, col, positive)
    np.testing.assert_array_equal(session.probability, before)


def test_a_mask_from_elsewhere_is_what_the_first_click_corrects(sam: SamModel) -> None:
    mask, given = np.zeros((32, 64), np.float32), []
    mask[8:16, 16:48] = 1
    hook = sam.prompt_encoder.mask_embed.register_forward_hook(lambda _, given_, __: given.append(given_[0]))
    made = predictor(sam, photo(32, 64))
    made.predict(CLICKS[:1], first_prediction((32, 64)))
    assert not given
    made.predict(CLICKS[:1], Prediction(mask))
    hook.remove()
    expected = np.zeros((LOW, LOW), bool)
    expected[2:4, 4:12] = True
    assert given[0].shape == (1, 1, LOW, LOW)
    assert torch.isfinite(given[0]).all()
    assert np.array_equal(given[0][0, 0] > 0, expected)


def test_bad_input_is_named(sam: SamModel) -> None:
    made = SamPredictor(sam)
    with pytest.raises(ShapeError, match="call set_image first"):
        made.predict(CLICKS, first_prediction((48, 64)))
    with pytest.raises(ShapeError, match="expected an RGB image"):
        made.set_image(photo()[..., 0])
    made.set_image(photo())
    with pytest.raises(ShapeError, match=r"is \(64, 48\), the image \(48, 64\)"):
        made.predict(CLICKS, first_prediction((64, 48)))


def test_a_stored_model_answers_to_the_same_bits(sam: SamModel, tmp_path: Path) -> None:
    sam.save_pretrained(tmp_path)
    expected = predictor(sam, photo()).predict(CLICKS, first_prediction((48, 64)))
    for path in (tmp_path, tmp_path / "model.safetensors"):
        found = predictor(load_sam(path), photo()).predict(CLICKS, first_prediction((48, 64)))
        np.testing.assert_array_equal(found.probability, expected.probability)


def test_other_and_damaged_files_are_refused(sam: SamModel, tmp_path: Path) -> None:
    sam.save_pretrained(tmp_path)
    config, weights = tmp_path / "config.json", tmp_path / "model.safetensors"
    settings, tensors = json.loads(config.read_text()), load_file(weights)
    name = "mask_decoder.iou_token.weight"
    for changed in (
        {key: value for key, value in tensors.items() if key != name},
        {**tensors, name: tensors[name][:, :8].contiguous()},
    ):
        save_file(changed, weights)
        with pytest.raises(WeightsError, match=rf"of another shape: {name} \(1 in all\)"):
            load_sam(tmp_path)
    save_file({**tensors, "image_encoder.x": torch.zeros(1)}, weights)
    with pytest.raises(WeightsError, match=r"image_encoder\.x"):
        load_sam(tmp_path)
    weights.unlink()
    with pytest.raises(WeightsError, match=r"model\.safetensors: no such file"):
        load_sam(tmp_path)
    save_file(tensors, weights)
    config.write_text(json.dumps({**settings, "model_type": "sam2"}))
    with pytest.raises(WeightsError, match=r"config\.json: expected model_type 'sam', found 'sam2'"):
        load_sam(weights)
    config.write_text("{")
    with pytest.raises(WeightsError, match=r"config\.json: is no JSON"):
        load_sam(tmp_path)
    config.unlink()
    with pytest.raises(WeightsError, match=r"config\.json: no such file"):
        load_sam(tmp_path)
