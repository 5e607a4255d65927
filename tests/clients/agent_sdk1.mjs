// An agent on `@modelcontextprotocol/sdk` 1: URL TOKEN TRANSPORT, where the transport is `http` or `sse`, and steps on
// standard input.
import { capabilities, elicit, packages, run, sample } from "./scenario.mjs";

const { Client } = packages("@modelcontextprotocol/sdk/client");
const { SSEClientTransport } = packages("@modelcontextprotocol/sdk/client/sse.js");
const { StreamableHTTPClientTransport } = packages("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { CreateMessageRequestSchema, ElicitRequestSchema } = packages("@modelcontextprotocol/sdk/types.js");

const [url, token, way] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const Transport = way === "sse" ? SSEClientTransport : StreamableHTTPClientTransport;
const transport = new Transport(new URL(url), { requestInit: { headers } });
const client = new Client({ name: "agent", version: "1" }, { capabilities });
client.setRequestHandler(ElicitRequestSchema, elicit);
client.setRequestHandler(CreateMessageRequestSchema, sample);
await client.connect(transport);
await run(client, {
  // The older transport keeps it to itself.
  version: () => transport.protocolVersion ?? transport._protocolVersion,
  call: (params, options) => client.callTool(params, undefined, options),
});
await transport.terminateSession?.();
await client.close();
