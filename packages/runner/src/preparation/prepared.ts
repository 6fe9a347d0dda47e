/**
 * What a prepared component is on disk, and how it is told from a changed one.
 *
 * Invariant: `prepared.json` is canonical JSON (keys sorted, no spaces), and its `mac` covers everything else in it, the hashes of
 * all files included. Who can write to the cache folder but does not hold the key can make entries vanish, never change one.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";

const hex = z.string().regex(/^[0-9a-f]{64}$/);
const name = z.string().max(1024);
const names = z.array(name).max(10_000).readonly();

/** Export names the metering pass added; `start` only when the module has a start function. */
export const injectedNamesSchema = z.strictObject({ fuel: name, refuel: name, start: name.optional() });

export const moduleFileName = z.string().regex(/^component\.core\d{0,4}\.wasm$/);

const fileFacts = { sha256: hex, bytes: z.int().nonnegative() };

const moduleSchema = z.strictObject({
  name: moduleFileName,
  ...fileFacts,
  names: injectedNamesSchema,
  /** How often the glue instantiates it. */
  instances: z.int().nonnegative(),
  /** Of one instance. */
  minMemoryBytes: z.int().nonnegative(),
  /** Of one instance; the engine keeps it. */
  maxMemoryBytes: z.int().nonnegative(),
});

const unsealedSchema = z.strictObject({
  format: z.literal(1),
  key: hex,
  componentSha256: hex,
  profile: name,
  /** Versions of everything that had a part in it. */
  tools: name,
  glue: z.strictObject({ name: z.literal("component.js"), ...fileFacts }),
  modules: z.array(moduleSchema).max(1_000).readonly(),
  /** Functions and instances the component imports, with versions. */
  imports: names,
  exports: names,
});

const preparedSchema = unsealedSchema.extend({ mac: hex });

/** One file of a prepared component. */
export interface PreparedFile {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
}

type UnsealedComponent = Readonly<z.infer<typeof unsealedSchema>>;

/** `prepared.json`. */
export type PreparedComponent = UnsealedComponent & { readonly mac: string };

export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => [key, sorted(entry)]),
  );
}

/** JSON with sorted keys and no spaces. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

function macOf(component: UnsealedComponent, cacheKey: Uint8Array): Buffer {
  return createHmac("sha256", cacheKey).update(canonicalJson(component)).digest();
}

export function sealPrepared(component: UnsealedComponent, cacheKey: Uint8Array): PreparedComponent {
  return { ...component, mac: macOf(component, cacheKey).toString("hex") };
}

/** @returns the component when text and MAC are right, else `undefined` */
export function openPrepared(text: string, cacheKey: Uint8Array): PreparedComponent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = preparedSchema.safeParse(value);
  if (!parsed.success || canonicalJson(parsed.data) !== text) return undefined;
  const { mac, ...unsealed } = parsed.data;
  return timingSafeEqual(macOf(unsealed, cacheKey), Buffer.from(mac, "hex")) ? parsed.data : undefined;
}
