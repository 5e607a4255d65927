// An agent on `@modelcontextprotocol/sdk` 1: URL TOKEN, and steps on standard input.
import { capabilities, elicit, packages, run, sample } from "./scenario.mjs";

const { Client } = packages("@modelcontextprotocol/sdk/client");
const { StreamableHTTPClientTransport } = packages("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { CreateMessageRequestSchema, ElicitRequestSchema } = packages("@modelcontextprotocol/sdk/types.js");

const [url, token] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
const client = new Client({ name: "agent", version: "1" }, { capabilities });
client.setRequestHandler(ElicitRequestSchema, elicit);
client.setRequestHandler(CreateMessageRequestSchema, sample);
await client.connect(transport);
await run(client, {
  version: () => transport.protocolVersion,
  call: (params, options) => client.callTool(params, undefined, options),
});
await transport.terminateSession();
await client.close();
