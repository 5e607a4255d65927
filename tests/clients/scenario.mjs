// Takes an agent through the steps on standard input, and prints one line of JSON for each: what the agent saw.
// The twin of scenario.py, for Node.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

// Longer than any step takes; a client that waits for an answer that never comes must not keep the others waiting.
const STEP_TIMEOUT_MS = 15_000;

// What the user enters in every field of a form, and what the model says, when the server asks.
const ENTERED = "Ada";
const SAID = "Paris";

// Finds packages in the working directory, where `make node` has installed them, and not beside this script.
export const packages = createRequire(`${process.cwd()}/`);

export const capabilities = { elicitation: {}, sampling: {} };

// What to spawn, as the parameters of the client libraries, where the first argument of an agent names a command, as a
// list in JSON, instead of a URL.
export function command(where) {
  if (!where.startsWith("[")) return undefined;
  const [program, ...args] = JSON.parse(where);
  // Libraries pass on little of the environment by themselves.
  return { command: program, args, env: process.env };
}

// What the user answers.
export function elicit({ params }) {
  const fields = Object.keys(params.requestedSchema.properties);
  return { action: "accept", content: Object.fromEntries(fields.map((field) => [field, ENTERED])) };
}

// What the model answers.
export function sample() {
  return { role: "assistant", content: { type: "text", text: SAID }, model: "none" };
}

// Do every step, whatever became of the one before. The agent is a connected client, which does some things
// in its own way: `version()`, and `call(params, options)` for a tool.
export async function run(client, { version, call }) {
  for (const step of JSON.parse(readFileSync(0, "utf8"))) {
    let seen;
    try {
      seen = await withinTime(perform(step, client, version, call));
    } catch (error) {
      seen = { failed: `${error.name}: ${error.message}` };
    }
    console.log(JSON.stringify(seen));
  }
}

async function perform({ do: what, name, arguments: args = {} }, client, version, call) {
  switch (what) {
    case "connection":
      return { server: client.getServerVersion().name, version: version() };
    case "list_tools":
      return { tools: (await client.listTools()).tools.map((tool) => tool.name) };
    case "call_tool":
      return shown(await call({ name, arguments: args }));
    case "call_with_progress": {
      const progress = [];
      const result = await call({ name, arguments: {} }, { onprogress: (seen) => progress.push(seen.progress) });
      return { ...shown(result), progress };
    }
    case "cancel":
      return cancel(name, call);
    case "read_resource":
      return { text: (await client.readResource({ uri: name })).contents[0].text };
    case "get_prompt":
      return { text: (await client.getPrompt({ name })).messages[0].content.text };
    default:
      throw new Error(`unknown step ${what}`);
  }
}

function shown({ isError = false, content }) {
  return { is_error: isError, text: content.map((block) => (block.type === "text" ? block.text : "")).join("") };
}

// Give a call up once it reports progress, and so is known to run.
async function cancel(name, call) {
  const abort = new AbortController();
  try {
    await call({ name, arguments: {} }, { signal: abort.signal, onprogress: () => abort.abort() });
  } catch (error) {
    if (!abort.signal.aborted) throw error;
    return { cancelled: true };
  }
  return { cancelled: false };
}

async function withinTime(promise) {
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${STEP_TIMEOUT_MS} ms`)), STEP_TIMEOUT_MS);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
