/**
 * `althing ext publish|install|call|logs`: the author against an instance.
 *
 * Invariant: the same calls as everybody's; an author has no way in of their own. What a request names is taken from the project it is run in, unless said.
 */
import { AppError, limits } from "@althing/contract";
import { join } from "node:path";
import { buffer as readStream } from "node:stream/consumers";
import { listOption, textOption, usageError, type Context } from "../context.ts";
import { readBundleFile } from "../ext/bundle-file.ts";
import { openPackages } from "../ext/open-packages.ts";
import { communityOption, parseExtension } from "../ext/parse-names.ts";
import { openProject, packedName, projectFolder, projectName } from "../ext/project.ts";
import { readInput } from "../ext/read-input.ts";
import { safeLine, safeText } from "../terminal-text.ts";

/** The bundle named, else the one that `ext pack` wrote for this version. */
async function packedFile(context: Context, file: string | undefined): Promise<string> {
  if (file !== undefined) return file;
  const folder = projectFolder(context);
  const { manifest } = await openProject(folder);
  return join(folder, packedName(manifest));
}

export async function publish(context: Context, [file]: readonly string[]): Promise<void> {
  const { bundle, signature, manifest } = await readBundleFile(context, await packedFile(context, file));
  if (signature === undefined) throw new AppError("trust.unsigned");
  const client = await openPackages(context);
  context.output.prose(`sending ${manifest.name} ${manifest.version}; the instance checks and prepares it`);
  const published = await client.publish({ bundle, signature });
  context.output.result(
    published,
    `${published.name} ${published.version} is published: althing package install registry:${published.name}`,
  );
}

export async function install(context: Context, [file]: readonly string[]): Promise<void> {
  const source = await packedFile(context, file);
  return (await import("./package-install.ts")).install(context, [source]);
}

async function meantExtension(context: Context): Promise<string> {
  const name = textOption(context.options, "extension") ?? (await projectName(projectFolder(context)));
  if (name === undefined) throw usageError("name the extension with --extension, or run this in its project");
  return parseExtension(name);
}

export async function logs(context: Context): Promise<void> {
  const params = { community: communityOption(context), install: await meantExtension(context) };
  const { showLog } = await import("./package-log.ts");
  await showLog(context, await openPackages(context), params);
}

async function bodyOption(context: Context): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const text = textOption(context.options, "body");
  if (text === undefined) return undefined;
  if (text === "@-") return new Uint8Array(await readStream(context.host.stdin));
  if (text.startsWith("@")) return readInput(context, text.slice(1), limits.extensionBodyMaxBytes);
  return new TextEncoder().encode(text);
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder().decode(bytes));
    return true;
  } catch {
    return false;
  }
}

function headersOption(context: Context, body: Uint8Array | undefined): Record<string, string> {
  const pairs = listOption(context.options, "header").map((line) => {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*)$/.exec(line);
    if (match === null) throw usageError(`"${line}" is no header: write NAME: VALUE`);
    return [String(match[1]).toLowerCase(), match[2] ?? ""] as const;
  });
  const type = body === undefined ? {} : { "content-type": isJson(body) ? "application/json" : "text/plain; charset=utf-8" };
  return { ...type, ...Object.fromEntries(pairs) };
}

export async function call(context: Context, [verb = "", path = ""]: readonly string[]): Promise<void> {
  const method = verb.toUpperCase();
  if (!/^[A-Z]{3,7}$/.test(method)) throw usageError(`"${verb}" is no method`);
  if (!path.startsWith("/")) throw usageError(`the path begins with a slash: /${path}`);
  const [community, extension, body] = [communityOption(context), await meantExtension(context), await bodyOption(context)];
  const headers = headersOption(context, body);
  const client = await openPackages(context);
  const answer = await client.endpoint({ community, extension, method, path, headers, ...(body === undefined ? {} : { body }) });
  const text = new TextDecoder().decode(answer.body);
  context.output.prose(`${answer.status} ${safeLine(answer.contentType)}`);
  const json = answer.contentType.startsWith("application/json") && isJson(answer.body);
  const shown: unknown = json ? JSON.parse(text) : text;
  context.output.result({ status: answer.status, contentType: answer.contentType, body: shown }, safeText(text));
}
