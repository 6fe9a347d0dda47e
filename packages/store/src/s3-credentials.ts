/**
 * The bucket's credentials: `{"accessKeyId": "…", "secretAccessKey": "…"}` in a file of their own.
 *
 * Invariant: they come from a file that only its owner can read, never from a setting, an argument or the environment, which end up in process
 * lists and logs; no error repeats a word of the file. Links are not followed: one could point at a place somebody else writes.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { AppError, isAppError } from "@althing/contract";
import { z } from "zod";

const maxBytes = 16 * 1024;
// A space or line break would go into a header; the library sends requests unsigned when either is empty.
const word = z.string().regex(/^[\x21-\x7e]{1,256}$/);
const schema = z.strictObject({ accessKeyId: word, secretAccessKey: word });
export type S3Credentials = z.infer<typeof schema>;

function refuse(path: string, detail: string, cause?: unknown): AppError {
  return new AppError("config.invalid", { key: "credentialsFile", source: "the S3 settings", observed: path, detail }, { cause });
}

/** @throws {config.invalid} {data.mode} */
export async function readS3Credentials(path: string): Promise<S3Credentials> {
  let text: string;
  try {
    await using file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    const found = await file.stat();
    const { mode, size } = found;
    if (!found.isFile()) throw refuse(path, "it is no regular file");
    if (process.platform !== "win32" && (mode & 0o077) !== 0)
      throw new AppError("data.mode", { path, observed: (mode & 0o777).toString(8).padStart(4, "0"), expected: "0600" });
    if (size > maxBytes) throw refuse(path, `it has more than ${maxBytes} bytes`);
    text = await file.readFile("utf8");
  } catch (error) {
    throw isAppError(error) ? error : refuse(path, "it is no file that can be read", error);
  }
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success) throw refuse(path, `it must hold {"accessKeyId": "…", "secretAccessKey": "…"} and nothing else`);
  return parsed.data;
}

/** The parser's own message would repeat the text. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
