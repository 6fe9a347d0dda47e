/**
 * The reference, made of the contract's tables.
 *
 * Invariant: pure and deterministic: the same tables give the same bytes, so a guard can compare. What a page says stands in the contract
 * and nowhere else; prose belongs to the guides.
 */
import {
  buildOpenApi,
  bodyErrors,
  changeErrors,
  commonSignedErrors,
  conditionalRoutes,
  conditionErrors,
  errorCatalogue,
  instancePermissions,
  limits,
  roomPermissions,
  routes,
  settings,
  type ErrorRow,
  type Route,
} from "@althing/contract";
import { code, page, table } from "./markdown.ts";

function groupBy<T>(entries: readonly T[], key: (entry: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const entry of entries) groups.set(key(entry), [...(groups.get(key(entry)) ?? []), entry]);
  return groups;
}

export function errorsPage(): string {
  const entries = Object.entries(errorCatalogue as Readonly<Record<string, ErrorRow>>);
  const parts = [...groupBy(entries, ([name]) => name.split(".")[0] ?? "")].map(([area, rows]) => {
    const sections = rows.map(([name, row]) => {
      const status = row.status === 0 ? "noticed on this side, no HTTP status" : `HTTP ${row.status}`;
      const whose = row.kind === "user" ? "the caller can change it" : "the instance must change";
      return `### ${code(name)}\n\n${row.text}\n\n${status}; ${whose}; ${row.retry ? "sending it again may help" : "sending it again does not help"}.\n\n**What to do:** ${row.fix}`;
    });
    return [`## ${area}`, ...sections].join("\n\n");
  });
  const introduction =
    "Every refusal and failure has one stable code, the same on HTTP (problem details, RFC 9457), in the client library, on the command line and on the pages. " +
    "Words in braces are filled in.";
  return page("Error codes", introduction, ...parts);
}

export function routesPage(): string {
  const entries = Object.entries(routes as Readonly<Record<string, Route>>);
  const parts = [...groupBy(entries, ([name]) => name.split(".")[0] ?? "")].map(([area, rows]) => {
    const head = ["Route", "Who may", "Does", "Answers", "Refuses with"];
    const lines = rows.map(([, route]) => [
      code(`${route.method} ${route.path}`),
      route.permission === undefined ? route.class : `${route.class}, ${code(route.permission)}`,
      route.summary,
      String(route.status),
      route.errors.map(code).join(" ") || "–",
    ]);
    return `## ${area}\n\n${table(head, lines)}`;
  });
  const classes = table(
    ["Class", "Means"],
    [
      ["open", "no signature"],
      ["self-signed", "signed by the key it names; there need not be a user yet"],
      ["user", "signed by an active user"],
      ["internal", "only on the data folder's socket or the loopback listener"],
    ],
  );
  const introduction =
    "The whole interface over HTTP. Schemas of bodies and answers are in [openapi.json](openapi.json), which a running instance serves at `/api/openapi.json`.";
  const common = [
    `## Refusals that any signed route can answer with\n\n${commonSignedErrors.map(code).join(" ")}`,
    `Where there is a body: ${bodyErrors.map(code).join(" ")}`,
    `Where something changes (POST, PUT, DELETE): ${changeErrors.map(code).join(" ")}`,
    `With If-Match (${[...conditionalRoutes].map(code).join(" ")}): ${conditionErrors.map(code).join(" ")}`,
  ].join("\n\n");
  return page("Routes", introduction, classes, ...parts, common);
}

interface SettingRow {
  readonly schema: { safeParse(value: unknown): { success: boolean; data?: unknown } };
  readonly flag: string;
  readonly env: string;
  readonly value?: string;
  readonly help: string;
}

function defaultOf(setting: SettingRow): string {
  const parsed = setting.schema.safeParse(undefined);
  const value = parsed.success ? parsed.data : undefined;
  if (value === undefined) return "–";
  return code(typeof value === "string" ? value : JSON.stringify(value));
}

export function settingsPage(): string {
  const rows = Object.entries(settings as Readonly<Record<string, SettingRow>>).map(([name, setting]) => [
    code(name),
    code(setting.value === undefined ? setting.flag : `${setting.flag} ${setting.value}`),
    code(setting.env),
    defaultOf(setting),
    setting.help,
  ]);
  const introduction =
    "Flags beat the environment, the environment beats `althing.toml`, the file beats the defaults. An unknown key is an error. " +
    "`althing config` shows the values in force and where each came from.";
  return page("Settings", introduction, table(["In `althing.toml`", "Flag", "Variable", "Default", "Meaning"], rows));
}

export function permissionsPage(): string {
  const rows = (permissions: Readonly<Record<string, string>>) =>
    table(
      ["Permission", "Allows to"],
      Object.entries(permissions).map(([name, text]) => [code(name), text]),
    );
  return page(
    "Permissions",
    "Nothing in the code asks for a role; it asks for one of these, and roles are sets of them.",
    `## On the instance\n\n${rows(instancePermissions)}`,
    `## In a room\n\n${rows(roomPermissions)}`,
  );
}

const units: readonly [RegExp, string][] = [
  [/(?:Max)?Bytes$/, "bytes"],
  [/Seconds$/, "seconds"],
  [/Ms$/, "milliseconds"],
];

export function limitsPage(): string {
  const rows = Object.entries(limits).map(([name, value]) => {
    const unit = units.find(([pattern]) => pattern.test(name))?.[1] ?? "";
    return [code(name), value.toLocaleString("en-US"), unit];
  });
  return page(
    "Limits",
    "What one request, room, user or node may take. A request beyond a limit is refused with a code that names it.",
    table(["Limit", "Value", "Unit"], rows),
  );
}

export function openApiFile(version: string): string {
  return `${JSON.stringify(buildOpenApi(version), null, 2)}\n`;
}
