/**
 * Certificate and key of the public listener.
 *
 * Invariant: a key that others may read is refused, as every other key file. Both are read once at start; a renewed certificate is taken with a restart.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { AppError, type Config } from "@althing/contract";
import { readPrivateFile } from "./private-file.ts";

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/**
 * @returns `undefined` without a certificate in the configuration
 * @throws {data.mode} {config.invalid}
 */
export async function readTlsFiles(config: Pick<Config, "tls_cert" | "tls_key">): Promise<TlsFiles | undefined> {
  if (config.tls_cert === undefined && config.tls_key === undefined) return undefined;
  const invalid = (key: string, observed: string, detail: string) =>
    new AppError("config.invalid", { key, source: "the configuration", observed, detail });
  if (config.tls_cert === undefined || config.tls_key === undefined)
    throw invalid("tls_cert", "one of two", "tls_cert and tls_key come together");
  const key = await readPrivateFile(config.tls_key);
  if (key === undefined) throw invalid("tls_key", config.tls_key, "there is no such file");
  let cert: string;
  try {
    cert = await readFile(config.tls_cert, "utf8");
  } catch {
    throw invalid("tls_cert", config.tls_cert, "it cannot be read");
  }
  try {
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error("other key");
  } catch {
    throw invalid("tls_cert", config.tls_cert, "certificate and key do not belong together, or are not PEM");
  }
  return { cert, key };
}
