import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { InteractorChat, useInteractorChat } from "@interactor/browser/react";

const root = document.getElementById("root");
function Page({ room }) {
  const { messages, status, isWriting, send, stop } = useInteractorChat({ room });
  window.own = { send, stop };
  const said = messages.map(({ role, content, state }) => [role, content.trim(), state]);
  return (
    <>
      <output>{JSON.stringify({ status, isWriting, said })}</output>
      <InteractorChat room={room} renderMarkdown={(text) => <em>{text.toUpperCase()}</em>} />
    </>
  );
}
createRoot(root).render(<StrictMode><Page room={root.dataset.room} /></StrictMode>);
