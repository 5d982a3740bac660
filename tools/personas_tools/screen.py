"""The output of commands to a terminal or a pipe, and their questions."""

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import click

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""The category Cc of Unicode."""


def printable(text: str, *, keep: str = "") -> str:
    r"""Return a text with its control characters spelt out, such as ``\x1b``, but those in ``keep``.

    Others wrote the texts of personas and libraries, and a terminal obeys what stands in them.
    """
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else repr(found[0])[1:-1], text)


def say(text: str) -> None:
    """Print lines that may have texts of others in them."""
    click.echo(printable(text, keep="\n\t"))


class Commands(click.Group):
    """A group of commands whose errors, too, are printable."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except click.UsageError:
            raise  # it has nothing in it but what was typed
        except click.ClickException as error:
            raise click.ClickException(printable(error.format_message(), keep="\n\t")) from error


class OneOf(click.Command):
    """A command that stands for several, of which ``choose`` returns the one that the arguments mean."""

    def __init__(
        self, name: str, commands: Sequence[click.Command], choose: Callable[[Sequence[str]], click.Command], about: str
    ) -> None:
        params = [param for command in commands for param in command.params]
        super().__init__(name, params=params, help=about)
        self._choose = choose

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return the context of the command that is meant."""
        return self._choose(args).make_context(info_name, args, parent, **extra)


def confirm(question: str, *, yes: bool, otherwise: str) -> None:
    """Go on where ``yes`` was given or the answer to the question is yes.

    Raises:
        ClickException: nobody sits at the terminal; the message ends with ``otherwise``.
        Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.ClickException(f"{question} {otherwise}")
    click.confirm(printable(question), abort=True, err=True)
