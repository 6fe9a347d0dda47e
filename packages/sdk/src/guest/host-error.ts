/**
 * A host call that the platform refused or could not finish.
 *
 * Invariant: `code` is one of the platform's stable codes; an unhandled one leaves the guest as `code: message`, which is how the gateway knows a
 * denied capability from a crash.
 */
export class HostError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = "HostError";
    this.code = code;
  }
}

function payloadOf(thrown: unknown): { code: string; message: string } | undefined {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  const carried: unknown = "payload" in thrown ? thrown.payload : thrown;
  if (typeof carried !== "object" || carried === null || !("code" in carried) || !("message" in carried)) return undefined;
  const { code, message } = carried;
  return typeof code === "string" && typeof message === "string" ? { code, message } : undefined;
}

/**
 * Runs one host call and gives its refusal a type.
 *
 * @throws {HostError} the platform refused or failed
 */
export function callHost<T>(call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    const payload = thrown instanceof HostError ? undefined : payloadOf(thrown);
    throw payload === undefined ? thrown : new HostError(payload.code, payload.message);
  }
}

/**
 * The component's engine ends the guest when an argument has the wrong type, without a word about which: so arguments are checked before.
 *
 * @throws {HostError} `capability.bad_argument`
 */
export function requireArgument(isGood: boolean, call: string, detail: string): void {
  if (!isGood) throw new HostError("capability.bad_argument", `${call}: ${detail}`);
}

/** @throws {HostError} `capability.bad_argument` */
export function requireText(value: unknown, call: string, name: string): void {
  requireArgument(typeof value === "string", call, `${name} must be a string`);
}
