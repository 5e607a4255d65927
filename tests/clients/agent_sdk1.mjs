// An agent on `@modelcontextprotocol/sdk` 1: WHERE TOKEN TRANSPORT, where the transport is `http` or `sse`, and steps on
// standard input. WHERE is a URL, or a command.
import { capabilities, command, elicit, packages, run, sample } from "./scenario.mjs";

const { Client } = packages("@modelcontextprotocol/sdk/client");
const { SSEClientTransport } = packages("@modelcontextprotocol/sdk/client/sse.js");
const { StreamableHTTPClientTransport } = packages("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { StdioClientTransport } = packages("@modelcontextprotocol/sdk/client/stdio.js");
const { CreateMessageRequestSchema, ElicitRequestSchema } = packages("@modelcontextprotocol/sdk/types.js");

const [where, token, way] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const spawned = command(where);
const Transport = way === "sse" ? SSEClientTransport : StreamableHTTPClientTransport;
const transport = spawned
  ? new StdioClientTransport(spawned)
  : new Transport(new URL(where), { requestInit: { headers } });
// The transport over stdio does not keep what it is told.
if (spawned) transport.setProtocolVersion = (version) => (transport.protocolVersion = version);
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
