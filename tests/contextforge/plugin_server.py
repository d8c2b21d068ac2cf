"""A plugin server of ContextForge's own framework: serve.py plugin_server:application PORT

Its one plugin refuses every call of a tool in which an argument is 13. PLUGIN_LOG names a file in which it enters the
headers of each request to it, one line of JSON each.
"""

import json
import os
import tempfile
from pathlib import Path

from cpex.framework import Plugin, PluginViolation, ToolPreInvokeResult
from cpex.framework.constants import GET_PLUGIN_CONFIG, GET_PLUGIN_CONFIGS, INVOKE_HOOK
from cpex.framework.external.mcp.server import ExternalPluginServer, runtime
from mcp.server.fastmcp import FastMCP


class NoThirteen(Plugin):
    async def tool_pre_invoke(self, payload, context):
        if 13 not in (payload.args or {}).values():
            return ToolPreInvokeResult(continue_processing=True)
        violation = PluginViolation(reason="unlucky", description="13 is refused", code="THIRTEEN")
        return ToolPreInvokeResult(continue_processing=False, violation=violation)


def entries(names):
    """One plugin under each name under which a gateway may ask for it."""
    kind = "plugin_server.NoThirteen"
    return [{"name": name, "kind": kind, "hooks": ["tool_pre_invoke"], "mode": "sequential"} for name in names]


def logged(application):
    async def log(scope, receive, send):
        if scope["type"] == "lifespan" and not await runtime.SERVER.initialize():
            raise SystemExit("the plugins do not load")
        if scope["type"] == "http":
            headers = [[name.decode(), value.decode()] for name, value in scope["headers"]]
            with open(os.environ["PLUGIN_LOG"], "a") as file:
                print(json.dumps(headers), file=file)
        await application(scope, receive, send)

    return log


def plugin_server():
    config = Path(tempfile.mkdtemp()) / "plugins.yaml"
    # JSON is YAML.
    config.write_text(json.dumps({"plugins": entries(["direct", "egress"]), "plugin_dirs": [], "plugin_settings": {}}))
    runtime.SERVER = ExternalPluginServer(config_path=str(config))
    # Behind Envoy its Host is the one that the gateway wrote.
    server = FastMCP("plugins", host="0.0.0.0", stateless_http=True)
    server.tool(name=GET_PLUGIN_CONFIGS)(runtime.get_plugin_configs)
    server.tool(name=GET_PLUGIN_CONFIG)(runtime.get_plugin_config)
    server.tool(name=INVOKE_HOOK)(runtime.invoke_hook)
    return logged(server.streamable_http_app())


application = plugin_server()
