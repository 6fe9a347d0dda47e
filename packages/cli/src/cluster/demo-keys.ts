/**
 * The keys of the demonstration: a digit takes that node down or brings it back, `s` shows the state, `q` ends.
 *
 * Invariant: one key is worked on at a time, in the order pressed; what a key does is told before and after. Without a terminal the same letters
 * are read from standard input, so that it can be driven by a program; the end of the input is no `q`: a demonstration goes on without it.
 */
import type { Readable } from "node:stream";
import type { LocalNode } from "./local-node.ts";

export interface DemoKeysOptions {
  readonly input: Readable & { readonly isTTY?: boolean; readonly setRawMode?: (raw: boolean) => unknown };
  readonly nodes: readonly LocalNode[];
  readonly say: (text: string) => void;
  readonly showStatus: () => Promise<void>;
}

const interrupt = "\u0003";
const endOfText = "\u0004";

async function toggle(node: LocalNode, say: (text: string) => void): Promise<void> {
  const { name } = node.node;
  if (node.isRunning()) {
    await node.kill();
    say(`${name} was killed; press ${name.slice(1)} again to start it`);
    return;
  }
  say(`${name} starts`);
  node.launch();
  await node.ready();
  say(`${name} is ready`);
}

/** Resolves when `q` or Ctrl-C was pressed. */
export function followKeys({ input, nodes, say, showStatus }: DemoKeysOptions): Promise<void> {
  let work: Promise<void> = Promise.resolve();
  const enqueue = (step: () => Promise<void>): void => {
    work = work.then(step).catch((error: unknown) => say(error instanceof Error ? error.message : String(error)));
  };
  if (input.isTTY === true) input.setRawMode?.(true);
  return new Promise((resolve) => {
    const onData = (chunk: Buffer | string): void => {
      for (const key of chunk.toString()) {
        const node = nodes[Number(key) - 1];
        if (key === "q" || key === interrupt || key === endOfText) {
          input.off("data", onData);
          input.pause();
          if (input.isTTY === true) input.setRawMode?.(false);
          void work.then(resolve);
          return;
        }
        if (node !== undefined) enqueue(() => toggle(node, say));
        else if (key === "s") enqueue(showStatus);
      }
    };
    input.on("data", onData);
  });
}
