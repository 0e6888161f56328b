import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

import { InteractorChat } from "@interactor/browser/react";

import "./page.css";

async function request(method, body) {
  const headers = body && { "Content-Type": "application/json" };
  const answer = await fetch("/session", { method, headers, body: body && JSON.stringify(body) });
  return answer.json();
}

function Shop() {
  // Undefined until it is known whether somebody is signed in, and then null if nobody is.
  const [session, setSession] = useState();
  useEffect(() => {
    request("GET").then(setSession);
  }, []);
  const signIn = (user) => request("POST", { user }).then(setSession);
  const signOut = () => request("DELETE").then(setSession);
  return (
    <>
      <h1>Shop</h1>
      {session === null && (
        <>
          <button onClick={() => signIn("alice")}>Sign in as Alice</button>
          <button onClick={() => signIn("bob")}>Sign in as Bob</button>
        </>
      )}
      {session && (
        <>
          <button onClick={signOut}>Sign out {session.user}</button>
          <InteractorChat room={session.room} endpoint="/interactor" className="chat" />
        </>
      )}
    </>
  );
}

createRoot(document.getElementById("root")).render(<Shop />);
