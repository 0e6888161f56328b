// Does over HTTP what Python programs do with the methods of a Sandbox. Run by test_sandbox_control.py.

const [base, receiver] = process.argv.slice(2);
const origin = new URL(base).origin;

async function call(method, path, body, headers = {}) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  headers = { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) };
  const response = await fetch(`${origin}${path}`, { method, headers, ...sent });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

const tell = (method, path, body) => call(method, `/_sandbox/${path}`, body);

await tell("POST", "reset");
await tell("POST", "clients", { client_id: "node", client_secret: "secret", namespaces: ["org_a"] });
const { data: token } = await call("POST", "/auth/api/v1/oauth/token", {
  grant_type: "client_credentials", client_id: "node", client_secret: "secret",
});
const api = (method, path, body) =>
  call(method, `/api/v1${path}`, body, { authorization: `Bearer ${token.access_token}`, "x-namespace": "org_a" });

await tell("POST", "clock", { frozen: true, advance: 60 });
await tell("PATCH", "delivery", { duplicate: 0, time_scale: 1 });
await api("POST", "/webhooks", { url: receiver, events: ["credential.connected"] });
const credential = await tell("POST", "credentials", { provider: "google", namespace: "org_a" });
await tell("POST", "wait-for-deliveries");
await tell("POST", "run-until-idle", { timeout: 60 });
const { deliveries } = await tell("GET", "deliveries?status=200");
await tell("POST", "deliveries", { what: deliveries[0].id });
await tell("POST", "wait-for-deliveries");

await tell("POST", "faults", { operation: "list_rooms", status: 502, body: "<html>", times: 1 });
const faulty = await api("GET", "/rooms").catch((error) => error.message);
await tell("POST", "replies", { say: "From nine to five." });
const bot = (await api("POST", "/assistants", { name: "B", model: "m", system_prompt: "" })).data.id;
const room = (await api("POST", "/rooms", { assistant_id: bot })).data.id;
const said = (await api("POST", `/rooms/${room}/messages`, { content: "Hours?" })).data.content;
const snapshot = await tell("GET", "snapshot");
await api("DELETE", `/rooms/${room}`);
await tell("POST", "snapshot", { snapshot });
const rooms = (await api("GET", "/rooms")).data.length;

const flow = (await api("POST", "/oauth/initiate", { provider: "google", redirect_uri: "https://a.test" })).data;
const location = await tell("POST", `flows/${flow.flow_id}/decide`, { approve: false });
await tell("POST", `credentials/${credential.id}/expire`);
const states = [{ name: "ask", type: "halting" }];
const workflow = (await api("POST", "/workflows", { name: "W", states, initial_state: "ask" })).data.id;
const instance = (await api("POST", "/workflow-instances", { workflow_id: workflow })).data.id;
const failed = await tell("POST", `workflow-instances/${instance}/fail`, { error: "No." });
await tell("POST", `streams/${room}`, { event: { type: "message.delta", content: "Hi" } });
const { open } = await tell("GET", "streams");
await tell("DELETE", "streams");
await tell("POST", "deprecations", { operation: "list_tools" });
await tell("POST", "events", { event: "credential.expired", namespace: "org_a" });
const seed = await tell("GET", "seed");
const { requests } = await tell("GET", "requests?operation=send_message");
const { emails } = await tell("GET", "emails");
await tell("DELETE", "tokens");
const refused = await api("GET", "/rooms").catch((error) => error.message);

console.log(JSON.stringify({
  deliveries: deliveries.length, faulty, said, rooms, location, failed: failed.error, open, seed: Object.keys(seed),
  requests: requests.length, emails, refused,
}));
