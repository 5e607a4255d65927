// An agent on `@modelcontextprotocol/client` 2: URL TOKEN MODE, where the mode is `legacy` (the library's default)
// or `auto` (modern), and steps on standard input.
import { capabilities, elicit, packages, run, sample } from "./scenario.mjs";

const { Client, StreamableHTTPClientTransport } = packages("@modelcontextprotocol/client");

const [url, token, mode] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
const client = new Client({ name: "agent", version: "1" }, { capabilities, versionNegotiation: { mode } });
client.setRequestHandler("elicitation/create", elicit);
client.setRequestHandler("sampling/createMessage", sample);
await client.connect(transport);
await run(client, {
  version: () => client.getNegotiatedProtocolVersion(),
  call: (params, options) => client.callTool(params, options),
});
await transport.terminateSession();
await client.close();
