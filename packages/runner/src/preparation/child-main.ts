/**
 * The disposable child that prepares one component: reads one frame from standard input, writes one to standard output, ends.
 *
 * Started under the permission model by child-process.ts: no network, no file writes, no processes, no workers, no addons. The
 * transpiler is loaded before the component arrives, so that a warm child answers fast. Its system interface is the in-process
 * build of the shim: the one for Node starts a worker thread.
 */
import { registerHooks } from "node:module";
import { isAppError } from "@althing/contract";
import { decodeContent, encodeFrame, frameHeadBytes, printable, requestSchema } from "./child-protocol.ts";
import type { TranspileRequest } from "./transpile.ts";

registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier, specifier.startsWith("@bytecodealliance/preview2-shim/") ? { ...context, conditions: ["import", "default"] } : context),
});

// Standard output belongs to the answer; what a panicking transpiler prints goes nowhere.
for (const method of ["log", "info", "debug", "warn", "error"] as const) console[method] = () => undefined;

async function readRequest(): Promise<TranspileRequest | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    if (!(chunk instanceof Buffer)) return undefined;
    chunks.push(chunk);
    length += chunk.length;
  }
  if (length < frameHeadBytes) return undefined;
  const content = Buffer.concat(chunks).subarray(frameHeadBytes);
  const { worlds, ...rest } = requestSchema.parse(decodeContent(content));
  return { ...rest, worlds: worlds.map(({ functions, ...lists }) => (functions === undefined ? lists : { ...lists, functions })) };
}

function refusal(error: unknown): object {
  const detail = isAppError(error)
    ? String(error.params["detail"] ?? "")
    : error instanceof Error
      ? `${error.name}: ${error.message}`
      : "unknown";
  const rule = isAppError(error) ? String(error.params["rule"] ?? "") : "preparation.crashed";
  return { ok: false, rule, detail: printable(detail) };
}

const { loadTranspiler, transpileComponent } = await import("./transpile.ts");
const [request] = await Promise.all([readRequest(), loadTranspiler()]);
if (request !== undefined) {
  const answer = await transpileComponent(request).then((result) => ({ ok: true, ...result }), refusal);
  process.stdout.write(encodeFrame(answer), () => process.exit(0));
}
