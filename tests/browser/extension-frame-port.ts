/**
 * What the hostile page says over its port, from a test's hands.
 *
 * Invariant: everything is posted in the hostile document itself, as values that its own code could make.
 */
import type { Frame } from "playwright-core";
import { expect } from "vitest";

export const hostile = (type: string, payload: unknown, id = "x") => ({ althing: true, v: 1, id, type, payload });

export interface HostilePort {
  /** Posts values over the port as they are. */
  say(...values: readonly unknown[]): Promise<void>;
  /** Asks over the port and waits for the answer with the same id. */
  ask(payload: unknown): Promise<Record<string, unknown>>;
  /** The bridge still works: what was said before was taken in before this is answered. */
  expectAlive(): Promise<void>;
}

/** @param current the frame as it is now; it changes when the page is loaded again */
export function hostilePort(current: () => Frame): HostilePort {
  async function ask(payload: unknown): Promise<Record<string, unknown>> {
    return current().evaluate(
      async (message) => {
        const port: unknown = Reflect.get(globalThis, "port");
        if (!(port instanceof MessagePort)) throw new Error("no port");
        return new Promise<Record<string, unknown>>((resolve) => {
          const listen = (event: MessageEvent<{ id: string; payload: Record<string, unknown> }>) => {
            if (event.data.id !== message.id) return;
            port.removeEventListener("message", listen);
            const { body, ...rest } = event.data.payload;
            resolve({ ...rest, ...(body instanceof Uint8Array ? { text: new TextDecoder().decode(body) } : {}) });
          };
          port.addEventListener("message", listen);
          port.postMessage(message);
        });
      },
      hostile("call", payload, crypto.randomUUID()),
    );
  }
  return {
    ask,
    async say(...values) {
      await current().evaluate((list) => {
        const port: unknown = Reflect.get(globalThis, "port");
        if (!(port instanceof MessagePort)) throw new Error("no port");
        for (const value of list) port.postMessage(value);
      }, values);
    },
    async expectAlive() {
      expect(await ask({ method: "GET", path: "/items/alive" })).toMatchObject({ status: 200 });
    },
  };
}
