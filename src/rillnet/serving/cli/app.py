"""Every command as a user sees it: its words, its options and its help. What carries them out is imported later."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import rillnet
from rillnet.serving.cli.request import carried_out_by

app = typer.Typer(
    name="rillnet",
    help="Run, train and serve neural nets that are described by experiment documents.",
    epilog="Begin with `rillnet show lenet`, `rillnet list` and `rillnet run EXPERIMENT`. "
    "A RUN is a run directory, name/number, or a name for its newest. "
    "Exit codes: 0 done, 2 the request is wrong, 3 the data is wrong, 4 it failed, 130 interrupted and saved.",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
runs = typer.Typer(help="Look at runs, stop and remove them.", rich_markup_mode=None)
app.add_typer(runs, name="runs")


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"rillnet {rillnet.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run, train and serve neural nets that are described by experiment documents."""


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object; progress goes to standard error.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")]
Root = Annotated[Path, typer.Option("--runs", metavar="DIR", help="The directory of all runs.")]
Trust = Annotated[bool, typer.Option("--trust", help="Let the document run Python code that it names by import path.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change the document: --set run.epochs=5; may be repeated."),
]
ExperimentOrRun = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="A document, or a run.")]
OneRun = Annotated[str, typer.Argument(metavar="RUN", help="A run: its directory, name/number, or name.")]
Batch = Annotated[int | None, typer.Option(min=1, help="Examples of a step; as in the document if left out.")]
MachineName = Annotated[
    str | None,
    typer.Option(
        "--machine",
        help="here, V100, 'K40, InfiniBand FDR, 4 per host', or {flops: 4e12, bandwidth: 7e9, latency: 1e-5}.",
    ),
]

Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="The port; any free one for 0, and if the usual one is taken.")
]
Host = Annotated[str, typer.Option(help="The address to listen on; any other can be reached from other machines.")]
OpenPage = Annotated[bool, typer.Option("--open", help="Open a browser.")]

_RUNS = Path("runs")
_HOST = "127.0.0.1"


@app.command(short_help="Train, or go on with a run that was stopped or killed.")
@carried_out_by("rillnet.serving.cli.running:run")
def run(
    experiment: ExperimentOrRun,
    overrides: Overrides = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, whatever runs there are.")] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, help="On how many processes; as the document says if left out.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show the run in a browser, and let it be changed.")] = False,
    port: Port = None,
    host: Host = _HOST,
    open_page: OpenPage = False,
    stay: Annotated[bool, typer.Option("--stay", help="Keep the page when the run has ended, until Ctrl-C.")] = False,
    root: Root = _RUNS,
    trust: Trust = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train; the same command goes on with a run that was stopped or killed."""


@app.command(short_help="Command a running net at a prompt or from a script.")
@carried_out_by("rillnet.serving.shell.opening:shell")
def shell(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT|RUN", help="A document, or a run, live or not.")],
    script: Annotated[
        Path | None, typer.Argument(metavar="SCRIPT", help="A file of commands; - reads standard input.")
    ] = None,
    command: Annotated[
        str | None, typer.Option("-c", metavar="COMMANDS", help="Do this and leave: -c 'pause; get clock/frame'.")
    ] = None,
    overrides: Overrides = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, whatever runs there are.")] = False,
    play: Annotated[bool, typer.Option("--play", help="Run at once what is started here; else it is paused.")] = False,
    root: Root = _RUNS,
    trust: Trust = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Command a live run, or one that is started here, at a prompt or from a script."""


@app.command("eval")
@carried_out_by("rillnet.serving.cli.evaluating:evaluate")
def evaluate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run, or the document of one.")],
    split: Annotated[str | None, typer.Option(help="test or val; else test where there is such data.")] = None,
    checkpoint: Annotated[str, typer.Option(help="newest, best, a step, or a checkpoint's directory.")] = "newest",
    overrides: Overrides = None,
    root: Root = _RUNS,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Compute the metrics of a run's net on a split of its data."""


@app.command()
@carried_out_by("rillnet.serving.cli.predicting:predict")
def predict(
    run: OneRun,
    files: Annotated[list[Path], typer.Option("--input", "-i", help="A .npy file or an image; may be repeated.")],
    field: Annotated[
        str | None, typer.Option(help="The input of the net that they are; else the first that is no label.")
    ] = None,
    output: Annotated[str | None, typer.Option(help="The block to show; else the scores that the loss reads.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes to show.")] = 3,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the values there: .npz or .json.")
    ] = None,
    resize: Annotated[bool, typer.Option("--resize", help="Scale images to the size that the net takes.")] = False,
    checkpoint: Annotated[str, typer.Option(help="newest, best, a step, or a checkpoint's directory.")] = "newest",
    root: Root = _RUNS,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Show what a run's net makes of arrays or images."""


@app.command()
@carried_out_by("rillnet.serving.cli.showing:show")
def show(
    thing: Annotated[str, typer.Argument(metavar="THING", help="A document, a ready net such as lenet, or a run.")],
    overrides: Overrides = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="The document after `extends` and --set.")] = False,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the graph (or the tableau) there.")] = None,
    depth: Annotated[int | None, typer.Option(min=0, help="Levels of nested nets to open; all if left out.")] = None,
    rollout: Annotated[
        list[str] | None,
        typer.Option(help="Show the tableau of sequential, streaming, aligned, document or a delay; may be repeated."),
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames of a tableau.")] = 4,
    placement: Annotated[
        bool, typer.Option("--placement", help="Show which process computes what, what is sent, and what it costs.")
    ] = False,
    batch: Batch = None,
    machine: MachineName = None,
    where: Annotated[bool, typer.Option("--where", help="What each process of a run is doing.")] = False,
    root: Root = _RUNS,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Show a net's blocks, shapes and parameters, or what is in a run."""


@app.command(short_help="Propose the fastest placement of a net over some processes.")
@carried_out_by("rillnet.serving.cli.planning:plan")
def plan(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="A document, a ready net, or a run.")],
    processes: Annotated[int, typer.Option(min=1, help="How many processes there are.")],
    machine: MachineName = None,
    batch: Batch = None,
    overrides: Overrides = None,
    rollout: Annotated[str | None, typer.Option(help="sequential or streaming; else as in the document.")] = None,
    root: Root = _RUNS,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Propose the placement of a net over some processes that takes least time."""


@app.command(short_help="Run a trained net in another rollout, and compare.")
@carried_out_by("rillnet.serving.cli.converting:convert")
def convert(
    run: OneRun,
    rollout: Annotated[str, typer.Option(help="sequential or streaming.")] = "streaming",
    align: Annotated[bool, typer.Option("--align", help="Joining paths equally long: same answers, later.")] = False,
    frames: Annotated[int, typer.Option(min=1, help="How many frames to compare.")] = 16,
    checkpoint: Annotated[str, typer.Option(help="newest, best, a step, or a checkpoint's directory.")] = "newest",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the converted net's document there.")
    ] = None,
    root: Root = _RUNS,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Run a trained net in another rollout, and print the largest difference."""


@app.command(short_help="Train on one process and on several, and compare.")
@carried_out_by("rillnet.serving.cli.checking:check")
def check(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="A document.")],
    placement: Annotated[
        str | None,
        typer.Option(help="batch, feature, space, or a placement as a document has it; the document's if left out."),
    ] = None,
    processes: Annotated[int | None, typer.Option(min=2, help="On how many processes.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="How many training steps.")] = 20,
    overrides: Overrides = None,
    trust: Trust = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train in one process and on several, and print the largest difference of each block."""


@app.command(short_help="Show, start and stop runs in a browser; answer programs.")
@carried_out_by("rillnet.serving.cli.serve:serve")
def serve(
    root: Annotated[Path, typer.Option("--runs", "--root", metavar="DIR", help="The directory of all runs.")] = _RUNS,
    documents: Annotated[Path, typer.Option(metavar="DIR", help="The folder of documents that can be run.")] = Path(),
    port: Port = None,
    host: Host = _HOST,
    open_page: OpenPage = False,
    trust: Trust = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Show all runs in a browser, start and stop them there, and answer programs."""


@app.command(short_help="Do a run again, and compare it with what it saved.")
@carried_out_by("rillnet.serving.cli.replaying:replay")
def replay(
    run: OneRun,
    until: Annotated[int | None, typer.Option(min=1, help="The step to stop at; else the newest saved one.")] = None,
    frame: Annotated[int | None, typer.Option(min=1, help="One frame that could not be learned from.")] = None,
    root: Root = _RUNS,
    trust: Trust = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Do a run again with its commands, and compare it with what it saved, bit for bit."""


@app.command("list")
@carried_out_by("rillnet.serving.cli.listing:list_known")
def list_known(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="blocks, metrics, nets, sources, transforms, rules, optimizers, rates, extensions, data, run."
        ),
    ] = None,
    name: Annotated[str | None, typer.Argument(help="A member, to see all of it.")] = None,
    json: Json = False,
) -> None:
    """List what a document may name, with arguments and defaults."""


@app.command()
@carried_out_by("rillnet.serving.cli.schema:schema")
def schema(
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there.")] = None,
    json: Json = False,
) -> None:
    """Print the JSON Schema of experiment documents, for editors."""


@app.command()
@carried_out_by("rillnet.serving.cli.doctor:doctor")
def doctor(json: Json = False) -> None:
    """Show versions, devices, threads, and which extras are installed."""


@runs.command("list")
@carried_out_by("rillnet.serving.cli.runs:list_runs")
def list_runs(
    name: Annotated[str | None, typer.Argument(help="An experiment's name; all if left out.")] = None,
    root: Root = _RUNS,
    json: Json = False,
) -> None:
    """List runs and how they stand."""


@runs.command("show")
@carried_out_by("rillnet.serving.cli.runs:show_run")
def show_run(run: OneRun, root: Root = _RUNS, json: Json = False) -> None:
    """Show how a run stands, its metrics and its checkpoints."""


@runs.command("compare")
@carried_out_by("rillnet.serving.cli.runs:compare_runs")
def compare_runs(
    names: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more.")],
    root: Root = _RUNS,
    json: Json = False,
) -> None:
    """Show in what runs differ: values of their documents, and metrics."""


@runs.command("stop")
@carried_out_by("rillnet.serving.cli.stopping:stop")
def stop_run(
    run: OneRun,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait until it has saved.")] = 60.0,
    root: Root = _RUNS,
    json: Json = False,
) -> None:
    """Stop a running run; it saves, and `rillnet run` goes on with it."""


@runs.command("resume")
@carried_out_by("rillnet.serving.cli.running:run")
def resume_run(
    experiment: OneRun, root: Root = _RUNS, trust: Trust = False, quiet: Quiet = False, json: Json = False
) -> None:
    """Go on with a run; the same as `rillnet run RUN`."""


@runs.command("remove")
@carried_out_by("rillnet.serving.cli.stopping:remove")
def remove_run(
    names: Annotated[list[str], typer.Argument(metavar="RUN...", help="The runs to delete.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    root: Root = _RUNS,
    json: Json = False,
) -> None:
    """Delete runs with their checkpoints."""
