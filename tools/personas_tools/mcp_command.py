"""The command `personas mcp`: the MCP server of a service for programs that start their servers."""

import signal

import click

from personas_tools.http_api import Api, on_api


@click.command("mcp")
@on_api
def serve_mcp(api: Api) -> None:
    """Speak the Model Context Protocol on standard input and output, for programs that start their servers.

    Each message goes to the service at --url, with the key, and its answer comes back. Errors stand on standard error,
    too. It ends when its input does.
    """
    from personas_tools.mcp_bridge import serve  # noqa: PLC0415  # the SDK takes 400 ms, which no other command need wait

    # A thread waits for the next line, and Python would wait for that thread.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    serve(api)
