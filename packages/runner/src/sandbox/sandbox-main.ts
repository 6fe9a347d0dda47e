/**
 * The program of a sandbox process: takes one component, then calls, over a pipe at fd 3.
 *
 * It is hardened before it reads its first frame and knows nothing but what the service sends: no configuration, no environment,
 * no file. The service ends it by SIGKILL; it ends itself when the pipe closes or brings something that is no frame.
 */
import { Socket } from "node:net";
import { createGarbageWatch } from "./garbage.ts";
import { decodePayload, encodeFrame, FrameReader } from "./frames.ts";
import { Guest } from "./guest.ts";
import { harden } from "./hardening.ts";
import { type LoadedComponent, loadComponent } from "./loaded-component.ts";
import type { SandboxMessage, ServiceMessage } from "./messages.ts";

const mebibyte = 1024 * 1024;
const maxFrameBytes = 512 * mebibyte;

function startSandbox(pipe: Socket, seal: () => void): void {
  const reader = new FrameReader();
  const guests = new Map<string, Guest>();
  let component: LoadedComponent | undefined;
  let corked = false;

  const collectGarbage = createGarbageWatch({
    idleBytes: 96 * mebibyte,
    mostBytes: 192 * mebibyte,
    mostGuests: 240,
    collect: () => collect?.(),
  });

  const send = (message: SandboxMessage): void => {
    if (!corked) {
      corked = true;
      pipe.cork();
      queueMicrotask(() => {
        corked = false;
        pipe.uncork();
      });
    }
    pipe.write(encodeFrame(message));
  };

  const load = async (message: Extract<ServiceMessage, { type: "load" }>): Promise<void> => {
    try {
      component = await loadComponent(message);
      send({ type: "loaded" });
    } catch (error) {
      const detail = error instanceof Error ? error.message : "it cannot be loaded";
      send({ type: "refused", detail: detail.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 300) });
    } finally {
      seal();
    }
  };

  const call = async (message: Extract<ServiceMessage, { type: "call" }>): Promise<void> => {
    if (component === undefined) throw new TypeError("a call before the component");
    const guest = new Guest(component, message, send);
    guests.set(message.id, guest);
    const end = await guest.run();
    guests.delete(message.id);
    const fault = end.type === "killed" ? undefined : faultOfResult(end, message.limits.resultBytes);
    const { id, fuel, peakMemoryBytes } = end;
    send(fault === undefined ? end : { type: "killed", id, fuel, peakMemoryBytes, ...fault });
    collectGarbage(peakMemoryBytes, guests.size);
  };

  const take = (message: ServiceMessage): void => {
    if (message.type === "load") void load(message);
    else if (message.type === "call") call(message).catch(() => process.exit(70));
    else if (message.type === "answer") guests.get(message.id)?.answer(message);
    else if (message.type === "kill") guests.get(message.id)?.kill("cancelled", "ended by the service");
    else send({ type: "pong", count: message.count });
  };

  pipe.on("data", (chunk: Uint8Array) => {
    for (const payload of reader.push(chunk, maxFrameBytes)) take(decodePayload(payload) as ServiceMessage);
  });
  pipe.on("close", () => process.exit(0));
  pipe.on("error", () => process.exit(0));
  send({ type: "ready" });
}

/** Counts strings and bytes of a result (what holds them was paid for when it was lifted), and finds what no frame can carry. */
function faultOfResult(
  end: Extract<SandboxMessage, { type: "ok" | "error" }>,
  maxBytes: number,
): { readonly rule: "result" | "trap"; readonly detail: string } | undefined {
  const stack: unknown[] = [end.type === "ok" ? end.value : end.error];
  let bytes = 0;
  while (stack.length > 0) {
    const value = stack.pop();
    if (typeof value === "function" || typeof value === "symbol") return { rule: "trap", detail: "a result that is no value" };
    if (typeof value === "string") bytes += Buffer.byteLength(value);
    else if (value instanceof Uint8Array) bytes += value.length;
    else bytes += 8;
    if (bytes > maxBytes) return { rule: "result", detail: `a result of more than ${maxBytes} bytes` };
    if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
      for (const item of Object.values(value)) stack.push(item);
    }
  }
  return undefined;
}

/** Of `--expose-gc`; frozen intrinsics leave the name on the global object, where it can harm only this process. */
const collect = globalThis.gc;
process.on("uncaughtException", () => process.exit(70));
process.on("unhandledRejection", () => {});
const pipe = new Socket({ fd: 3 });
startSandbox(pipe, harden());
