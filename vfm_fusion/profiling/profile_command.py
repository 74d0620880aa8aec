"""``python -m vfm_fusion profile``: the one call as a command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

_DESCRIPTION = """\
Profile encoders on a folder of pictures: Structural Coherence and Edge Fidelity at every output
stride, without labels; which pair the two scores suggest, and at which stride to inject. Writes
tables (CSV, Markdown), figures (PDF, PNG) and one page, profile.html, which needs no network.
"""
_EXAMPLES = """\
examples:
  python -m vfm_fusion profile --encoders mini-dino mini-sam --images photos --out profile
  python -m vfm_fusion profile --encoders timm:convnext_tiny.fb_in1k dinov2_vits14 \\
      --images photos --short-side 512 --max-images 100 --out profile
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    add = parser.add_argument
    add(
        "--encoders",
        nargs="+",
        required=True,
        metavar="NAME",
        help="names of the registry (docs/encoders.md), timm:NAME, or mini-dino, mini-sam, mini-swin",
    )
    add("--images", required=True, metavar="DIR", help="folder of pictures, searched at any depth")
    add("--out", required=True, metavar="DIR", type=Path, help="folder for the results; it is made")
    add("--labels", metavar="DIR", help="folder of masks of class ids, named like their pictures: SC_GT too")
    add(
        "--definition",
        nargs="+",
        default=["paper"],
        metavar="NAME",
        help="metric definitions: paper (default), calibrated, reference_table5, reference_training; the "
        "first pairs the encoders",
    )
    add("--strides", nargs="+", type=int, default=[4, 8, 16, 32], metavar="OS", help="default: 4 8 16 32")
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--image-size", nargs=2, type=int, metavar=("H", "W"), help="squash every picture to this"
    )
    size.add_argument("--short-side", type=int, metavar="N", help="scale pictures to so many pixels")
    add("--max-images", type=int, metavar="N", help="only so many pictures, evenly spaced")
    add("--skip-damaged", action="store_true", help="leave pictures out that cannot be decoded")
    add("--device", help="cpu, cuda, cuda:1; default: the GPU where there is one")
    add("--batch-size", type=int, default=4, metavar="N", help="pictures per encoder call (default: 4)")
    add("--cache", metavar="DIR", help="keep features and scores here, for the next call")
    add("--quiet", action="store_true", help="show no progress")


def run(arguments: argparse.Namespace) -> int:
    """Profiles, writes the results and prints what was found."""
    from vfm_fusion.profiling.call import profile
    from vfm_fusion.profiling.options import results_folder

    results_folder(arguments.out, "--out")
    result = profile(
        arguments.encoders,
        arguments.images,
        arguments.labels,
        arguments.definition,
        arguments.strides,
        image_size=_image_size(arguments),
        max_images=arguments.max_images,
        damaged="skip" if arguments.skip_damaged else "refuse",
        device=arguments.device,
        batch_size=arguments.batch_size,
        cache=arguments.cache,
        progress=not arguments.quiet,
    )
    page = result.save(arguments.out)
    print(f"{result}\n\nTables, figures and the page {page} are written.")
    return 0


def _image_size(arguments: argparse.Namespace) -> Any:
    if arguments.image_size:
        return tuple(arguments.image_size)
    return None if arguments.short_side is None else {"short_side": arguments.short_side}
