// A request as a command of curl, and as Python of the SDK. Secrets are variables of the environment.

const LEFT_OUT = ["accept-encoding", "connection", "content-length", "host", "user-agent"];
const CORE = "/api/v1";

/** A command for a shell, with $INTERACTOR_ACCESS_TOKEN for the token. */
export function asCurl({ method, path, query, headers, request }) {
  const lines = [`curl -X ${method} ${quoted(location.origin + encodeURI(path) + (query && `?${query}`))}`];
  for (const [name, value] of Object.entries(headers)) {
    if (name === "authorization") lines.push(`-H "Authorization: Bearer $INTERACTOR_ACCESS_TOKEN"`);
    else if (!LEFT_OUT.includes(name) && value !== "***") lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  }
  if (request.text) lines.push(`--data-raw ${quoted(compact(request.text))}`);
  return lines.join(" \\\n  ");
}

/** A program with the client of the environment's settings; null for what no client sends so. */
export function asPython({ method, path, query, namespace, request, operation }) {
  if (!operation || !path.startsWith(CORE) || operation.startsWith("stream_")) return null;
  const view = namespace ? `get_client().namespace(${literal(namespace)})` : "get_client()";
  const given = [literal(method), literal(encodeURI(path.slice(CORE.length)))];
  if (query) given.push(`params=${literal(Object.fromEntries(new URLSearchParams(query)))}`);
  if (request.text) given.push(`json=${literal(JSON.parse(request.text))}`);
  return `from interactor_ext import get_client\n\nuser = ${view}\nprint(user.request(${given.join(", ")}).text)\n`;
}

function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function compact(text) {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}

/** A value of JSON as Python writes it; strings of JSON are strings of Python. */
function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${literal(item)}`).join(", ")}}`;
}
