"""`rillnet predict`: what a run's net makes of arrays and images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rillnet.data.conversion import as_tensor, for_net
from rillnet.data.decoding import SUFFIXES, decode, need_pillow
from rillnet.errors import DataError, Fault, RequestError, known_words, near_or_known
from rillnet.model.layers.loss import CrossEntropy
from rillnet.model.net import Net
from rillnet.model.shapes import Signature, pick
from rillnet.runtime.session import Session
from rillnet.serving.cli.finding import load_run, open_session, take_checkpoint
from rillnet.serving.cli.terminal import Terminal, table

_WRITTEN = (".npz", ".json")
_MOST_SHOWN = 16


def predict(
    terminal: Terminal,
    run: str,
    files: list[Path],
    field: str | None = None,
    output: str | None = None,
    top: int = 3,
    out: Path | None = None,
    resize: bool = False,
    checkpoint: str = "newest",
    root: Path = Path("runs"),
    trust: bool = False,
) -> dict[str, Any]:
    """Computes an output of a run's net for inputs in files.

    Args:
        terminal: where to write.
        run: which run.
        files: arrays (`.npy`, one example or several) or images.
        field: the input of the net that they are.
        output: the block to show; None is what a cross-entropy reads, or the last block that can be computed.
        top: how many classes to show.
        out: where to write the values of the output, by input: `.npz` or `.json`.
        resize: scale images to the size that the net takes.
        checkpoint: newest, best, a step, or a path.
        root: the directory of all runs.
        trust: whether the document may name Python code.

    Returns:
        For each example classes and probabilities, or the values of the output.

    Raises:
        RequestError: there is no such run, field, output or checkpoint.
        DataError: a file holds nothing that the net takes.
    """
    if out is not None and out.suffix not in _WRITTEN:
        raise RequestError(Fault("--out", f"must end in {' or '.join(_WRITTEN)}", str(out)))
    loaded = load_run(run, None, root, trust)
    assert loaded.directory is not None
    saved = take_checkpoint(terminal, loaded.directory, checkpoint)
    with open_session(loaded, saved) as session:
        if session.data is None and session.spec.learning:
            terminal.say(
                f"{loaded.directory}: its data came from Python; whatever prepared them there is not done here"
            )
        chosen = _field(session.net, field)
        wanted = _output(session.net, output, chosen, f"{terminal.program} show {run} --resolved")
        examples = [_read(path, chosen, pick(session.net.inputs[chosen], None), resize) for path in files]
        names = [
            _name(path, index, len(found))
            for path, found in zip(files, examples, strict=True)
            for index in range(len(found))
        ]
        sent = _compute(session, chosen, torch.cat(examples), wanted)
        classes = wanted in _scores(session.net)
    result = [{"input": name, **_told(row, classes, top)} for name, row in zip(names, sent, strict=True)]
    _print(terminal, result)
    if out is not None:
        _write(terminal, out, names, sent)
        result = [{key: value for key, value in one.items() if key != "values"} for one in result]
    return {"run": str(loaded.directory), "step": saved.step, "output": wanted, "predictions": result}


def _field(net: Net, name: str | None) -> str:
    if name is None:
        floating = [key for key, kind in net.inputs.items() if pick(kind, None).dtype.is_floating_point]
        return floating[0] if floating else next(iter(net.inputs))
    if name not in net.inputs:
        raise RequestError(Fault("--field", "is no input of the net", name, hint=near_or_known(name, net.inputs)))
    return name


def _scores(net: Net) -> list[str]:
    """The blocks whose output a cross-entropy reads as scores of classes."""
    return [block.sources[0].block for name, block in net.blocks.items() if isinstance(net[name], CrossEntropy)]


def _output(net: Net, name: str | None, field: str, listed_by: str) -> str:
    """The block to show: the one that is asked for, or the scores of classes, or the last that can be computed."""
    computed = [step.name for step in net.steps("test", {field})]
    if not computed:
        raise RequestError(Fault("--field", "is not enough to compute any block; the net has other inputs too", field))
    if name is None:
        return next((score for score in _scores(net) if score in computed), computed[-1])
    head = name.partition("/")[0]
    if head not in net.blocks and head not in net.inputs:
        raise RequestError(Fault(f"net/{name}", "unknown block", hint=near_or_known(name, computed, listed_by)))
    if head in net.blocks and head not in computed:
        rule = f"cannot be computed from {field!r} alone"
        raise RequestError(Fault("--output", rule, name, hint=known_words(computed, listed_by)))
    return name


def _read(path: Path, field: str, kind: Signature, resize: bool) -> Tensor:
    """The examples in a file, [examples, *shape]."""
    if path.suffix.lower() in SUFFIXES:
        return _read_image(path, field, kind, resize)
    if path.suffix.lower() != ".npy":
        raise RequestError(f"{path}: must be a .npy file or an image ({', '.join(sorted(SUFFIXES))})")
    try:
        values = as_tensor(np.load(path, allow_pickle=False), str(path))
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: is damaged or not a file of NumPy's") from error
    one = tuple(values.shape) == kind.shape
    if not one and tuple(values.shape[1:]) != kind.shape:
        rule = f"net.inputs.{field} takes {list(kind.shape)}, or several such"
        raise DataError(f"{path}: {rule} (got {list(values.shape)})")
    return for_net(values.unsqueeze(0) if one else values, values.dtype == torch.uint8 and len(kind.shape) > 1)


def _read_image(path: Path, field: str, kind: Signature, resize: bool) -> Tensor:
    if len(kind.shape) != 3 or kind.shape[0] not in (1, 3):
        raise RequestError(f"{path}: is an image, but net.inputs.{field} takes {list(kind.shape)}; give it a .npy file")
    need_pillow()
    channels, height, width = kind.shape
    size = (height, width) if resize else None
    pixels = decode(path, str(path), "L" if channels == 1 else "RGB", size)
    if tuple(pixels.shape) != kind.shape:
        found = f"{pixels.shape[1]} x {pixels.shape[2]}"
        raise DataError(f"{path}: must be {height} x {width} pixels (got {found}); --resize scales it")
    return for_net(pixels.unsqueeze(0), True)


def _compute(session: Session, field: str, examples: Tensor, wanted: str) -> Tensor:
    fields = {field: examples}
    if session.data is not None and session.data.phases:  # what is done to every example of a phase is done to these
        policy = session.data.feed(session.data.evaluation_phase or session.data.phases[0]).policy
        fields = policy.transform(fields, 0, 0, augment=False)
    sent: Tensor = pick(session.predict(fields, [wanted])[wanted], None)
    return sent.detach().float().cpu()


def _name(path: Path, index: int, count: int) -> str:
    return str(path) if count == 1 else f"{path}[{index}]"


def _told(row: Tensor, classes: bool, top: int) -> dict[str, Any]:
    if not classes:
        return {"shape": list(row.shape), "values": row.tolist()}
    probabilities = torch.softmax(row, 0)
    best = probabilities.topk(min(top, len(probabilities)))
    listed = [
        {"class": int(number), "probability": float(share)}
        for number, share in zip(best.indices, best.values, strict=True)
    ]
    return {**listed[0], "top": listed}


def _print(terminal: Terminal, result: Sequence[dict[str, Any]]) -> None:
    shown = table("input", "prediction")
    for one in result:
        if "top" in one:
            text = "  ".join(f"{entry['class']} ({100 * entry['probability']:.1f} %)" for entry in one["top"])
        else:
            text = _summary(np.asarray(one["values"]))
        shown.add_row(one["input"], text)
    terminal.print(shown)


def _summary(values: np.ndarray[Any, Any]) -> str:
    """A few numbers as they are; of many the shape and what they are like."""
    if values.size <= _MOST_SHOWN:
        return str(np.vectorize(lambda value: f"{value:.4g}")(values).tolist()).replace("'", "")
    spread = f"mean {values.mean():.4g}, from {values.min():.4g} to {values.max():.4g}"
    return f"shape {list(values.shape)}, {spread}; --out FILE.npz writes the values"


def _write(terminal: Terminal, path: Path, names: Sequence[str], sent: Tensor) -> None:
    """All values, `inputs` and `outputs` side by side."""
    if path.suffix == ".json":
        rows = zip(names, sent, strict=True)
        content = [{"input": name, "shape": list(row.shape), "values": row.tolist()} for name, row in rows]
        terminal.write_file(path, json.dumps(content) + "\n")
        return
    try:
        np.savez_compressed(path, inputs=np.asarray(names), outputs=sent.numpy())
    except OSError as error:
        raise RequestError(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from error
    terminal.print(f"wrote {path}: inputs {[len(names)]}, outputs {list(sent.shape)}")
