/**
 * What parent and child of a preparation say to each other: one frame each way, u32 big-endian length and strict CBOR.
 *
 * Invariant: the parent believes nothing of the child's frame that the schema does not hold: file names cannot leave the folder, texts
 * are bounded and cut to printable ASCII, and a frame that announces more than the cap ends the child before it is read.
 */
import { decode, encode } from "cborg";
import { z } from "zod";
import { injectedNamesSchema, moduleFileName } from "./prepared.ts";

export const frameHeadBytes = 4;

const bytes = z.instanceof(Uint8Array);
const names = z.array(z.string().max(1024)).max(10_000);
const strings = z.array(z.string().max(512)).max(1_000);

const profile = z.enum(["extension", "wasi-http"]);

export const requestSchema = z.strictObject({
  component: bytes,
  maxMemoryBytes: z.int().positive(),
  maxGlueBytes: z.int().positive(),
  worlds: z
    .array(
      z.strictObject({
        profile,
        asyncImports: strings,
        interfaces: strings,
        asyncExports: strings,
        functions: strings.optional(),
      }),
    )
    .min(1),
});

export const answerSchema = z.discriminatedUnion("ok", [
  z.strictObject({ ok: z.literal(false), rule: z.string().regex(/^[a-z0-9.-]{1,64}$/), detail: z.string().max(2_000) }),
  z.strictObject({
    ok: z.literal(true),
    profile,
    glue: bytes,
    modules: z
      .array(
        z.strictObject({
          name: moduleFileName,
          bytes,
          names: injectedNamesSchema,
          instances: z.int().nonnegative(),
          minMemoryBytes: z.int().nonnegative(),
          maxMemoryBytes: z.int().nonnegative(),
        }),
      )
      .max(1_000),
    imports: names,
    exports: names,
  }),
]);

export type PreparationAnswer = z.infer<typeof answerSchema>;

/** A value without keys that are `undefined`, which CBOR would write and the schema refuse. */
export function encodeFrame(value: object): Uint8Array {
  const content = encode(value, { ignoreUndefinedProperties: true });
  const frame = Buffer.allocUnsafe(frameHeadBytes + content.length);
  frame.writeUInt32BE(content.length);
  frame.set(content, frameHeadBytes);
  return frame;
}

/** @throws {Error} when the content is no strict CBOR */
export function decodeContent(content: Uint8Array): unknown {
  return decode(content, { strict: true, allowIndefinite: false, allowUndefined: false, rejectDuplicateMapKeys: true });
}

/** Printable ASCII of a text, at most `maxCharacters`. */
export function printable(text: string, maxCharacters = 300): string {
  return text
    .slice(0, 4 * maxCharacters)
    .replace(/[^\x20-\x7e]+/g, " ")
    .trim()
    .slice(0, maxCharacters);
}
