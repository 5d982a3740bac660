"""The function behind /mcp: the persona library as a server of the Model Context Protocol."""

from personas.api import LambdaContext, Response, lambda_function
from personas.contract.mcp import METADATA_PATH, OPERATION
from personas.mcp.app import OTHER_METHODS, McpApi

app = McpApi(OPERATION)


@app.post(OPERATION.path)
def message() -> Response[str]:
    """Answer one message."""
    return app.answer()


@app.route(OPERATION.path, method=[*OTHER_METHODS], enable_validation=False)
def refuse() -> Response[str]:
    """Refuse what is no message."""
    return app.refuse()


@app.get(METADATA_PATH, enable_validation=False)
def metadata_of_host() -> Response[str]:
    """Tell whose tokens the host takes."""
    return app.metadata("")


@app.get(METADATA_PATH + OPERATION.path, enable_validation=False)
def metadata_of_server() -> Response[str]:
    """Tell whose tokens the server takes."""
    return app.metadata(OPERATION.path)


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
