/**
 * The page of the hostile extension: it takes the port raw and leaves it lying about, so that a test can say anything over it.
 *
 * Invariant: it is polite until it is told otherwise: it answers `ready` (but not at `/silent`), keeps all else that the host says and asks for nothing.
 */
const heard: unknown[] = [];
Object.assign(globalThis, { heard });

addEventListener("message", (event: MessageEvent<{ id: string; payload: { path: string } }>) => {
  const [port] = event.ports;
  if (port === undefined) return;
  heard.push(event.data);
  port.addEventListener("message", (next: MessageEvent<{ type: string }>) => {
    if (next.data.type === "ready") port.postMessage(next.data);
    else heard.push(next.data);
  });
  port.start();
  Object.assign(globalThis, { port });
  if (event.data.payload.path !== "/silent") port.postMessage({ althing: true, v: 1, id: event.data.id, type: "ready", payload: {} });
});
