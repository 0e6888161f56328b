import { useEffect } from "react";
import { InteractorChatElement } from "@interactor/browser/chat";
import { InteractorChat, useInteractorChat, useInteractorStream } from "@interactor/browser/react";
import { renderMarkdown } from "@interactor/browser/markdown";
import { ChatSession, type ChatMessage } from "@interactor/browser/session";
import { useRef } from "react";

export function Page() {
  const chat = useRef<InteractorChatElement>(null);
  const { messages, send } = useInteractorChat({ room: "room_1" });
  const row = ({ key, content }: ChatMessage) => <p key={key} onClick={() => send(content)}>{content}</p>;
  return (
    <>
      {messages.map(row)}
      <InteractorChat ref={chat} aria-label="Support" room="room_1" onEvent={(event) => console.log(event.type)}>
        <h2 slot="header">Support</h2>
      </InteractorChat>
      <InteractorChat room="room_1" renderMarkdown={(text) => <em>{text}</em>} toolLabels={{ get_order: "Order" }} />
      <InteractorChat room="room_1" renderMath={(text, isBlock) => new Text(`${text}${isBlock}`)} highlightCode={(code) => new Text(code)} />
      <interactor-chat room="room_1" assistant-name="Ada" tools="hidden" keep-open="" feedback />
      <interactor-rooms assistant="asst_1" for="chat" aria-label="Conversations" />
    </>
  );
}
new ChatSession({ room: "room_1", onChange: () => document.body.append(renderMarkdown("**Hello**")) }).open();
document.querySelector<InteractorChatElement>("interactor-chat")!.credentials = "include";

export function Answer({ room }: { room: string }) {
  const { connect, disconnect, isConnected, events, streamingContent } = useInteractorStream({
    onEvent: (event) => event.type === "message.complete" && console.log(event.message.content),
    onError: (error: Error) => console.log(error.message),
    autoReconnect: true,
  });
  useEffect(() => connect(`/interactor/rooms/${room}/stream`), [connect, room]);
  return <p onClick={disconnect}>{isConnected ? streamingContent : events.length}</p>;
}
