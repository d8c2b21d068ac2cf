"""The newest MCP client of PyPI with a certificate: client.py URL CA CERTIFICATE KEY TOOL…

Initializes, lists the tools, calls each with 19 and 23, takes one call back, and pings. Prints one line of JSON: `tools`,
`calls` (of each tool its text, or the status of the answer with which it was refused), `progress` and `ping`.
"""

import asyncio
import json
import ssl
import sys

import httpx2
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client

NUMBERS = {"a": 19, "b": 23}
PATIENCE = 20  # seconds


async def call(session, tool, statuses, progress):
    async def note(*_):
        progress.append(tool)

    before = len(statuses)
    try:
        result = await asyncio.wait_for(session.call_tool(tool, NUMBERS, progress_callback=note), PATIENCE)
    except Exception:
        if len(statuses) == before:
            raise
        return statuses[-1]
    return "".join(part.text for part in result.content)


async def converse(session, tools, statuses):
    await session.initialize()
    listed = await session.list_tools()
    progress = []
    calls = {tool: await call(session, tool, statuses, progress) for tool in tools}
    cancelled = types.CancelledNotificationParams(request_id=1, reason="never mind")
    await session.send_notification(types.CancelledNotification(params=cancelled))
    await session.send_ping()
    return {"tools": sorted(tool.name for tool in listed.tools), "calls": calls, "progress": len(progress), "ping": True}


async def main(url, ca, certificate, key, *tools):
    tls = ssl.create_default_context(cafile=ca)
    tls.load_cert_chain(certificate, key)
    statuses = []

    async def note(response):
        if response.is_error and response.request.method == "POST":
            statuses.append(response.status_code)

    async with httpx2.AsyncClient(verify=tls, timeout=30, event_hooks={"response": [note]}) as http:
        async with streamable_http_client(url, http_client=http) as (read, write, *_):
            async with ClientSession(read, write) as session:
                outcome = await converse(session, tools, statuses)
    print(json.dumps(outcome | {"refused": statuses}))


asyncio.run(main(*sys.argv[1:]))
