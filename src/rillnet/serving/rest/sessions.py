"""Live sessions: how they stand, their net, addresses, values and history; and commands that change them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import Field

from rillnet.errors import Fault
from rillnet.serving.cli.tableau import describe_rollout, rollout_of
from rillnet.serving.rest import records
from rillnet.serving.rest.faults import CONFLICT, NOT_FOUND, Refused, shown
from rillnet.serving.rest.local import LocalSession, asked_command, entry_of
from rillnet.serving.rest.once import read_once
from rillnet.serving.rest.routes import Content, Route
from rillnet.serving.rest.runs import Runs

Frames = Annotated[int, Field(ge=1, le=64)]
Limit = Annotated[int, Field(ge=1, le=100_000)]
Pattern = Annotated[records.Text, Field(max_length=1000, examples=["net/*/weight"])]


class Sessions:
    """The sessions that a server knows: its own, or those of the runs of a root, which it passes requests on to.

    Args:
        runs: of the root.
        local: the session of this process, if it is one.
    """

    def __init__(self, runs: Runs, local: LocalSession | None = None) -> None:
        self.runs, self.local = runs, local

    def routes(self) -> list[Route]:
        """What can be asked of them."""
        one = "/api/sessions/{name}/{number}"
        asked = (NOT_FOUND, CONFLICT)
        return [
            Route("GET", "/api/sessions", self.list, refusals=()),
            Route("GET", one, self.status, refusals=asked),
            Route("GET", f"{one}/net", self.net, refusals=asked, answer=records.NetDescription),
            Route("GET", f"{one}/addresses", self.addresses, refusals=asked),
            Route("GET", f"{one}/values", self.values, refusals=asked),
            Route("GET", f"{one}/rollout", self.rollout, refusals=asked),
            Route("GET", f"{one}/history", self.history, refusals=asked),
            Route("POST", f"{one}/commands", self.command, refusals=asked),
        ]

    def find(self, name: str, number: int) -> LocalSession:
        """The session of this process, if that is meant.

        Raises:
            Refused: no such session is live; those of other processes are asked there.
        """
        if self.local is not None and self.local.is_called(name, number):
            return self.local
        live = [one.id for one in self.list().sessions]
        hint = f"live are {', '.join(live[-5:])}" if live else "POST /api/runs starts one, .../resume goes on with one"
        raise Refused(NOT_FOUND, Fault("", f"{name}/{number} is not live", hint=hint))

    # --- what can be asked --------------------------------------------------------------------

    def list(self) -> records.SessionList:
        """The sessions that can be watched and changed, the newest last."""
        if self.local is not None:
            state = str(self.local.session.control.state)
            return records.SessionList(sessions=[records.SessionRecord(id=self.local.id, state=state)])
        found = [records.SessionRecord(id=name, state="running") for name in self.runs.all_live()]
        return records.SessionList(sessions=found)

    def status(self, name: records.Name, number: records.RunNumber) -> records.SessionStatus:
        """How a session stands."""
        return records.SessionStatus.model_validate(self.find(name, number).status())

    def net(self, name: records.Name, number: records.RunNumber) -> Content:
        """The net of a session: its blocks, edges, parameters and settings; `revision` grows with its structure."""
        return Content(self.find(name, number).net())

    def addresses(
        self, name: records.Name, number: records.RunNumber, pattern: Pattern = "**", limit: Limit = 1000
    ) -> records.AddressList:
        """What stands at the addresses of a pattern: `*` is anything within a part, `**` anything."""
        found, more = self.find(name, number).addresses(pattern, limit)
        return records.AddressList(addresses=[records.AddressRecord.model_validate(one) for one in found], more=more)

    def values(
        self,
        name: records.Name,
        number: records.RunNumber,
        address: Annotated[records.Text, Field(max_length=1000, examples=["net/conv1/weight"])],
        reduction: Annotated[records.Text, Field(max_length=50, examples=["percentiles"])] = "whole",
        stream: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0,
    ) -> records.ValueRecord:
        """The value at an address, reduced; of what has the batch in it, one stream."""
        return read_once(self.find(name, number), address, reduction, stream)

    def rollout(
        self,
        name: records.Name,
        number: records.RunNumber,
        policies: Annotated[str, Field(max_length=200, examples=["sequential,streaming"])] = "document",
        frames: Frames = 4,
    ) -> records.Tableaus:
        """Tableaus of rollouts of the net: sequential, streaming, aligned, document, or a delay; parted by commas."""
        session = self.find(name, number).session
        words = list(dict.fromkeys(policies.split(",")))
        found: dict[str, Any] = {}
        for word in words:
            rollout = rollout_of(session.net, word, lambda: session.rollout)
            found[word] = shown(describe_rollout(rollout, frames))
        return records.Tableaus(net=session.net.name, rollouts=found, frames=frames)

    def history(self, name: records.Name, number: records.RunNumber) -> records.History:
        """The commands that were applied since the session began, oldest first."""
        found = self.find(name, number).history()
        return records.History(history=[records.HistoryEntry.model_validate(one) for one in found])

    async def command(self, name: records.Name, number: records.RunNumber, asked: records.Asked) -> records.Outcome:
        """Has a command applied between two frames, and waits for what comes of it; a refused one changes nothing."""
        local = self.find(name, number)
        command = asked_command(asked.text, asked.name, asked.arguments)
        await local.ready()
        future = await asyncio.to_thread(local.submit, command, asked.origin)
        try:
            entry = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), asked.wait)
        except TimeoutError:
            return records.Outcome(result=None, entry=None, pending=True)
        told = entry_of(entry)
        kept = records.HistoryEntry.model_validate(told) if told is not None else None
        result = await asyncio.to_thread(shown, entry.result)
        return records.Outcome(result=result, entry=kept, pending=False)
