"""Models of full size that no recipe of the paper has: other operators, strides and pairs, one step each.

Their crops are a quarter of the paper's. The recipes themselves are in ``test_recipes_full_size.py``.
"""

from __future__ import annotations

import resource
import time

import pytest
import torch
from segmentation_toys import full_size_targets

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.config.runs import FusionConfig, RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.loss import MaskCriterion
from vfm_fusion.training.optimization import parameter_groups

pytestmark = [pytest.mark.slow("a step of models of the paper's size"), pytest.mark.timeout(900)]

SIZE = (256, 512)
ENCODERS = {
    name: EncoderConfig.model_validate(
        {"architecture": architecture, "weights": {"source": "seeded", "seed": 0}}
    )
    for name, architecture in {
        "d2": "dinov2_vitb14",
        "d3": "dinov3_vitb16",
        "s2": "sam2_hiera_bplus",
    }.items()
}


@pytest.mark.parametrize(
    ("task", "categories", "queries", "run", "strides"),
    [
        (
            "instance",
            80,
            200,
            RunConfig(master="d2", auxiliary="s2", fusion=FusionConfig(operator="gated", align="project")),
            (4, 16),
        ),
        ("panoptic", 133, 100, RunConfig(master="s2", auxiliary="d3"), (32,)),
    ],
    ids=["instance", "panoptic"],
)
def test_a_full_size_model_takes_a_step(
    task: str,
    categories: int,
    queries: int,
    run: RunConfig,
    strides: tuple[int, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    head = HeadConfig(queries=queries)
    model = build_segmenter(run, ENCODERS, strides, head, categories, 0).train()
    criterion = MaskCriterion(categories, head)
    optimizer = torch.optim.AdamW(parameter_groups(model, TrainingConfig(head=head)), fused=True)
    masks, labels = full_size_targets(task, categories, SIZE)
    images = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0))

    started = time.perf_counter()
    prediction = model(images)
    losses = criterion(prediction, [masks], [labels])
    forward = time.perf_counter() - started
    losses["loss"].backward()
    backward = time.perf_counter() - started - forward
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01)
    optimizer.step()

    assert prediction.class_logits.shape == (1, queries, categories + 1)
    assert prediction.mask_logits.shape == (1, queries, SIZE[0] // 4, SIZE[1] // 4)
    assert len(prediction.intermediate) == 9
    assert torch.isfinite(losses["loss"])
    assert torch.isfinite(norm)
    assert all(p.grad is None for p in model.auxiliary.parameters())
    parameters = model.count_parameters()
    with capsys.disabled():
        print(
            f"\n{task}: {run.master} + {run.auxiliary} at {strides}, loss {losses['loss'].item():.1f}; "
            f"{parameters['total'] / 1e6:.1f} M parameters, {parameters['trainable'] / 1e6:.1f} M trained; "
            f"forward {forward:.1f} s, backward {backward:.1f} s, "
            f"peak of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB"
        )
