// A day with an MCP client: find, read, create, edit, merge, play, restore, delete. mcp_flow.py is the same.
// Run as: node mcp_flow.ts CLIENT ADDRESS KEY

import { Client as LatestClient, StreamableHTTPClientTransport as LatestTransport } from "@modelcontextprotocol/client";
import { Client as Client2025 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as Transport2025 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

declare const process: { argv: string[] };

type Data = Record<string, any>;
type Client = LatestClient | Client2025;

/** The resources on a page: the service under test has more. */
const LIST_SIZE = 50;
/** The time after which the history has to know of a version: it is recorded beside the call. */
const HISTORY_MS = 30_000;

const [kind = "", address = "", key = ""] = process.argv.slice(2);
const name = `Made by TypeScript's ${kind}`;

function equal<T>(found: T, expected: T, what: string): void {
  if (JSON.stringify(found) !== JSON.stringify(expected)) throw new Error(`${what} is ${found}, not ${expected}`);
}

/** A client of this kind, connected, in the revision that it is to speak. */
async function connected(): Promise<Client> {
  const url = new URL(`${address}/mcp`);
  const options = { requestInit: { headers: { "X-Api-Key": key } } };
  const info = { name: "flow", version: "1" };
  if (kind === "sdk") {
    const client = new Client2025(info);
    const transport = new Transport2025(url, options);
    await client.connect(transport);
    equal(transport.protocolVersion, "2025-11-25", "the revision");
    return client;
  }
  const client = new LatestClient(info, { versionNegotiation: { mode: "auto" } });
  await client.connect(new LatestTransport(url, options));
  equal(client.getNegotiatedProtocolVersion(), "2026-07-28", "the revision");
  return client;
}

const client = await connected();
equal(client.getServerVersion()?.name, "personas", "the server's name");

async function call(tool: string, args: Data): Promise<Data> {
  return await client.callTool({ name: tool, arguments: args });
}

async function told(tool: string, args: Data): Promise<Data> {
  const answer = await call(tool, args);
  if (answer.isError || !answer.structuredContent) throw new Error(`${tool}: ${JSON.stringify(answer)}`);
  return answer.structuredContent;
}

async function refused(tool: string, args: Data): Promise<string> {
  const answer = await call(tool, args);
  equal(answer.isError, true, `isError of ${tool}`);
  return answer.content[0].text;
}

/** All resources, page by page; the latest client turns the pages by itself where it is given no cursor. */
async function resources(): Promise<string[]> {
  let page = await client.listResources();
  const uris = page.resources.map((each) => each.uri);
  while (page.nextCursor) {
    page = await client.listResources({ cursor: page.nextCursor });
    uris.push(...page.resources.map((each) => each.uri));
  }
  return uris;
}

// The lists
equal((await client.listTools()).tools.length, 9, "the number of tools");
equal((await client.listPrompts()).prompts.map((each) => each.name), ["play_persona"], "the prompts");
const listed = await resources();
equal(new Set(listed).size, listed.length, "the number of different resources");
equal(listed.length > LIST_SIZE, true, "more than a page of resources");

// One is found, and read
const found = await told("find_personas", { query: "first-year student" });
equal(found.total, 1, "the number found");
const leila = await told("read_persona", { persona_id: found.personas[0].persona_id });
equal(leila.name.startsWith("Leila Haddad"), true, "the name read");

// One is created, and edited by two: the second is told what stands there, and merges another field
const fields = { instructions: "Check types.", color: leila.color, icon: leila.icon, active_flag: true };
const { persona_id } = await told("create_persona", { name, description: "First.", ...fields });
equal((await told("read_persona", { persona_id })).version, 1, "the version created");
const edit = { persona_id, expected_version: 1 };
equal((await told("edit_persona", { ...edit, description: "Second." })).version, 2, "the version edited");
equal((await refused("edit_persona", { ...edit, description: "Late." })).includes('"Second."'), true, "what is stored");
const { version, merged } = await told("edit_persona", { ...edit, instructions: "Check them all." });
equal([version, merged], [3, true], "the merge");

// It is played, by a name that the client completes, and read as a resource
const { completion } = await client.complete({
  ref: { type: "ref/prompt", name: "play_persona" },
  argument: { name: "persona", value: name.slice(0, -1) },
});
equal(completion.values, [name], "the completion");
const played = await client.getPrompt({ name: "play_persona", arguments: { persona: name } });
equal(JSON.stringify(played.messages[0]).includes("Check them all."), true, "the part played");
const uri = `persona://${persona_id}`;
equal((await resources()).includes(uri), true, "a new resource in the list");
const [page] = (await client.readResource({ uri })).contents;
equal(page && "text" in page && page.text.startsWith(`# ${name}\n\nSecond.\n`), true, "the resource");

// An earlier version comes back once the history knows of them all, and then the persona goes
const patience = Date.now() + HISTORY_MS;
while ((await told("persona_history", { persona_id })).versions.length < 3) {
  equal(Date.now() < patience, true, "a history in time");
  await new Promise((resolve) => setTimeout(resolve, 100));
}
equal((await told("restore_persona", { persona_id, version: 1 })).version, 4, "the version restored");
equal((await told("read_persona", { persona_id })).instructions, "Check types.", "the instructions restored");
await told("delete_persona", { persona_id });
equal((await refused("read_persona", { persona_id })).includes("find_personas"), true, "the way on from what is gone");
await client.close();
