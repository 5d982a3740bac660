// A day with the generated client: form, draft, conflict, create, search, export. The compiler is the first test of it.
// Run as: node flow.ts ADDRESS KEY

import createClient from "openapi-fetch";
import type { components, paths } from "./api.d.ts";

declare const process: { argv: string[]; exitCode: number };

type Schemas = components["schemas"];

const [address = "", key = ""] = process.argv.slice(2);
const api = createClient<paths>({ baseUrl: address, headers: { "X-Api-Key": key } });

function equal<T>(found: T, expected: T, what: string): void {
  if (found !== expected) throw new Error(`${what} is ${found}, not ${expected}`);
}

/** The answer of a call that has to succeed. */
function answered<T>(call: { data?: T; error?: unknown }): T {
  if (call.data === undefined) throw new Error(`the call failed: ${JSON.stringify(call.error)}`);
  return call.data;
}

const form = answered(await api.POST("/api/v5/artifacts/personas/get", { body: {} }));
equal(form.persona_exists, false, "persona_exists of a blank form");
const color = form.colors?.resources?.[0];
const icon = form.icons?.resources?.[0];
if (!color || !icon) throw new Error("the demo has colors and icons");

const draft = answered(await api.PATCH("/api/v5/artifacts/personas/draft", { body: { name: "Typed in TypeScript" } }));
equal(draft.new_version, 1, "version of a new draft");

const late = await api.PATCH("/api/v5/artifacts/personas/draft", {
  body: { input_draft_id: draft.draft_id, expected_version: 7, color_id: color.id },
});
equal(late.response.status, 409, "status of a conflict");
if (!late.error || !("code" in late.error)) throw new Error("a conflict is a problem");
equal(late.error.code, "version_conflict", "code of a conflict");
equal(late.error.current_version, 1, "current_version of a conflict");

const item: Schemas["CreatePersonaItem"] = {
  name: "Typed in TypeScript",
  description: "Made by a client that nobody wrote.",
  instructions: "Play somebody who checks types.",
  color_id: color.id,
  icon_id: icon.id,
};
const created = answered(await api.POST("/api/v5/artifacts/personas/create", { body: { personas: [item] } }));
const made: string | null | undefined = created.results[0]?.persona_id;
if (!made) throw new Error("a created persona has an id");

const page = answered(
  await api.POST("/api/v5/artifacts/personas/search", { body: { search: "in typescript", page_size: 24 } }),
);
equal(page.total_count, 1, "total_count of a search");
equal(page.personas?.[0]?.persona_id, made, "the persona found");
answered(await api.POST("/api/v5/artifacts/personas/search", { body: {} }));

const file = answered(await api.POST("/api/v5/artifacts/personas/export", { body: { search: "in typescript" } }));
const rows = await fetch(`${address}/api/v5/uploads/${file.upload_id}/download`, { headers: { "X-Api-Key": key } });
equal(rows.status, 200, "status of a download");
equal((await rows.text()).includes("Typed in TypeScript"), true, "the file names the persona");

answered(await api.POST("/api/v5/artifacts/personas/delete", { body: { persona_ids: [made] } }));
