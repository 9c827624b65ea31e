"""The `som-agent` command."""

from __future__ import annotations

import signal
import sys
from importlib.metadata import entry_points
from typing import Any

import typer

from som_agent.cli.ask import ask
from som_agent.cli.calibrate import calibrate
from som_agent.cli.doctor import doctor
from som_agent.cli.eval import evaluate
from som_agent.cli.export import export
from som_agent.cli.mark import mark
from som_agent.cli.output import note, results
from som_agent.cli.plugins import GROUP, plug_in
from som_agent.cli.repair import repair
from som_agent.cli.segmenters import segmenters
from som_agent.cli.stream import stream
from som_agent.cli.track import track
from som_agent.errors import SomError

__all__ = ["main"]

app = typer.Typer(
    name="som-agent",
    help="Give every object in a video a number that stays with it, and ask about them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(mark)
app.command()(track)
app.command()(stream)
app.command()(ask)
app.command()(repair)
app.command()(calibrate)
app.command()(segmenters)
app.command()(doctor)
app.command()(export)
app.add_typer(evaluate)
plug_in(app, entry_points(group=GROUP))


# What typer raises for a wrong option; some versions bring a click of their own, so it has no better name.
_UsageError: Any = typer.BadParameter.__base__


def main() -> None:
    """Run the command line; see `som_agent.cli` for the exit statuses."""
    try:
        with results():
            status = app(prog_name="som-agent", standalone_mode=False)
    except SomError as error:
        note(str(error))
        sys.exit(2)
    except _UsageError as error:
        # No message: the help was shown, because there were no arguments at all.
        if message := " ".join(error.format_message().split()):
            note(f"{message} ({error.ctx.command_path} -h shows the usage)" if error.ctx else message)
        sys.exit(2)
    except BrokenPipeError:  # as in `som-agent doctor | head`
        sys.exit(1)
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    if status == 130:  # typer's own way of passing Ctrl-C on
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more must not break into the exit
        note("stopped")
    if status:
        sys.exit(status)


if __name__ == "__main__":
    main()
