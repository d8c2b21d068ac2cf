"""An MCP server for ContextForge to register: serve.py mcp_server:application PORT

Its tools are `add`, and `headers`, which answers with the headers of the request that called it.
"""

from mcp.server.fastmcp import Context, FastMCP

server = FastMCP("tools", stateless_http=True, json_response=True)


@server.tool()
def add(a: int, b: int) -> int:
    """The sum of two numbers."""
    return a + b


@server.tool()
def headers(context: Context) -> dict:
    """The headers of the request, as this server got them."""
    return dict(context.request_context.request.headers)


application = server.streamable_http_app()
