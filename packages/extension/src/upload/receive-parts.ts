/**
 * Takes a multipart/form-data body apart while it comes (RFC 7578).
 *
 * Invariant: each part must be named and is handed on as a stream; whoever takes it slows the sender, so memory stays within a few blocks. Nothing is
 * skipped in silence: a part without a name, with a name that is not wanted, or a body that ends early refuses the whole. The promise settles
 * only after every taker has, so that a refused upload has no one still writing.
 */
import type { Readable } from "node:stream";
import { MIMEType } from "node:util";
import { Dicer } from "@fastify/busboy";
import { AppError, isAppError } from "@althing/contract";

export interface Upload {
  /** Value of the header; names the boundary. */
  readonly contentType: string;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Takes one part to its end. */
export type PartTaker = (bytes: AsyncIterable<Uint8Array>) => Promise<void>;

const headerMaxBytes = 4 * 1024;
const headerPairsMax = 16;

export function malformedUpload(detail: string, cause?: unknown): AppError<"upload.malformed"> {
  return new AppError("upload.malformed", { detail }, cause === undefined ? {} : { cause });
}

/** Node's parser of parameters; `undefined` when the text is none. */
function parseType(text: string): MIMEType | undefined {
  try {
    return new MIMEType(text);
  } catch {
    return undefined;
  }
}

function boundaryOf(contentType: string): string {
  const type = parseType(contentType);
  const boundary = type?.essence === "multipart/form-data" ? type.params.get("boundary") : null;
  if (boundary == null || !/^[ -~]{1,70}$/.test(boundary)) throw malformedUpload("its type is not multipart/form-data with a boundary");
  return boundary;
}

/** Content-Disposition has the grammar of a media type's parameters; a type before it makes it one. */
function nameOf(header: object): string {
  const values: unknown = "content-disposition" in header ? header["content-disposition"] : undefined;
  const only: unknown = Array.isArray(values) && values.length === 1 ? values[0] : undefined;
  const type = typeof only === "string" ? parseType(`multipart/${only}`) : undefined;
  const name = type?.subtype === "form-data" ? type.params.get("name") : null;
  if (name == null) throw malformedUpload("a part has no name");
  return name;
}

/**
 * @param takers by the name of the part; each is called at most once
 * @param maxBytes of the whole body, headers and boundaries included
 * @returns the names that came
 * @throws {upload.malformed}, or what a taker or the source throws
 */
export async function receiveParts(
  { contentType, bytes }: Upload,
  takers: Readonly<Record<string, PartTaker>>,
  maxBytes: number,
): Promise<ReadonlySet<string>> {
  const config = { boundary: boundaryOf(contentType), maxHeaderPairs: headerPairsMax, maxHeaderSize: headerMaxBytes };
  const dicer = new Dicer(config);
  const failure = Promise.withResolvers<never>();
  const finished = Promise.withResolvers<void>();
  failure.promise.catch(() => undefined);
  const streams: Readable[] = [];
  const work: Promise<void>[] = [];
  const names = new Set<string>();

  function take(part: Readable, header: object): Promise<void> {
    const name = nameOf(header);
    const taker = Object.hasOwn(takers, name) ? takers[name] : undefined;
    if (taker === undefined) throw malformedUpload(`there is no part ${JSON.stringify(name.slice(0, 100))}`);
    if (names.has(name)) throw malformedUpload(`the part ${name} comes twice`);
    names.add(name);
    return taker(part);
  }

  dicer.on("part", (part) => {
    streams.push(part);
    part.on("error", () => undefined);
    part.on("header", (header) => {
      const taken = (async () => take(part, header))();
      taken.catch(failure.reject);
      work.push(taken);
    });
  });
  dicer.on("finish", finished.resolve);
  dicer.on("error", (error) => failure.reject(malformedUpload("it ends early or has no boundary", error)));

  const write = (chunk: Uint8Array) =>
    new Promise<void>((resolve) => dicer.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength), () => resolve()));

  try {
    let received = 0;
    for await (const chunk of bytes) {
      received += chunk.length;
      if (received > maxBytes) throw malformedUpload(`it has more than ${maxBytes} bytes`);
      // A part that ends while its reader pauses takes the callback of the write with it; then the end of all parts says the same.
      if (chunk.length > 0) await Promise.race([write(chunk), failure.promise, finished.promise]);
    }
    dicer.end();
    await Promise.race([finished.promise, failure.promise]);
    if (work.length !== streams.length) throw malformedUpload("a part has no headers");
    await Promise.all(work);
    return names;
  } catch (error) {
    for (const stream of streams) stream.destroy(new Error("the upload was refused"));
    await Promise.allSettled(work);
    throw isAppError(error) ? error : malformedUpload("it broke off", error);
  }
}
