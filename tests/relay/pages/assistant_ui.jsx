import { useChat } from "@ai-sdk/react";
import { AssistantRuntimeProvider, ComposerPrimitive, MessagePrimitive, ThreadPrimitive } from "@assistant-ui/react";
import { useAISDKRuntime } from "@assistant-ui/react-ai-sdk";
import { InteractorChatTransport } from "@interactor/browser/ai-sdk";
import { createRoot } from "react-dom/client";

const root = document.getElementById("root");
const transport = new InteractorChatTransport({ room: root.dataset.room });
const components = { UserMessage: messageOf("user"), AssistantMessage: messageOf("assistant") };

function messageOf(role) {
  const parts = { tools: { Fallback: ({ toolName, status }) => <i>{`${toolName} ${status.type}`}</i> } };
  return () => (
    <MessagePrimitive.Root className={`message ${role}`}>
      <MessagePrimitive.Parts components={parts} />
    </MessagePrimitive.Root>
  );
}

function Chat({ messages }) {
  const runtime = useAISDKRuntime(useChat({ transport, messages, resume: true }));
  return (
    <AssistantRuntimeProvider runtime={runtime}>
      <ThreadPrimitive.Root>
        <ThreadPrimitive.Messages components={components} />
        <ComposerPrimitive.Root>
          <ComposerPrimitive.Input aria-label="Message" />
          <ComposerPrimitive.Send>Send</ComposerPrimitive.Send>
        </ComposerPrimitive.Root>
      </ThreadPrimitive.Root>
    </AssistantRuntimeProvider>
  );
}

const messages = await transport.loadMessages();
createRoot(root).render(<Chat messages={messages} />);
