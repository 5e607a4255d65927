// Loaded into the suite's process before the suite, which has no option for headers: adds the grant's token
// to every request that it makes, by fetch, undici or node:http, and changes nothing else.
import { subscribe } from "node:diagnostics_channel";

const authorization = `Bearer ${process.env.CONFORMANCE_TOKEN}`;

subscribe("undici:request:create", ({ request }) => request.addHeader("Authorization", authorization));
subscribe("http.client.request.created", ({ request }) => request.setHeader("Authorization", authorization));
