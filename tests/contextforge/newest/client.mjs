// The MCP client of npm with a certificate: what it is called with, does and prints is that of client.py.

import { readFileSync } from "node:fs";
import { Agent, fetch } from "undici";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, ca, certificate, key, ...tools] = process.argv.slice(2);
const numbers = { a: 19, b: 23 };
const dispatcher = new Agent({
  connect: { ca: readFileSync(ca), cert: readFileSync(certificate), key: readFileSync(key) },
});
const refused = [];

async function asked(input, init) {
  const response = await fetch(input, { ...init, dispatcher });
  if (!response.ok && init?.method === "POST") refused.push(response.status);
  return response;
}

const client = new Client({ name: "test", version: "1" });
await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch: asked }));
const listed = await client.listTools();
let progress = 0;
const calls = {};
for (const name of tools) {
  const before = refused.length;
  try {
    const options = { onprogress: () => (progress += 1) };
    const result = await client.callTool({ name, arguments: numbers }, undefined, options);
    calls[name] = result.content.map((part) => part.text).join("");
  } catch (error) {
    if (refused.length === before) throw error;
    calls[name] = refused.at(-1);
  }
}
await client.notification({ method: "notifications/cancelled", params: { requestId: 1, reason: "never mind" } });
await client.ping();
const names = listed.tools.map((tool) => tool.name).sort();
console.log(JSON.stringify({ tools: names, calls, progress, ping: true, refused }));
await client.close();
await dispatcher.close();
