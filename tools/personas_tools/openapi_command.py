"""The command `personas openapi`: the API's description, as this checkout has it."""

import click

from personas_tools import openapi
from personas_tools.errors_page import ErrorsPageError


@click.command("openapi")
def print_document() -> None:
    """Print the OpenAPI document of this checkout; `make openapi` writes it to docs/openapi.json."""
    try:
        click.echo(openapi.render(openapi.current()), nl=False)
    except ErrorsPageError as error:
        raise click.ClickException(str(error)) from error
