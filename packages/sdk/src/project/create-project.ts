/**
 * A new extension project from a template.
 *
 * Invariant: nothing that exists is touched: when one of the files to write is there already, none is written. The project needs no packages and may lie
 * anywhere: build, tests and editor types come from the SDK that made it.
 */
import { access, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { SdkError } from "../sdk-error.ts";
import { writeEditorTypes } from "./editor-types.ts";
import { configurationFiles } from "./project-files.ts";

export const templates = ["http", "event", "job", "ui", "assemblyscript"] as const;
export type Template = (typeof templates)[number];

export interface CreateProjectOptions {
  readonly template: Template;
  /** Of the extension and the folder's usual name: a–z, 0–9 and -. */
  readonly name: string;
  /** Made if it does not exist. */
  readonly folder: string;
  /** Reverse domain name; default `org.example.<name>`. */
  readonly id?: string;
  readonly publisher?: { readonly id: string; readonly name: string };
}

export interface CreatedProject {
  readonly folder: string;
  readonly id: string;
  /** Relative paths, sorted. */
  readonly files: readonly string[];
}

const templatesFolder = fileURLToPath(new URL("../../templates/", import.meta.url));

async function templateFiles(template: Template): Promise<Map<string, string>> {
  const folder = join(templatesFolder, template);
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = new Map<string, string>();
  for (const entry of entries.filter((one) => one.isFile())) {
    const file = join(entry.parentPath, entry.name);
    files.set(
      relative(folder, file)
        .split(sep)
        .join("/")
        .replace(/\.template$/, ""),
      await readFile(file, "utf8"),
    );
  }
  return files;
}

function titleOf(name: string): string {
  const words = name.replaceAll("-", " ");
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

/** As it stands inside a JSON string. */
const inJson = (text: string) => JSON.stringify(text).slice(1, -1);

function fill(text: string, options: CreateProjectOptions, id: string): string {
  const publisher = options.publisher ?? { id: "org.example", name: "Example" };
  const values: Readonly<Record<string, string>> = {
    name: options.name,
    title: titleOf(options.name),
    id,
    publisherId: inJson(publisher.id),
    publisherName: inJson(publisher.name),
  };
  return text.replace(/\{\{(\w+)\}\}/g, (whole, key: string) => values[key] ?? whole);
}

async function existing(folder: string, paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    paths.map((path) =>
      access(join(folder, path)).then(
        () => [path],
        () => [],
      ),
    ),
  );
  return found.flat();
}

/**
 * @throws {SdkError} `project.invalid`: not a name, or no such template; `project.exists`: files are there already, none was written
 */
export async function createProject(options: CreateProjectOptions): Promise<CreatedProject> {
  const folder = resolve(options.folder);
  const { name, template, id = `org.example.${name}` } = options;
  if (!/^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$/.test(name)) {
    throw new SdkError("project.invalid", "not a name for an extension", [
      { path: name, message: "use 1–40 of a–z, 0–9 and -, a letter first" },
    ]);
  }
  if (!/^[a-z](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/.test(id)) {
    throw new SdkError("project.invalid", "not an id for an extension", [
      { path: id, message: "use a reverse domain name, e.g. org.example.hello" },
    ]);
  }
  if (!templates.includes(template))
    throw new SdkError("project.invalid", "no such template", [{ path: template, message: `use one of ${templates.join(", ")}` }]);
  const files = new Map([...(await templateFiles(template)), ...configurationFiles(template)]);
  const paths = [...files.keys()].toSorted();
  const inTheWay = await existing(folder, paths);
  if (inTheWay.length > 0)
    throw new SdkError(
      "project.exists",
      "files are there already",
      inTheWay.map((path) => ({ path, message: "exists" })),
    );
  for (const path of paths) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), fill(files.get(path) ?? "", options, id), { flag: "wx" });
  }
  await writeEditorTypes(folder);
  return { folder, id, files: paths };
}
