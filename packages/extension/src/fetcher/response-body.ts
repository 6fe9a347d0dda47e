/**
 * Reads the body of an answer: decodes it, counts it, ends it.
 *
 * Invariant: bytes are counted after decoding, chunk by chunk, and decoding runs only as fast as the reader reads, so a bomb costs one chunk
 * more than the limit and never its full size. What crosses the wire is counted as well: compressed data may decode to nothing for ever.
 * One coding at most; a second is how bombs are stacked. Sources: RFC 9110 §8.4, RFC 8878 §3.1.1.1.2 and RFC 9659 (8 MiB window).
 */
import { pipeline, Transform, type Readable } from "node:stream";
import { constants, createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib";
import { AppError } from "@althing/contract";

export interface BodyReading {
  readonly source: Readable;
  /** As the header has it; absent or empty: none. */
  readonly contentEncoding: string | undefined;
  readonly contentLength: string | undefined;
  /** HEAD, 204 and 304 have none, whatever their headers say. */
  readonly hasBody: boolean;
  readonly maxBytes: number;
  readonly host: string;
  /** Ends connection and timers; called once, whatever happened. */
  readonly end: () => void;
  /** Why the fetch was ended, if it was. */
  readonly endedBy: () => unknown;
}

export interface ResponseBody {
  /** The decoded body, once; leaving the loop early ends the connection. */
  stream(): AsyncGenerator<Uint8Array, void, undefined>;
  /** The whole of it. */
  bytes(): Promise<Uint8Array>;
  /** Gives the body up. */
  discard(): void;
  /** Bytes of the body that crossed the wire so far, before decoding. */
  wireBytes(): number;
}

const zstdWindowLogMax = 23;

function createDecoder(encoding: string): Transform | undefined {
  switch (encoding) {
    case "gzip":
    case "x-gzip":
      return createGunzip();
    case "deflate":
      return createInflate();
    case "br":
      return createBrotliDecompress();
    case "zstd":
      return createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: zstdWindowLogMax } });
    default:
      return undefined;
  }
}

/** The one coding to undo; `undefined`: none. */
function codingOf(header: string | undefined): string | undefined {
  const codings = (header ?? "")
    .toLowerCase()
    .split(",")
    .map((part) => part.trim());
  const named = codings.filter((coding) => coding !== "" && coding !== "identity");
  return named.length === 0 ? undefined : named.join(",");
}

/** Lets through up to `maxBytes`, then fails. */
function createMeter(maxBytes: number, refuse: () => AppError): { readonly meter: Transform; readonly passed: () => number } {
  let passed = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      passed += chunk.byteLength;
      if (passed > maxBytes) done(refuse());
      else done(null, chunk);
    },
  });
  return { meter, passed: () => passed };
}

/**
 * @throws {fetch.too_large} the declared length is over the limit
 * @throws {fetch.bad_response} the body is coded in a way we do not read
 */
export function openResponseBody(reading: BodyReading): ResponseBody {
  const { source, maxBytes, host } = reading;
  const tooLarge = (rule: string, observed: string | number) => new AppError("fetch.too_large", { host, limit: maxBytes, rule, observed });
  const badResponse = (rule: string, observed: string, detail: string, cause?: unknown) =>
    new AppError("fetch.bad_response", { host, rule, observed, detail }, { cause });

  source.on("error", () => undefined);
  const coding = reading.hasBody ? codingOf(reading.contentEncoding) : undefined;
  const decoder = coding === undefined ? undefined : createDecoder(coding);
  if (coding !== undefined && !decoder)
    throw badResponse("content_encoding", coding.slice(0, 64), "its content coding is not one of gzip, deflate, br, zstd");
  if (reading.hasBody && Number(reading.contentLength) > maxBytes) throw tooLarge("content_length", Number(reading.contentLength));

  const wire = createMeter(maxBytes, () => tooLarge("wire_bytes", wire.passed()));
  const decoded = createMeter(maxBytes, () => tooLarge("decoded_bytes", decoded.passed()));
  let isTaken = false;

  const explain = (error: unknown): unknown => {
    const endedBy = reading.endedBy();
    if (endedBy !== undefined) return endedBy;
    if (error instanceof AppError) return error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (
      /^(?:Z_|ERR__ERROR_|ERR_BROTLI|ERR_ZSTD|ZSTD_|ERR_PADDING|ERR_TRAILING)/.test(code) ||
      (decoder && decoder.errored === error && !source.errored)
    ) {
      return badResponse("content_coding", code, "its body does not decode", error);
    }
    return badResponse("body", code, "its body ended early or is malformed", error);
  };

  async function* stream(): AsyncGenerator<Uint8Array, void, undefined> {
    if (isTaken) throw new Error("a body is read once");
    isTaken = true;
    try {
      const stages = decoder ? [wire.meter, decoder, decoded.meter] : [wire.meter, decoded.meter];
      pipeline([source, ...stages], () => undefined);
      for await (const chunk of decoded.meter as AsyncIterable<Uint8Array>) yield chunk;
    } catch (error) {
      throw explain(error);
    } finally {
      reading.end();
      decoder?.destroy();
    }
  }

  return {
    stream,
    async bytes() {
      const chunks: Uint8Array[] = [];
      for await (const chunk of stream()) chunks.push(chunk);
      return new Uint8Array(Buffer.concat(chunks));
    },
    discard() {
      isTaken = true;
      reading.end();
      decoder?.destroy();
    },
    wireBytes: wire.passed,
  };
}
