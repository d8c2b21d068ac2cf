"""An MCP client with a certificate: mcp_client.py URL CA CERTIFICATE KEY TOOL ARGUMENTS

Initializes, lists the tools and calls one, over streamable HTTP. Prints what came of it as one line of JSON: `server`,
`tools`, `error` (of the call) and `text`; or `status` and `body` of the HTTP answer with which it was refused.
"""

import asyncio
import json
import ssl
import sys

import httpx
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client


async def converse(session, tool, arguments):
    welcome = await session.initialize()
    listed = await session.list_tools()
    result = await session.call_tool(tool, arguments)
    return {
        "server": welcome.serverInfo.name,
        "tools": sorted(tool.name for tool in listed.tools),
        "error": bool(result.isError),
        "text": "".join(part.text for part in result.content),
    }


async def main(url, ca, certificate, key, tool, arguments):
    tls = ssl.create_default_context(cafile=ca)
    tls.load_cert_chain(certificate, key)
    refusals = []

    async def note(response):
        if response.is_error:
            body = (await response.aread()).decode()
            refusals.append({"status": response.status_code, "body": body})

    hooks = {"response": [note]}
    async with httpx.AsyncClient(verify=tls, timeout=30, event_hooks=hooks) as http:
        try:
            async with streamable_http_client(url, http_client=http) as (read, write, *_):
                async with ClientSession(read, write) as session:
                    outcome = await converse(session, tool, json.loads(arguments))
        except Exception:
            if not refusals:
                raise
            outcome = refusals[0]
    print(json.dumps(outcome))


asyncio.run(main(*sys.argv[1:]))
