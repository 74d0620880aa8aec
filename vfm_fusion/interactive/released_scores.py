"""``python -m vfm_fusion scores``: makes a table of iSegProbe's scores of SBD's images.

They are shipped as a pickle. Here it is never unpickled: its instructions are read one by one, and only those
of a list of numbers, names and scores are followed. None of them can run anything.
"""

from __future__ import annotations

import argparse
import pickletools
import struct
from pathlib import Path
from typing import Any

from vfm_fusion.errors import TrainingError
from vfm_fusion.interactive.image_scores import write_scores

_DTYPE = "numpy dtype"
_SCALARS = ("numpy.core.multiarray scalar", "numpy._core.multiarray scalar")
_EXPECTED = "a list of (number, image id, float32 score), as iSegProbe's sbd_samples_weights.pkl is"
_MARK = object()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.description = (
        "Write the scores of images that iSegProbe is shipped with (assets/sbd_samples_weights.pkl) as a CSV "
        "with the columns image_id and score. The pickle is read without being executed."
    )
    parser.add_argument("released", type=Path, metavar="PICKLE", help="the released file")
    parser.add_argument("table", type=Path, metavar="CSV", help="the table to write")


def run(arguments: argparse.Namespace) -> int:
    """Writes the table and says what is in it.

    Raises:
        TrainingError: see :func:`released_scores`.
    """
    scores = released_scores(arguments.released)
    write_scores(scores, arguments.table)
    low, high = min(scores.values()), max(scores.values())
    print(f"{arguments.table}: {len(scores)} images with scores from {low:.3f} to {high:.3f}")
    return 0


def released_scores(path: Path) -> dict[str, float]:
    """Reads a released file.

    Args:
        path: a pickle of a list of (number, image id, float32 score).

    Returns:
        The scores by image id.

    Raises:
        TrainingError: the file cannot be read, holds anything else, or has two scores of an image or one
            outside [0, 1].
    """
    try:
        entries = _followed(path.read_bytes(), path)
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read ({error}); correct the path") from error
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise _unexpected(path, f"{type(error).__name__}: {error}") from error
    scores: dict[str, float] = {}
    for entry in entries if isinstance(entries, list) else [entries]:
        match entry:
            case (int(), str() as image, float() as score) if 0 <= score <= 1 and image not in scores:
                scores[image] = score
            case _:
                raise _unexpected(path, f"the entry {entry!r} after {len(scores)} others")
    if not scores:
        raise _unexpected(path, "an empty list")
    return scores


def _followed(data: bytes, path: Path) -> Any:
    """What the instructions of a pickle build, as far as they are those of the expected list."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, argument, at in pickletools.genops(data):
        match opcode.name:
            case "PROTO" | "STOP":
                continue
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "BININT" | "BININT1" | "BININT2" | "BINUNICODE" | "SHORT_BINBYTES" | "NONE":
                stack.append(argument)
            case "MARK":
                stack.append(_MARK)
            case "NEWFALSE" | "NEWTRUE":
                stack.append(opcode.name == "NEWTRUE")
            case "EMPTY_LIST":
                stack.append([])
            case "APPEND":
                entry = stack.pop()
                stack[-1].append(entry)
            case "APPENDS":
                entries = _since_mark(stack)
                stack[-1].extend(entries)
            case "TUPLE":
                stack.append(_since_mark(stack))
            case "TUPLE2" | "TUPLE3":
                count = int(opcode.name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "GLOBAL" if argument in (_DTYPE, *_SCALARS):
                stack.append(argument)
            case "REDUCE":
                name, arguments = stack[-2:]
                stack[-2:] = [_made(name, arguments)]
            case "BUILD" if stack[-2] == _DTYPE and stack[-1][1] == "<":
                del stack[-1]
            case name:
                what = name if argument is None else f"{name} {argument!r}"
                raise _unexpected(path, f"the instruction {what} at byte {at}")
    (built,) = stack
    return built


def _made(name: str, arguments: tuple[Any, ...]) -> Any:
    """A type of numpy, of which there is one here, or a number of that type."""
    if name == _DTYPE and arguments[0] == "f4":
        return _DTYPE
    if name in _SCALARS and arguments[0] == _DTYPE:
        return struct.unpack("<f", arguments[1])[0]
    raise ValueError(f"{name} of {arguments!r}")


def _since_mark(stack: list[Any]) -> tuple[Any, ...]:
    """Takes what lies above the last mark off the stack, with the mark."""
    at = len(stack) - 1 - stack[::-1].index(_MARK)
    taken = tuple(stack[at + 1 :])
    del stack[at:]
    return taken


def _unexpected(path: Path, found: str) -> TrainingError:
    return TrainingError(f"{path}: expected {_EXPECTED}; found {found}. Take the file of the release")
