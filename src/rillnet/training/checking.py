"""What is wrong with the record of an experiment: told before data are opened or parameters are allocated."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping
from typing import Any

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.flat import flatten
from rillnet.model.net import Net
from rillnet.model.parameters import has_parameters
from rillnet.model.rollout import Rollout
from rillnet.registry import UNTRUSTED, Family
from rillnet.runtime.placement.joining import joined_count
from rillnet.runtime.placement.placed import plan_of, processes_of
from rillnet.runtime.plan import available_in
from rillnet.spec import ExperimentSpec, RunSpec, TypedSpec
from rillnet.training.evaluation import PHASES, watched_blocks
from rillnet.training.extension_family import EXTENSIONS
from rillnet.training.extensions import Extension
from rillnet.training.improvement import check_mode
from rillnet.training.learning_rules import RULES
from rillnet.training.observers import OBSERVERS
from rillnet.training.observers.observer import Observer
from rillnet.training.optimizer_family import OPTIMIZERS
from rillnet.training.triggers import check_trigger

_EXTENSION_RULE = "must be a subclass of rillnet.training.extensions:Extension"
_OBSERVER_RULE = "must be a subclass of rillnet.training.observers.observer.Observer"


def check_record(spec: ExperimentSpec, blocks: Mapping[str, Any], trust: bool) -> list[Fault]:
    """Every fault of how an experiment learns and is run, as far as its record tells.

    Args:
        spec: the record.
        blocks: the blocks of its net, by name; each has `exclude`.
        trust: whether import paths may be followed.
    """
    faults: list[Fault] = []
    for number, observer in enumerate(spec.observe):
        faults += _check_observer(observer, f"observe.{number}", trust)
    for name, rule in spec.learning.items():
        faults += _check_rule(rule, f"learning/{name}", blocks, trust)
    return faults + _check_run(spec.run, trust)


def check_with_net(spec: ExperimentSpec, net: Net) -> list[Fault]:
    """What only the net can tell: globs that match no parameter, metrics that are not there.

    Args:
        spec: the record.
        net: its net; on the meta device nothing is allocated.
    """
    faults = []
    for name, rule in spec.learning.items():
        address = f"learning/{name}"
        if rule.type not in RULES or _check_rule(rule, address, net.blocks, True):
            continue  # a rule of the user's is built once, when it is needed; faults were told already
        try:
            RULES.build(rule, net, address=address)
        except RequestError as error:
            faults += error.faults
    return faults + _check_metrics(spec.run, net)


def check_reach(spec: ExperimentSpec, net: Net, rollout: Rollout) -> list[Fault]:
    """Whether what learning rules read is computed, and losses depend on what is learned.

    Args:
        spec: the record.
        net: its net.
        rollout: of the net.
    """
    faults = []
    there = available_in(rollout.flat, "train", set(net.inputs))
    for name, rule in spec.learning.items():
        asked = rule.arguments.get("loss", "loss" if rule.type == "Backprop" else [])
        window = rule.arguments.get("window", 1)
        for loss in [asked] if isinstance(asked, str) else asked:
            if loss not in net.blocks:
                continue  # told with the record's faults
            sent = {source.block for source in rollout.flat.sent_by(loss)}
            if not sent <= there:
                faults.append(Fault(f"learning/{name}.loss", "would not be computed any more", loss))
            elif _frames_to_parameters(rollout, sent) >= window:
                frames = "a frame" if window == 1 else f"{window} frames"
                rule_text = f"would depend on no parameter any more within {frames}"
                faults.append(Fault(f"learning/{name}.loss", rule_text, loss))
    return faults


def _frames_to_parameters(rollout: Rollout, blocks: Iterable[str]) -> float:
    """How many frames ago the nearest block with parameters acted on some blocks; infinity for none."""
    waiting = [(0, name) for name in sorted(blocks)]
    seen: set[str] = set()
    while waiting:
        frames, name = heapq.heappop(waiting)
        if name in seen or name not in rollout.flat.blocks:
            continue
        if has_parameters(rollout.flat.module(name)):
            return frames
        seen.add(name)
        for source in rollout.sources(name):
            heapq.heappush(waiting, (frames + source.delay, source.block))
    return math.inf


def check_placement(spec: ExperimentSpec, rollout: Rollout) -> list[Fault]:
    """Why a net cannot be placed as an experiment says; nothing if it can.

    Args:
        spec: the record.
        rollout: of its net; on the meta device nothing is allocated.
    """
    if not spec.placement:
        return []
    try:
        joined = joined_count()
        plan = plan_of(rollout, spec.placement, joined if joined > 1 else processes_of(spec.placement))
    except RequestError as error:
        return error.faults
    faults = []
    for name, rule in spec.learning.items():
        if plan.mesh.processes > 1 and rule.type in RULES and not hasattr(RULES.find(rule.type), "share"):
            what = "learns in one process only"
            faults.append(Fault(f"learning/{name}.type", what, rule.type, hint="leave out the placement"))
    if plan.mesh.processes > 1 and spec.run.precision == "fp16":
        hint = "take bf16, which needs no scaling of gradients"
        faults.append(Fault("run.precision", "cannot be fp16 on several processes", hint=hint))
    for name, rule in spec.learning.items():
        if plan.mesh.processes > 1 and rule.arguments.get("memory") == "low":
            faults.append(Fault(f"learning/{name}.memory", "cannot be low on several processes", hint="leave it out"))
    return faults


def _check_metrics(run: RunSpec, net: Net) -> list[Fault]:
    flat = flatten(net)
    known = list(dict.fromkeys(name for phase in PHASES for name in watched_blocks(flat, phase)))
    asked = {"run.checkpoint.best": run.checkpoint.best}
    asked["run.early_stopping.metric"] = run.early_stopping.metric if run.early_stopping is not None else None
    hint = f"known: {', '.join(known) or 'none'}"
    return [
        Fault(address, "is no metric of the evaluation", metric, hint=suggest(metric, known) or hint)
        for address, metric in asked.items()
        if metric is not None and metric not in known
    ]


def _check_run(run: RunSpec, trust: bool) -> list[Fault]:
    faults = check_trigger(run.checkpoint.every, "run.checkpoint.every")
    faults += check_trigger(run.evaluate.every, "run.evaluate.every")
    faults += check_trigger(run.log, "run.log")
    if run.checkpoint.best is not None:
        faults += check_mode(run.checkpoint.best, run.checkpoint.mode, "run.checkpoint.mode")
    if run.early_stopping is not None:
        faults += check_mode(run.early_stopping.metric, run.early_stopping.mode, "run.early_stopping.mode")
    for number, extension in enumerate(run.extensions):
        faults += _check_extension(extension, f"run.extensions.{number}", trust)
    return faults


def _check_extension(spec: TypedSpec, address: str, trust: bool) -> list[Fault]:
    return _check_member(EXTENSIONS, Extension, _EXTENSION_RULE, spec, address, trust)


def _check_observer(spec: TypedSpec, address: str, trust: bool) -> list[Fault]:
    faults = _check_member(OBSERVERS, Observer, _OBSERVER_RULE, spec, address, trust)
    return faults or check_trigger(spec.arguments.get("every", "1 epoch"), f"{address}.every")


def _check_member(
    family: Family[Any], base: type, rule: str, spec: TypedSpec, address: str, trust: bool
) -> list[Fault]:
    """What is wrong with a record of a family whose members, own ones too, have a base."""
    if ":" in spec.type and not trust:
        return [Fault(f"{address}.type", UNTRUSTED, spec.type)]
    faults = family.check(spec, address)
    if faults:
        return faults
    member: Any = family.find(spec.type)
    if not isinstance(member, type) or not issubclass(member, base):
        return [Fault(f"{address}.type", rule, spec.type)]
    return []


def _check_rule(spec: TypedSpec, address: str, blocks: Mapping[str, Any], trust: bool) -> list[Fault]:
    if ":" in spec.type and not trust:
        return [Fault(f"{address}.type", UNTRUSTED, spec.type)]
    if spec.type in OPTIMIZERS:
        hint = f"write {{type: Backprop, optimizer: {{type: {spec.type}, ...}}}}"
        return [Fault(f"{address}.type", "is an optimizer, which a learning rule takes", spec.type, hint=hint)]
    faults = RULES.check(spec, address, omit=("net", "implementation", "address"))
    if any(fault.address == f"{address}.type" for fault in faults):
        return faults
    nested = getattr(RULES.find(spec.type), "check", None)
    if nested is not None:
        faults += nested(spec.arguments, address)
    losses = spec.arguments.get("loss", "loss" if spec.type == "Backprop" else [])
    if any(fault.address == f"{address}.loss" for fault in faults):
        return faults
    for name in [losses] if isinstance(losses, str) else losses:
        if name not in blocks:
            faults.append(Fault(f"{address}.loss", "unknown block", name, hint=suggest(str(name), blocks)))
        elif "train" in blocks[name].exclude:
            faults.append(Fault(f"{address}.loss", "is excluded from train, where it is learned from", name))
    return faults
