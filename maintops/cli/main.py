"""The command `maintops`: one file per group of commands; errors become exit codes here and nowhere else."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import typer
from typer.main import get_command

from maintops.cli import (
    baselines,
    checklists,
    findings,
    followups,
    houses,
    planning,
    probes,
    records,
    running,
    runs,
    servers,
    verifying,
)
from maintops.cli.output import unheard
from maintops.errors import ConfigurationError, MaintopsError

USAGE, INTERRUPTED, INTERNAL = 64, 130, 1
COMPLETING = "_MAINTOPS_COMPLETE"
"""The variable with which the shell asks for completions."""

app = typer.Typer(
    name="maintops",
    help="Server maintenance: checklists run on real servers become service records, findings and follow-ups.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (
    running,
    planning,
    runs,
    servers,
    checklists,
    records,
    findings,
    followups,
    baselines,
    probes,
    verifying,
    houses,
):
    group.register(app)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Show the version and exit.")) -> None:
    if version:
        from maintops import __version__

        typer.echo(f"maintops {__version__}")
        raise typer.Exit


def execute(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code."""
    # click's classes as typer carries them: importing click by name would tie us to typer's choice of it
    command = get_command(app)
    try:
        code = command.main(list(arguments), prog_name="maintops", standalone_mode=False)
        sys.stdout.flush()
    except MaintopsError as error:
        print(_told(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("maintops: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        unheard()
        return 0
    except SystemExit:
        # click leaves like this when it has completed a word, and when it met a broken pipe before we did
        if COMPLETING in os.environ:
            raise
        return 0
    except OSError as error:
        return _full_code(error)
    except Exception as error:
        return _click_code(error)
    return code if isinstance(code, int) else 0


def _told(error: MaintopsError) -> str:
    from maintops.reports.escaping import visible

    text = visible(str(error), newlines=True)
    return text if isinstance(error, ConfigurationError) else f"maintops: {text}"


def _full_code(error: OSError) -> int:
    """A disk without room is nobody's defect."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return _click_code(error)
    unheard()
    print(f"maintops: cannot write: {error.strerror}; make room and try again", file=sys.stderr)
    return INTERNAL


def _click_code(error: Exception) -> int:
    """Usage errors are click's own exceptions, told by what they can do; anything else is a defect of ours."""
    show = getattr(error, "show", None)
    if type(error).__name__ == "Abort":
        print("maintops: interrupted", file=sys.stderr)
        return INTERRUPTED
    if callable(show):
        show()
        return USAGE
    import traceback

    traceback.print_exception(error)
    print("maintops: this is a defect of maintops; please report it with the lines above", file=sys.stderr)
    return INTERNAL


def main() -> NoReturn:
    """The entry point."""
    # A command line lives for seconds and makes few cycles: looking for them every 700 objects is dear.
    gc.set_threshold(50_000, 20, 20)
    # Python has None for a stream that was closed before it began (`>&-`)
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  it lives as long as the process
    sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    code = execute(sys.argv[1:])
    # All memory goes with the process: looking through it once more on the way out would cost a tenth of a small run.
    gc.freeze()
    sys.exit(code)
