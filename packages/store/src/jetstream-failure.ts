/** What NATS answers or fails to answer, as errors of the catalogue; told apart by class and number, never by text. */
import { AppError, isAppError } from "@althing/contract";
import { JetStreamApiError } from "@nats-io/jetstream";
import { errors } from "@nats-io/nats-core";

/** Server's numbers; the second comes without the observed sequence. */
export const wrongLastSequence: readonly number[] = [10_071, 10_164];
/** Too many batches at once, or a batch whose beginning the server dropped: nothing was written, worth another try. */
export const batchDropped: readonly number[] = [10_210, 10_176];

export function isStreamNotFound(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === 10_059;
}

/**
 * Nobody took the message: for some milliseconds while a server takes in a new access list, for seconds while a stream has no leader. It was not stored
 * and will not be.
 */
export class NobodyThere extends Error {
  constructor() {
    super("nobody answers");
    this.name = "NobodyThere";
  }
}

/** No leader now; nothing was done. */
const temporarilyUnavailable = 10_008;

/** Also as the library tells of it, whose own class is not exported, and the servers while they choose a leader. */
export function isNobodyThere(error: unknown): boolean {
  if (error instanceof JetStreamApiError) return error.code === temporarilyUnavailable;
  if (error instanceof NobodyThere || error instanceof errors.NoRespondersError) return true;
  return error instanceof Error && error.name === "JetStreamNotEnabled";
}

/** The answer to a publish. */
export interface PublishAnswer {
  readonly seq?: number;
  readonly count?: number;
  readonly error?: { readonly code: number; readonly err_code?: number; readonly description?: string };
}

/** @returns {store.unavailable} or, when the stream is gone, {store.corrupt} */
export function natsFailure(stream: string, error: unknown): AppError {
  if (isAppError(error)) return error;
  if (isStreamNotFound(error))
    return new AppError("store.corrupt", { path: `stream ${stream}`, detail: "it is not there" }, { cause: error });
  if (error instanceof JetStreamApiError)
    return new AppError("store.unavailable", { detail: `${error.message} (${error.code})` }, { cause: error });
  return new AppError(
    "store.unavailable",
    { detail: error instanceof Error ? error.message || error.name : String(error) },
    { cause: error },
  );
}

/** @throws {nats.version} */
export function checkServerVersion(version: string | undefined): void {
  const minimum = "2.12.0";
  const [major = 0, minor = 0] = (version ?? "0.0").split(".").map(Number);
  if (major > 2 || (major === 2 && minor >= 12)) return;
  throw new AppError("nats.version", {
    path: "the server",
    observed: version ?? "unknown",
    minimum,
    reason: "atomic batches and message expiry",
  });
}
