// Every operation of the contract, once, with the client that the TypeScript guide generates and the guide's own
// interactor.ts. Run in the folder that holds them.
import * as api from "./client";
import { createClient, createConfig } from "./client/client";
import { namespace } from "./interactor";

const client = namespace("user_1");
const throwOnError = true;
const settings = process.env as Record<string, string>;

const account = createClient(createConfig({ baseUrl: settings.INTERACTOR_ACCOUNT_SERVER_URL }));
const secrets = { client_id: settings.INTERACTOR_CLIENT_ID!, client_secret: settings.INTERACTOR_CLIENT_SECRET! };
const { data: token } = await api.createToken({
  client: account,
  throwOnError,
  body: { grant_type: "client_credentials", ...secrets },
});
const { data: jwks } = await api.getJwks({ client: account, throwOnError });
console.assert(jwks.keys.length > 0);
await api.revokeToken({ client: account, throwOnError, body: { token: token.data.access_token, ...secrets } });

const { data: flow } = await api.initiateOauth({
  client,
  throwOnError,
  body: { provider: "google", redirect_uri: "https://app.example.com/back" },
});
const consent = await fetch(`${flow.data.authorization_url}&decision=approve`, { redirect: "manual" });
const code = new URL(consent.headers.get("location")!).searchParams.get("code")!;
const { data: credential } = await api.completeOauth({
  client,
  throwOnError,
  body: { provider: "google", code, state: flow.data.state! },
});
const credentialPath = { client, throwOnError, path: { credential_id: credential.data.id } } as const;
await api.getOauthStatus({ client, throwOnError, path: { flow_id: flow.data.flow_id! } });
await api.listCredentials({ client, throwOnError, query: { provider: "google", status: "active" } });
await api.getCredential(credentialPath);
await api.getCredentialToken(credentialPath);
await api.refreshCredential(credentialPath);
await api.deleteCredential(credentialPath);

const { data: tool } = await api.createTool({
  client,
  throwOnError,
  body: { name: "get_time", description: "The time.", parameters: { type: "object", properties: {} } },
});
const toolPath = { client, throwOnError, path: { tool_id: tool.data.id } } as const;
await api.listTools({ client, throwOnError });
await api.getTool(toolPath);
await api.updateTool({ ...toolPath, body: { description: "The time now." } });

const { data: source } = await api.createDataSource({
  client,
  throwOnError,
  body: { name: "Orders", type: "database", config: { dsn: "postgres://orders" } },
});
const sourcePath = { client, throwOnError, path: { data_source_id: source.data.id } } as const;
await api.listDataSources({ client, throwOnError, query: { type: "database" } });
await api.getDataSource(sourcePath);
await api.updateDataSource({ ...sourcePath, body: { name: "All orders" } });
await api.syncDataSource(sourcePath);

const { data: bot } = await api.createAssistant({
  client,
  throwOnError,
  headers: { "Idempotency-Key": "one" },
  body: { name: "Bot", model: "gpt-4", system_prompt: "Help.", tools: [tool.data.id] },
});
const botPath = { client, throwOnError, path: { assistant_id: bot.data.id } } as const;
await api.listAssistants({ client, throwOnError });
await api.getAssistant(botPath);
await api.updateAssistant({ ...botPath, body: { temperature: 0.5 } });

const { data: room } = await api.createRoom({ client, throwOnError, body: { assistant_id: bot.data.id } });
const roomPath = { client, throwOnError, path: { room_id: room.data.id } } as const;
await api.listRooms({ client, throwOnError });
await api.getRoom(roomPath);
await api.updateRoom({ ...roomPath, body: { metadata: { vip: true } } });
const { data: asking } = await api.sendMessage({ ...roomPath, body: { content: "/tool get_time" } });
await api.submitToolResult({
  ...roomPath,
  body: { tool_call_id: asking.data.tool_calls![0]!.id, result: { time: "noon" } },
});
const { data: messages } = await api.listMessages({ ...roomPath, query: { order: "desc" } });
console.assert(messages.data[0]!.content === 'Bot here. get_time returned {"time": "noon"}.');

const { data: workflow } = await api.createWorkflow({
  client,
  throwOnError,
  body: {
    name: "Approval",
    initial_state: "review",
    states: [
      { name: "review", type: "halting", transitions: [{ to: "done", event: "skip" }, { to: "done", condition: "ok" }] },
      { name: "done", type: "terminal" },
    ],
  },
});
const workflowPath = { client, throwOnError, path: { workflow_id: workflow.data.id } } as const;
await api.listWorkflows({ client, throwOnError });
await api.getWorkflow(workflowPath);
const start = async () => {
  const body = { workflow_id: workflow.data.id };
  const { data } = await api.startWorkflowInstance({ client, throwOnError, body });
  return { client, throwOnError, path: { instance_id: data.data.id } } as const;
};
const first = await start();
await api.listWorkflowInstances({ client, throwOnError, query: { status: "halted" } });
await api.getWorkflowInstance(first);
await api.sendWorkflowThreadMessage({ ...first, body: { content: "Why?" } });
await api.getWorkflowThread(first);
await api.submitWorkflowInput({ ...first, body: { ok: true } });
const second = await start();
await api.triggerWorkflowEvent({ ...second, body: { event: "skip" } });
await api.cancelWorkflowInstance(await start());

const { data: hook } = await api.createWebhook({
  client,
  throwOnError,
  body: { url: "https://app.example.com/hooks", events: ["credential.expired"] },
});
const hookPath = { client, throwOnError, path: { webhook_id: hook.data.id! } } as const;
await api.listWebhooks({ client, throwOnError });
await api.getWebhook(hookPath);
await api.updateWebhook({ ...hookPath, body: { active: false } });
await api.rotateWebhookSecret(hookPath);
await api.deleteWebhook(hookPath);

// Each resumes after id 0, so that there is something to read.
const leave = new AbortController();
const resuming = { client, signal: leave.signal, headers: { "Last-Event-ID": "0" } };
const streams = [
  await api.streamRoom({ ...resuming, path: roomPath.path }),
  await api.streamWorkflowInstance({ ...resuming, path: first.path }),
];
for (const { stream } of streams) {
  for await (const event of stream) {
    console.assert(event !== undefined && "type" in event);
    break;
  }
}
leave.abort();

await api.deleteWorkflow(workflowPath);
await api.deleteRoom(roomPath);
await api.deleteAssistant(botPath);
await api.deleteDataSource(sourcePath);
await api.deleteTool(toolPath);
console.log("done");
