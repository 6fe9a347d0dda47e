/**
 * A manifest as it is shown to people, read from what the hub sends with an install.
 *
 * Invariant: this decides nothing (the hub judged the manifest when the package came in), so what is not as a manifest has it is left out instead of
 * hiding the package; every text stays the author's and is shown as text.
 */
import { jobScheduleSchema, type JobSchedule } from "@althing/contract";

export interface Reasoned {
  readonly name: string;
  /** The author's words. */
  readonly reason: string;
}

export interface EndpointView {
  readonly method: string;
  readonly path: string;
  readonly permission: string | undefined;
  readonly isPublic: boolean;
}

export interface SecretView {
  readonly name: string;
  readonly title: string | undefined;
  readonly description: string | undefined;
  readonly isNeeded: boolean;
}

export interface ManifestView {
  readonly displayName: string;
  readonly version: string;
  readonly description: string | undefined;
  readonly license: string | undefined;
  readonly homepage: string | undefined;
  readonly icon: string | undefined;
  readonly stage: string;
  readonly engine: string | undefined;
  readonly publisher: { readonly id: string; readonly name: string };
  readonly capabilities: readonly Reasoned[];
  readonly egress: readonly Reasoned[];
  readonly endpoints: readonly EndpointView[];
  readonly events: readonly string[];
  readonly filters: readonly { readonly point: string; readonly isStrict: boolean; readonly priority: number | undefined }[];
  readonly jobs: readonly { readonly name: string; readonly schedule: JobSchedule }[];
  /** JSON Schema of the settings that are no secrets; `undefined`: it has none. */
  readonly settings: Readonly<Record<string, unknown>> | undefined;
  readonly secrets: readonly SecretView[];
  readonly ui:
    | {
        readonly entry: string;
        readonly nav: readonly { readonly label: string; readonly path: string; readonly permission: string | undefined }[];
        readonly hosts: readonly string[];
      }
    | undefined;
  readonly limits: { readonly fuel: number | undefined; readonly timeMs: number | undefined; readonly memoryBytes: number | undefined };
}

export function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const textsOf = (value: unknown): string[] => listOf(value).filter((one) => typeof one === "string");
const entriesOf = (value: unknown): [string, unknown][] =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : [];

function reasoned(value: unknown, key: "name" | "host"): Reasoned[] {
  return listOf(value).flatMap((one) => {
    const name = textOf(field(one, key));
    return name === undefined ? [] : [{ name, reason: textOf(field(one, "reason")) ?? "" }];
  });
}

function endpointsOf(value: unknown): EndpointView[] {
  return listOf(value).flatMap((one) => {
    const [method, path] = [textOf(field(one, "method")), textOf(field(one, "path"))];
    if (method === undefined || path === undefined) return [];
    return [{ method, path, permission: textOf(field(one, "permission")), isPublic: field(one, "public") === true }];
  });
}

function jobsOf(value: unknown): ManifestView["jobs"] {
  return listOf(value).flatMap((one) => {
    const name = textOf(field(one, "name"));
    const schedule = jobScheduleSchema.safeParse(field(one, "schedule"));
    return name === undefined || !schedule.success ? [] : [{ name, schedule: schedule.data }];
  });
}

function uiOf(value: unknown): ManifestView["ui"] {
  const entry = textOf(field(value, "entry"));
  if (entry === undefined) return undefined;
  const nav = listOf(field(value, "nav")).flatMap((one) => {
    const [label, path] = [textOf(field(one, "label")), textOf(field(one, "path"))];
    return label === undefined || path === undefined ? [] : [{ label, path, permission: textOf(field(one, "permission")) }];
  });
  const csp = field(value, "csp");
  return { entry, nav, hosts: [...new Set([...textsOf(field(csp, "connect")), ...textsOf(field(csp, "img"))])] };
}

const isSecret = (node: unknown): boolean => field(node, "secret") === true;

function secretsOf(settings: unknown): SecretView[] {
  const needed = textsOf(field(settings, "required"));
  return entriesOf(field(settings, "properties"))
    .filter(([, node]) => isSecret(node))
    .map(([name, node]) => ({
      name,
      title: textOf(field(node, "title")),
      description: textOf(field(node, "description")),
      isNeeded: needed.includes(name),
    }));
}

/** Without secrets, which are set apart and never come back. */
function plainSettings(settings: unknown): ManifestView["settings"] {
  const properties = entriesOf(field(settings, "properties")).filter(([, node]) => !isSecret(node));
  if (properties.length === 0) return undefined;
  const names = new Set(properties.map(([name]) => name));
  const { $schema: _schema, ...rest } = Object.fromEntries(entriesOf(settings));
  return {
    ...rest,
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(properties),
    required: textsOf(field(settings, "required")).filter((name) => names.has(name)),
  };
}

export function viewOfManifest(manifest: unknown): ManifestView {
  const publisher = field(manifest, "publisher");
  const limits = field(manifest, "limits");
  const text = (name: string): string | undefined => textOf(field(manifest, name));
  return {
    displayName: text("displayName") ?? text("name") ?? "",
    version: text("version") ?? "",
    description: text("description"),
    license: text("license"),
    homepage: text("homepage"),
    icon: text("icon"),
    stage: text("stage") ?? "stable",
    engine: text("engine"),
    publisher: { id: textOf(field(publisher, "id")) ?? "", name: textOf(field(publisher, "name")) ?? "" },
    capabilities: reasoned(field(manifest, "capabilities"), "name"),
    egress: reasoned(field(manifest, "egress"), "host"),
    endpoints: endpointsOf(field(manifest, "endpoints")),
    events: textsOf(field(manifest, "events")),
    filters: listOf(field(manifest, "filters")).flatMap((one) => {
      const point = textOf(field(one, "point"));
      return point === undefined
        ? []
        : [{ point, isStrict: field(one, "mode") === "fail_closed", priority: numberOf(field(one, "priority")) }];
    }),
    jobs: jobsOf(field(manifest, "jobs")),
    settings: plainSettings(field(manifest, "settings")),
    secrets: secretsOf(field(manifest, "settings")),
    ui: uiOf(field(manifest, "ui")),
    limits: {
      fuel: numberOf(field(limits, "fuel")),
      timeMs: numberOf(field(limits, "timeMs")),
      memoryBytes: numberOf(field(limits, "memoryBytes")),
    },
  };
}
