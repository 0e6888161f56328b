import { InteractorStream, StreamError, type Message, type StreamEvent, type StreamStatus } from "@interactor/browser";

const messages: Message[] = [];
function show(event: StreamEvent): string {
  switch (event.type) {
    case "message.delta":
      return event.content ?? "";
    case "message.complete":
      messages.push(event.message);
      return event.message.role === "assistant" ? `${event.message.content}` : "";
    case "tool_call.start":
    case "tool_call.complete":
      return `${event.tool_call.tool_id} ${JSON.stringify(event.tool_call.arguments)}: ${event.tool_call.status}`;
    case "workflow.state_changed":
      return event.state;
    case "workflow.halted":
      return (event.presentation?.fields ?? []).map((field) => field.label ?? field.name).join();
    case "error":
      return typeof event.error === "string" ? event.error : event.error.message ?? "";
    default:
      const nothing: never = event;
      return nothing;
  }
}
let status: StreamStatus = "closed";
const stream = new InteractorStream({
  onEvent: (event) => console.log(show(event)),
  onError: (error) => console.log(error.isFinal, error.status?.toFixed(), error instanceof StreamError),
  onStatus: (now) => (status = now),
  reconnectInterval: 500,
  headers: async () => ({ Authorization: "Bearer x" }),
});
stream.connect("/interactor/rooms/room_1/stream");
console.log(stream.isConnected, stream.events.length, stream.streamingContent, stream.lastEventId, status);
stream.disconnect();
