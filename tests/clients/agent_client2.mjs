// An agent on `@modelcontextprotocol/client` 2: WHERE TOKEN MODE, where the mode is `legacy` (the library's default)
// or `auto` (modern), and steps on standard input. WHERE is a URL, or a command.
import { capabilities, command, elicit, packages, run, sample } from "./scenario.mjs";

const { Client, StreamableHTTPClientTransport } = packages("@modelcontextprotocol/client");
const { StdioClientTransport } = packages("@modelcontextprotocol/client/stdio");

const [where, token, mode] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const spawned = command(where);
const transport = spawned
  ? new StdioClientTransport(spawned)
  : new StreamableHTTPClientTransport(new URL(where), { requestInit: { headers } });
const client = new Client({ name: "agent", version: "1" }, { capabilities, versionNegotiation: { mode } });
client.setRequestHandler("elicitation/create", elicit);
client.setRequestHandler("sampling/createMessage", sample);
await client.connect(transport);
await run(client, {
  version: () => client.getNegotiatedProtocolVersion(),
  call: (params, options) => client.callTool(params, options),
});
if (!spawned) await transport.terminateSession();
await client.close();
