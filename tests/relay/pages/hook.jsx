import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { useInteractorStream } from "@interactor/browser/react";

window.seen = [];

function Answer({ label }) {
  const { connect, disconnect, ...state } = useInteractorStream({
    onEvent: (event) => window.seen.push(`${label} ${event.content}`),
    onError: (error) => window.seen.push(`${label} ${error.status}`),
    reconnectInterval: 1,
  });
  useEffect(() => connect("/stream"), [connect]);
  return <output>{JSON.stringify({ label, ...state })}</output>;
}

function Page() {
  const [label, setLabel] = useState("first");
  const [isShown, setShown] = useState(true);
  Object.assign(window, { setLabel, setShown });
  return isShown && <Answer label={label} />;
}
createRoot(document.getElementById("root")).render(<StrictMode><Page /></StrictMode>);
