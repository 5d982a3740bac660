"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const dress = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", dress);
dress();

// A key is easily pasted into the field for tokens, which comes first. It is sent as what it is.
const keyWhereItBelongs = (request) => {
  const [, key] = /^Bearer (psk\..*)$/.exec(request.headers.Authorization ?? "") ?? [];
  if (key) {
    delete request.headers.Authorization;
    request.headers["X-Api-Key"] = key;
  }
  return request;
};

// Swagger UI goes through the whole document when it loads and for each operation that is unfolded, for a second and
// more. This puts in place of references, which all lead to components of the document, what they lead to.
const resolved = (value, document, within = []) => {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((each) => resolved(each, document, within));
  const { $ref: reference, ...beside } = value;
  if (typeof reference === "string" && !within.includes(reference)) {
    const target = reference.slice("#/".length).split("/").reduce((part, key) => part[key], document);
    return resolved({ ...target, ...beside, $$ref: reference }, document, [...within, reference]);
  }
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, resolved(each, document, within)]));
};
const resolveSubtree = async (document, path) => {
  const part = path.reduce((whole, key) => whole?.[key], document);
  return { spec: resolved(part, document), errors: [] };
};

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: true,
  plugins: [{ fn: { resolveSubtree } }],
  requestInterceptor: keyWhereItBelongs,
  tryItOutEnabled: true,
  validatorUrl: null, // it would be asked on the internet
});
