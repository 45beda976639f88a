"""Turns of blocks carried out: one by one in Python, or as one compiled function."""

from __future__ import annotations

import itertools
import types
from collections.abc import Callable, Collection, Container, Sequence
from typing import Any

import torch

from rillnet.model.flat import part
from rillnet.model.structure import Structure
from rillnet.model.tying import call_tied
from rillnet.runtime.plan import ALWAYS, IN_TRAINING, Seeds, Turn

Backend = str | Callable[..., Any]

_serial = itertools.count()


class EagerTurns:
    """Turns that are carried out one by one, as Python does.

    Args:
        net: the net, in which shared parameters are found.
        turns: in order.
        reason: why they are not compiled, where it was asked for.
    """

    def __init__(self, net: Structure, turns: Sequence[Turn], reason: str = "") -> None:
        self.net = net
        how = f"eager: {reason}" if reason else "eager"
        self.report: dict[str, str] = dict.fromkeys((turn.path for turn in turns), how)
        self._plain = [(t.module, t.reads, t.result, t.parts, t.frees, t.ties, t.draws, t.path) for t in turns]

    def tapped(
        self, values: list[Any], seeds: Seeds | None, blocks: Container[str], keep: Callable[[str, Any], None]
    ) -> None:
        """Carries them out, and hands over what some blocks send before it can be freed.

        Args:
            values: the registers; changed.
            seeds: seeds of what blocks draw.
            blocks: which.
            keep: takes a block's path and what it sends.
        """
        done = 0
        for number, turn in enumerate(self._plain):
            if turn[-1] in blocks:
                module, reads, result, parts, frees, ties, draws, path = turn
                first = (module, reads, result, parts, (), ties, draws, path)
                self(values, seeds, [*self._plain[done:number], first])
                keep(path, values[result])
                for register in frees:
                    values[register] = None
                done = number + 1
        self(values, seeds, self._plain[done:])

    def __call__(self, values: list[Any], seeds: Seeds | None, turns: Sequence[Any] | None = None) -> None:
        """Carries them out.

        Args:
            values: the registers; changed.
            seeds: seeds of what blocks draw.
            turns: some of them only, as they are laid out here.
        """
        path = ""
        reads: tuple[int, ...] = ()
        chosen = self._plain if turns is None else turns
        try:
            for module, reads, result, parts, frees, ties, draws, path in chosen:  # noqa: B007, RUF100
                if seeds is not None and draws and (draws == ALWAYS or module.training):
                    seed_generators(seeds(path))
                if ties:
                    values[result] = call_tied(self.net, module, ties, [values[register] for register in reads])
                elif len(reads) == 1:
                    values[result] = module(values[reads[0]])
                else:
                    values[result] = module(*[values[register] for register in reads])
                for register, place in parts:
                    values[register] = part(values[result], place)
                for register in frees:
                    values[register] = None
        except Exception as error:  # any error of a foreign forward goes on as it is, with the block's address
            read = ", ".join(str(list(getattr(values[register], "shape", ["?"]))) for register in reads)
            error.add_note(f"in {self.net.address}/{path}, which read {read or 'nothing'}")
            raise


class CompiledTurns:
    """Turns that torch.compile makes one function of; Python takes over if it cannot.

    Args:
        net: the net, in which shared parameters are found.
        turns: in order.
        wanted: registers that are read after them.
        backend: of torch.compile.
    """

    def __init__(self, net: Structure, turns: Sequence[Turn], wanted: Collection[int], backend: Backend) -> None:
        written = {r for turn in turns for r in (turn.result, *(register for register, _ in turn.parts))}
        self.entering = sorted({register for turn in turns for register in turn.reads} - written)
        self.leaving = sorted(written.intersection(wanted))
        self.frees = sorted({register for turn in turns for register in turn.frees}.difference(self.leaving))
        self.refusal = ""
        self._paths = [turn.path for turn in turns]
        self._eager = EagerTurns(net, turns)
        # for each size of batch its own code: with sizes left open, what is computed would depend on which came first
        self._run = torch.compile(self._function(net, turns), fullgraph=True, dynamic=False, backend=backend)

    @property
    def report(self) -> dict[str, str]:
        """For each block how it is run."""
        return dict.fromkeys(self._paths, f"eager: {self.refusal}" if self.refusal else "compiled")

    def _function(self, net: Structure, turns: Sequence[Turn]) -> Callable[[list[Any]], list[Any]]:
        plain = [(t.module, t.reads, t.result, t.parts, t.ties) for t in turns]
        entering, leaving = self.entering, self.leaving

        def frame(entered: list[Any]) -> list[Any]:
            values = dict(zip(entering, entered, strict=True))
            for module, reads, result, parts, ties in plain:
                read = [values[register] for register in reads]
                values[result] = call_tied(net, module, ties, read) if ties else module(*read)
                for register, place in parts:
                    values[register] = part(values[result], place)
            return [values[register] for register in leaving]

        # torch keeps what it has compiled, and counts it, by code object: every frame function gets one of its own.
        code = frame.__code__.replace(co_name=f"frame_{next(_serial)}")
        return types.FunctionType(code, frame.__globals__, code.co_name, None, frame.__closure__)

    def __call__(self, values: list[Any], seeds: Seeds | None) -> None:
        """Carries them out.

        Args:
            values: the registers; changed.
            seeds: not used, as what draws by address is not compiled.
        """
        if self.refusal:
            return self._eager(values, seeds)
        try:
            left = self._run([values[register] for register in self.entering])
        except torch._dynamo.exc.TorchDynamoException as error:  # raised before anything has run
            reason = " ".join(str(error).split()[:40]) or type(error).__name__
        else:
            reason = ""
        if reason:
            self._eager(values, seeds)  # first, as a block that fails in Python too is at fault itself
            self.refusal = reason
            return None
        for register in self.frees:
            values[register] = None
        for register, value in zip(self.leaving, left, strict=True):
            values[register] = value
        return None


def seed_generators(seed: int) -> None:
    """Seeds the generators that blocks draw from, without waiting for a device."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed(seed)


def divide(turns: Sequence[Turn], *, seeded: bool) -> list[tuple[list[Turn], str]]:
    """Turns that can be compiled together, and those that cannot.

    Args:
        turns: of a frame, in order.
        seeded: whether what blocks draw is seeded one by one.

    Returns:
        Runs of turns, each with the reason why it is left to Python, or with none.
    """
    found: list[tuple[list[Turn], str]] = []
    for turn in turns:
        draws = seeded and (turn.draws == ALWAYS or (turn.draws == IN_TRAINING and turn.module.training))
        reason = "what it draws depends on its address and the frame only" if draws else ""
        if found and found[-1][1] == reason and not reason:
            found[-1][0].append(turn)
        else:
            found.append(([turn], reason))
    return found


def carry_out(
    net: Structure, turns: Sequence[Turn], wanted: Collection[int], backend: Backend, *, seeded: bool
) -> list[EagerTurns | CompiledTurns]:
    """Turns as functions, compiled where they can be.

    Args:
        net: the net.
        turns: of a frame, in order.
        wanted: registers that are read after the frame.
        backend: of torch.compile.
        seeded: whether what blocks draw is seeded one by one.
    """
    found: list[EagerTurns | CompiledTurns] = []
    done = 0
    for run, reason in divide(turns, seeded=seeded):
        done += len(run)
        later = {register for turn in turns[done:] for register in turn.reads}
        found.append(EagerTurns(net, run, reason) if reason else CompiledTurns(net, run, {*wanted, *later}, backend))
    return found
