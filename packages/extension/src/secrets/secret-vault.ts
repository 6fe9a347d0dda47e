/**
 * Secrets that admins give to extensions: sealed at rest, released for one call, never shown again.
 *
 * Invariant: a record holds only ciphertext (AES-256-GCM under a key derived from the instance's secrets key and the scope; scope and name are
 * authenticated, so a record moved to another place does not open). Names, hosts and times are metadata and are listed; values leave only
 * through `open`. An expired secret is as good as none.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { AppError, limits } from "@althing/contract";
import type { Collection, Rec, Store } from "@althing/store";
import { z } from "zod";
import type { ExtensionClock } from "../extension-deps.ts";
import { scopeKey, type Scope } from "../scope.ts";

export interface SecretView {
  readonly name: string;
  readonly setAt: string;
  readonly expiresAt?: string;
  /** Hosts that `{{secret:NAME}}` may be sent to. */
  readonly hosts: readonly string[];
}

export interface SecretPut {
  readonly value: string;
  readonly hosts: readonly string[];
  readonly expiresAt?: string | undefined;
}

export interface SecretVault {
  /** Sets or rotates. @throws {secret.too_many} {settings.invalid} */
  put(scope: Scope, name: string, secret: SecretPut): Promise<void>;
  forget(scope: Scope, name: string): Promise<void>;
  list(scope: Scope): Promise<SecretView[]>;
  /** The value itself. @throws {secret.not_found} unknown or expired {data.corrupt} the record was altered */
  open(scope: Scope, name: string): Promise<{ readonly value: string; readonly hosts: readonly string[] }>;
  purge(scope: Scope): Promise<void>;
}

const rowSchema = z.object({
  /** nonce ‖ ciphertext ‖ tag, base64. */
  sealed: z.base64(),
  setAt: z.string(),
  expiresAt: z.string().optional(),
  hosts: z.array(z.string()),
});
type Row = z.infer<typeof rowSchema>;

const nameGrammar = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
const nonceBytes = 12;
const tagBytes = 16;

export function createSecretVault(options: {
  readonly store: Store;
  readonly clock: ExtensionClock;
  readonly secretsKey: Uint8Array;
}): SecretVault {
  const { clock, secretsKey } = options;
  const rows: Collection<Row> = options.store.collection({ name: "ext-secrets", schema: rowSchema });
  const keyOf = (scope: Scope) =>
    Buffer.from(hkdfSync("sha256", secretsKey, "", `althing/ext-secret/v1\0${scope.community}\0${scope.extension}`, 32));
  /** What the ciphertext is bound to besides its key. */
  const placeOf = (name: string, row: Pick<Row, "setAt" | "expiresAt" | "hosts">) =>
    Buffer.from(JSON.stringify([name, row.setAt, row.expiresAt ?? null, row.hosts]));

  function seal(scope: Scope, name: string, value: string, meta: Omit<Row, "sealed">): Row {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv("aes-256-gcm", keyOf(scope), nonce);
    cipher.setAAD(placeOf(name, meta));
    const sealed = Buffer.concat([nonce, cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return { ...meta, sealed: sealed.toString("base64") };
  }

  function unseal(scope: Scope, name: string, row: Row): string {
    const sealed = Buffer.from(row.sealed, "base64");
    try {
      const decipher = createDecipheriv("aes-256-gcm", keyOf(scope), sealed.subarray(0, nonceBytes), { authTagLength: tagBytes });
      decipher.setAAD(placeOf(name, row));
      decipher.setAuthTag(sealed.subarray(-tagBytes));
      return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()]).toString("utf8");
    } catch (cause) {
      throw new AppError("data.corrupt", { path: `secret ${name}`, detail: "it was altered, or sealed under another key" }, { cause });
    }
  }

  const isLive = ({ value }: Rec<Row>): boolean => value.expiresAt === undefined || Date.parse(value.expiresAt) > clock.now();

  async function all(scope: Scope): Promise<readonly Rec<Row>[]> {
    return (await rows.list({ prefix: scopeKey(scope), limit: limits.secretsPerInstallMax + 1 })).records;
  }

  return {
    async put(scope, name, { value, hosts, expiresAt }) {
      const faults: { path: string; message: string }[] = [];
      if (!nameGrammar.test(name))
        faults.push({ path: `secrets.${name.slice(0, 64)}`, message: "a name is 1–64 of A–Z a–z 0–9 _ -, a letter first" });
      if (Buffer.byteLength(value) > limits.secretMaxBytes)
        faults.push({ path: `secrets.${name.slice(0, 64)}`, message: `at most ${limits.secretMaxBytes} bytes` });
      if (faults.length > 0) throw new AppError("settings.invalid", { count: faults.length }, { faults });
      const known = await all(scope);
      if (known.length >= limits.secretsPerInstallMax && !known.some((row) => row.key[2] === name))
        throw new AppError("secret.too_many", { limit: limits.secretsPerInstallMax });
      const meta = { setAt: new Date(clock.now()).toISOString(), hosts: [...hosts], ...(expiresAt === undefined ? {} : { expiresAt }) };
      await rows.put([...scopeKey(scope), name], seal(scope, name, value, meta));
    },
    async forget(scope, name) {
      if (nameGrammar.test(name)) await rows.delete([...scopeKey(scope), name]);
    },
    async list(scope) {
      return (await all(scope)).map(({ key, value: { setAt, expiresAt, hosts } }) => ({
        name: key[2] ?? "",
        setAt,
        hosts,
        ...(expiresAt === undefined ? {} : { expiresAt }),
      }));
    },
    async open(scope, name) {
      const row = nameGrammar.test(name) ? await rows.get([...scopeKey(scope), name]) : undefined;
      if (row === undefined || !isLive(row)) throw new AppError("secret.not_found", { name: name.slice(0, 64) });
      return { value: unseal(scope, name, row.value), hosts: row.value.hosts };
    },
    async purge(scope) {
      for (const row of await all(scope)) await rows.delete(row.key);
    },
  };
}
