"""What is sent and received: the bodies of requests and answers, with examples for the description of the API."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LONGEST_DOCUMENT = 1_000_000  # characters
LONGEST_COMMAND = 65_536


def _printable(text: str) -> str:
    """Refuses what no file name, command or document may hold."""
    wrong = next((character for character in text if character == "\0" or "\ud800" <= character <= "\udfff"), None)
    if wrong is not None:
        raise ValueError(f"character U+{ord(wrong):04X} cannot stand here")
    return text


Text = Annotated[str, AfterValidator(_printable)]
"""Text without characters that no file name and no document may hold."""

Number = int | float | str
"""A number; NaN and infinities are the strings "NaN", "Infinity" and "-Infinity"."""

Name = Annotated[Text, Field(max_length=200, examples=["digits"])]
"""The name of an experiment."""

RunNumber = Annotated[int, Field(ge=0, le=10**9, examples=[1])]
"""Which run of an experiment; 0 is a session without a run directory."""


class Told(BaseModel):
    """Base of what is sent and received; each is built when it is first used, as most runs serve nothing."""

    model_config = ConfigDict(defer_build=True)


class Body(Told):
    """Base of what is received: unknown keys are faults."""

    model_config = ConfigDict(extra="forbid", defer_build=False)


class FaultRecord(Told):
    """One thing wrong with a request."""

    address: str = Field(description="what is wrong", examples=["net/conv1.kernel_size"])
    rule: str = Field(examples=["must be at least 1"])
    value: Any = Field(None, description="what was given", examples=[0])
    file: str | None = Field(None, examples=["lenet.yaml"])
    line: int | None = Field(None, examples=[14])
    column: int | None = None
    hint: str | None = Field(None, description="what to do next", examples=["did you mean 'Conv2d'?"])
    text: str = Field(description="all of it in one line")


class Refusal(Told):
    """Why a request is refused: every fault that was found."""

    faults: list[FaultRecord]


class Health(Told):
    """That the server is there."""

    status: str = Field(examples=["ok"])
    version: str = Field(examples=["0.1.0"])


# --- experiments and documents --------------------------------------------------------------------


class ExperimentRecord(Told):
    """A document that can be run, or the name of runs whose document lies elsewhere."""

    name: str = Field(examples=["digits"])
    path: str | None = Field(None, description="the document, as POST /api/runs takes it", examples=["digits.yaml"])
    runs: int = Field(description="how many runs of that name there are", examples=[3])


class ExperimentList(Told):
    """The experiments that are known here."""

    experiments: list[ExperimentRecord]


Document = Annotated[
    Annotated[Text, Field(max_length=LONGEST_DOCUMENT)] | dict[str, Any],
    Field(
        description="an experiment as YAML 1.2 text, or as the values that the text would say",
        examples=["experiment: tiny\nnet:\n  inputs: {x: [2]}\n  blocks: {fit: {type: Linear, out_features: 1}}\n"],
    ),
]

Changes = Annotated[
    dict[Text, Any],
    Field(description="values of the document that are changed, by address", examples=[{"run.epochs": 2}]),
]


class Validated(Body):
    """A document to be looked at."""

    document: Document
    set: Changes = Field(default_factory=dict)


class Validity(Told):
    """What is wrong with a document: nothing, if the list is empty."""

    faults: list[FaultRecord]
    experiment: str | None = Field(None, description="its name, if nothing is wrong", examples=["tiny"])


class DocumentText(Told):
    """A document as it is written."""

    path: str = Field(examples=["digits.yaml"])
    text: str


# --- runs -----------------------------------------------------------------------------------------


class RunRecord(Told):
    """How a run stands."""

    id: str = Field(examples=["digits/1"])
    experiment: str = Field(examples=["digits"])
    number: int = Field(examples=[1])
    directory: str = Field(examples=["runs/digits/1"])
    status: str = Field(
        description="created, running, interrupted, failed, finished; died if its process is gone", examples=["running"]
    )
    step: int = Field(examples=[450])
    epoch: float = Field(examples=[10.0])
    metrics: dict[str, Number] = Field(examples=[{"loss": 0.02}])
    error: str | None = None
    started: float | None = Field(None, description="seconds since 1970")
    updated: float | None = Field(None, description="seconds since 1970")
    live: bool = Field(description="whether its session can be watched and changed")


class RunList(Told):
    """Runs by name and number."""

    runs: list[RunRecord]


class CheckpointRecord(Told):
    """A saved state of a run."""

    path: str
    step: int
    size: int = Field(description="bytes")
    best: bool


class RunDetails(RunRecord):
    """How a run stands, with its document and checkpoints."""

    document: str = Field(description="the resolved document as YAML")
    values: dict[str, Any] = Field(description="the values of the document by address, as `runs compare` shows them")
    checkpoints: list[CheckpointRecord]
    execution: dict[str, Any] | None = Field(None, description="how it is executed")


class Start(Body):
    """A run to be started: of a document that is sent, or of one that lies here."""

    document: Document | None = None
    path: Annotated[Text, Field(max_length=1000, examples=["digits.yaml"])] | None = None
    set: Changes = Field(default_factory=dict)
    fresh: bool = Field(False, description="begin anew, whatever runs there are")


class RunState(Told):
    """A run after a request that changes how it stands."""

    id: str = Field(examples=["digits/1"])
    status: str = Field(examples=["running"])
    live: bool = False


class Removed(Told):
    """What was removed."""

    removed: str = Field(examples=["digits/1"])


class Series(Told):
    """The values of one metric."""

    step: list[int] = Field(examples=[[100, 200]])
    value: list[Number] = Field(examples=[[0.7, 0.4]])


class MetricsAnswer(Told):
    """Metrics of a run: rows that came after a place in its file."""

    names: list[str] = Field(description="all that there are", examples=[["train/loss", "test/accuracy"]])
    rows: dict[str, Series]
    last: int = Field(description="the place to ask after next time", examples=[5120])
    reset: bool = Field(False, description="whether the run went back: what was told before no longer holds")


class JournalEntry(Told):
    """A line of a run's journal."""

    kind: str = Field(examples=["command"])
    text: str = Field(examples=["rate main 0.01"])
    step: int
    frame: int
    time: float = Field(description="seconds since 1970")
    details: dict[str, Any]


class JournalAnswer(Told):
    """The journal of a run."""

    entries: list[JournalEntry]
    notes: list[str] = Field(description="lines that could not be read")


class Picture(Told):
    """A picture in a run directory."""

    file: str = Field(examples=["filters.png"])
    size: int = Field(description="bytes")
    updated: float = Field(description="seconds since 1970")


class PictureList(Told):
    """The pictures of a run."""

    pictures: list[Picture]


# --- sessions -------------------------------------------------------------------------------------


class SessionRecord(Told):
    """A session that can be watched and changed."""

    id: str = Field(examples=["digits/1"])
    state: str = Field(examples=["running"])


class SessionList(Told):
    """Live sessions, the newest last."""

    sessions: list[SessionRecord]


class ClockRecord(Told):
    """How far a session is."""

    frame: int
    step: int
    epoch: float
    examples: int


class RuleRecord(Told):
    """A learning rule of a session."""

    name: str = Field(examples=["main"])
    type: str = Field(examples=["Backprop"])
    active: bool
    rate: Number | dict[str, Number] | None = Field(examples=[0.01])
    held: bool | dict[str, bool] = Field(False, description="whether a command set the rate: it leaves its curve")


class SessionStatus(Told):
    """How a session stands."""

    id: str = Field(examples=["digits/1"])
    state: str = Field(description="idle, running, paused or stopping", examples=["running"])
    clock: ClockRecord
    total_steps: int | None = Field(description="the last step of the run", examples=[900])
    speed: Number | None = Field(description="frames per second that are asked for; null for all that can be")
    frames_per_second: float | None = Field(examples=[31.5])
    interventions: list[dict[str, Any]] = Field(
        description="clamps, noise, lesions and holds in force", examples=[[{"kind": "clamp", "target": "hidden1"}]]
    )
    rules: list[RuleRecord]
    choice: dict[str, Any] | None = Field(description="how frames are executed")
    revision: int = Field(description="grows with the net's structure")
    ended: str | None = Field(None, description="why the run ended, once it did")
    held: str | None = Field(None, description="why the run is held, where a frame has failed")


class NetDescription(Told):
    """A net: its blocks, edges, parameters and settings."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(examples=["digits"])
    revision: int
    inputs: list[dict[str, Any]]
    blocks: list[dict[str, Any]]
    edges: list[dict[str, Any]]


class AddressRecord(Told):
    """What stands at an address."""

    model_config = ConfigDict(extra="allow")

    address: str = Field(examples=["net/conv1/weight"])
    kind: str = Field(examples=["parameter"])
    shape: list[int] | None = Field(None, examples=[[16, 1, 3, 3]])
    dtype: str | None = Field(None, examples=["float32"])
    writable: bool = False
    value: Any = None


class AddressList(Told):
    """What stands at the addresses of a pattern."""

    addresses: list[AddressRecord]
    more: bool = Field(description="whether there are others beyond the limit")


class ValueRecord(Told):
    """A value, reduced."""

    address: str = Field(examples=["net/conv1/weight"])
    reduction: str = Field(examples=["percentiles"])
    frame: int
    shape: list[int]
    low: Number | None = Field(None, description="the smallest value of the whole")
    high: Number | None = Field(None, description="the largest value of the whole")
    value: Any = Field(description="a number, or lists of numbers", examples=[[0.1, 0.2]])


class Tableaus(Told):
    """Tableaus of a net's rollouts: the update step in which each block of each frame is ready."""

    net: str
    rollouts: dict[str, dict[str, Any]]
    frames: int


class HistoryEntry(Told):
    """A command that was applied."""

    model_config = ConfigDict(extra="allow")

    number: int
    frame: int
    step: int
    text: str = Field(examples=["clamp hidden1 0.5"])
    undoable: bool = False
    undone: bool = False
    origin: str | None = None


class History(Told):
    """The commands of a session in their order."""

    history: list[HistoryEntry]


class Asked(Body):
    """A command: as text, or by its name and arguments."""

    text: Annotated[Text, Field(max_length=LONGEST_COMMAND, examples=["rate main 0.01"])] | None = None
    name: Annotated[Text, Field(max_length=100, examples=["rate"])] | None = None
    arguments: dict[Text, Any] = Field(default_factory=dict, examples=[{"rule": "main", "value": 0.01}])
    wait: float = Field(3600, ge=0, le=86_400, description="seconds to wait for what comes of it")
    origin: str = Field("rest", pattern="^[a-z]{1,20}$", description="who asks, for the journal", examples=["lab"])


class Outcome(Told):
    """What came of a command."""

    result: Any = Field(None, description="what it answers")
    entry: HistoryEntry | None = Field(None, description="its place in the history, if it has one")
    pending: bool = Field(False, description="whether it was still being carried out when this was answered")


class ParameterRecord(Told):
    """An argument of a command."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(examples=["value"])
    kind: str = Field(examples=["number"])
    required: bool
    default: Any = None
    doc: str


class CommandRecord(Told):
    """A command that a session takes."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(examples=["rate"])
    summary: str
    parameters: list[ParameterRecord]


class CommandList(Told):
    """All commands."""

    commands: list[CommandRecord]
