"""The command line `personas`."""

from pkgutil import resolve_name
from typing import Final

import click

from personas_tools.screen import Commands

_PLACES: Final = {
    "delete": "persona_commands:delete_personas",
    "diff": "version_commands:show_differences",
    "export": "exporting:export_file",
    "history": "history_commands:history",
    "import": "importer.command:import_file",
    "key": "key_commands:key",
    "library": "library_commands:library",
    "list": "persona_commands:list_personas",
    "listen": "history_commands:listen",
    "mcp": "mcp_command:serve_mcp",
    "openapi": "openapi_command:print_document",
    "profile": "profile_commands:profile",
    "restore": "repair_commands:restore_either",
    "serve": "serve_command:serve",
    "show": "persona_commands:show_persona",
    "smoke": "smoke.command:smoke",
    "token": "key_commands:token",
    "unreadable": "repair_commands:unreadable_personas",
}
"""The commands by name: the module within personas_tools, and its attribute."""


class _Imported(Commands):
    """A group whose commands are imported when they are asked for.

    Programs start `personas mcp` for every session, and all commands together take three times as long to import.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted(_PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a name, or None if there is none."""
        if cmd_name not in _PLACES:
            return None
        command: click.Command = resolve_name(f"personas_tools.{_PLACES[cmd_name]}")
        return command


@click.group(cls=_Imported, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="personas", prog_name="personas", message="%(prog)s %(version)s")
def main() -> None:
    """Run and look after a Personas service, on this machine or in AWS."""


if __name__ == "__main__":
    main()
