/**
 * Manifest v2: the one definition that validator, type, JSON Schema and the table in the docs are made from.
 *
 * Invariant: unknown fields are refused everywhere, so a manifest never asks for something that this version would silently not enforce; a field is
 * described where it is defined. What spans several fields is in `judge-manifest.ts`. Rules: docs/architecture/manifest.md.
 */
import { filterPointNames } from "@althing/contract";
import semver from "semver";
import { z } from "zod";
import { checkPattern } from "../fetcher/host-pattern.ts";
import { scheduleSchema } from "./schedule.ts";
import { settingsSchema } from "./settings-schema.ts";

/** What an extension may be granted. `context` and `log` are always there and are not asked for. */
export const capabilities = {
  "http.fetch": "send requests to the hosts of `egress`",
  "storage.kv": "keep data of its own",
  "secrets.get": "read the secrets that an admin gave it",
  metrics: "publish counters, gauges and histograms",
  "events.emit": "emit events named after itself",
  "rooms.post": "post as itself into rooms that invited it",
  "members.read": "see who is a member",
  "proposals.read": "see proposals",
  "schedule.manage": "shift its own declared jobs",
} as const;
export type Capability = keyof typeof capabilities;

export const filterPoints = filterPointNames;

/** Text that people read: no control or direction-changing characters, no space around. */
const shownText = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u{feff}]*$/u, "must not have control or direction-changing characters")
    .refine((text) => text.trim() === text, "must not begin or end with a space");

const reason = shownText(300).describe("why, in words for the admin who grants it");
const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const extensionName = z
  .string()
  .max(128)
  .regex(
    new RegExp(`^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\\.${label})+$`),
    "must be a reverse domain name of two or more segments, e.g. org.example.greeter",
  );
const permission = z
  .string()
  .max(64)
  .regex(/^[a-z]+(?:\.[a-z_]+)+$/, "must be the name of a permission, e.g. members.read");

const host = z
  .string()
  .max(255)
  .superRefine((pattern, context) => {
    const checked = checkPattern(pattern);
    if (!checked.ok) context.addIssue({ code: "custom", message: checked.message });
    else if (checked.pattern !== pattern) context.addIssue({ code: "custom", message: `write it as ${checked.pattern}` });
  })
  .describe("a host, or *.suffix");

const endpointPath = z
  .string()
  .max(200)
  .regex(
    /^\/(?:(?::[a-z][a-zA-Z0-9_]{0,31}|[A-Za-z0-9_~-][A-Za-z0-9._~-]*)(?:\/(?::[a-z][a-zA-Z0-9_]{0,31}|[A-Za-z0-9_~-][A-Za-z0-9._~-]*))*)?$/,
    "must be / and segments of letters, digits, - . _ ~, or :name for one segment; no wildcard, no dot first",
  )
  .describe("`/poll/:id`; `:id` matches one segment");

const topic = z
  .string()
  .max(128)
  .regex(/^[a-z][a-z0-9_-]*(?:\.[a-z0-9][a-z0-9_-]*)*(?:\.\*)?$/, "must be a topic, or a prefix and .*");

const uiPath = z
  .string()
  .max(255)
  .regex(/^ui\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+)*$/, "must be a file below ui/");

const list = <T extends z.ZodType>(item: T, max: number) => z.array(item).max(max).default([]);
const identifier = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, "must be 1–63 of a–z, 0–9 and -, a letter first");

export const manifestSchema = z.strictObject({
  manifestVersion: z.literal(2).describe("2"),
  name: extensionName.describe("reverse domain name; the extension's id"),
  version: z
    .string()
    .max(64)
    .refine((text) => semver.valid(text) === text, "must be a semantic version without build metadata, e.g. 1.0.0")
    .describe("semantic version; a published one never changes"),
  publisher: z
    .strictObject({ id: shownText(300).describe("equal to the signer's id when signed"), name: shownText(100) })
    .describe("who publishes it: `{id, name}`"),
  displayName: shownText(60).describe("name in the catalogue"),
  description: shownText(500).optional().describe("one paragraph"),
  license: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9.+()-]+(?: [A-Za-z0-9.+()-]+)*$/, "must be an SPDX expression")
    .optional()
    .describe("SPDX expression"),
  homepage: z
    .url({ protocol: /^https$/, hostname: z.regexes.domain })
    .max(300)
    .optional()
    .describe("https address"),
  icon: uiPath
    .regex(/\.(?:png|webp)$/, "must be a .png or .webp file")
    .optional()
    .describe("a PNG or WebP file below `ui/`"),
  stage: z.enum(["stable", "experimental", "deprecated"]).default("stable").describe("how finished it is"),
  engine: z
    .string()
    .min(1)
    .max(100)
    .refine((range) => semver.validRange(range) !== null, "must be a range of semantic versions, e.g. ^1.0.0")
    .describe("range of ABI versions it runs on"),
  capabilities: list(
    z.strictObject({
      name: z.enum(Object.keys(capabilities) as [Capability, ...Capability[]], {
        error: (issue) => `there is no capability ${JSON.stringify(issue.input)} to ask for`,
      }),
      reason,
    }),
    Object.keys(capabilities).length,
  ).describe("what it asks to be granted: `[{name, reason}]`"),
  egress: list(z.strictObject({ host, reason }), 50).describe("hosts it sends to: `[{host, reason}]`; needs `http.fetch`"),
  endpoints: list(
    z.strictObject({
      method: z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]),
      path: endpointPath,
      permission: permission.optional(),
      public: z.boolean().optional().describe("without signing in, if the community allows that"),
    }),
    100,
  ).describe("its HTTP endpoints: `[{method, path, permission?, public?}]`"),
  events: list(topic, 50).describe("topics it is told of, exact or `prefix.*`"),
  filters: list(
    z.strictObject({
      point: z.enum(filterPoints),
      mode: z.enum(["fail_open", "fail_closed"]),
      priority: z.int().min(0).max(100).default(50),
    }),
    filterPoints.length,
  ).describe("points at which it may change or refuse: `[{point, mode, priority?}]`"),
  jobs: list(z.strictObject({ name: identifier, schedule: scheduleSchema }), 20).describe(
    "`[{name, schedule}]`; a named interval or `{cron, timeZone}`",
  ),
  settings: settingsSchema.optional().describe("JSON Schema (a closed part of 2020-12) of its settings per community"),
  ui: z
    .strictObject({
      entry: uiPath.regex(/\.html$/, "must be a .html file"),
      nav: list(z.strictObject({ label: shownText(40), path: endpointPath, permission: permission.optional() }), 10),
      csp: z
        .strictObject({ connect: list(host, 20), img: list(host, 20) })
        .optional()
        .describe("hosts its pages may reach; each also in `egress`"),
    })
    .optional()
    .describe("its pages: `{entry, nav, csp?}`"),
  limits: z
    .strictObject({
      fuel: z.int().min(1).optional(),
      timeMs: z.int().min(1).max(600_000).optional(),
      memoryBytes: z
        .int()
        .min(65_536)
        .max(4 * 1024 ** 3)
        .optional(),
    })
    .optional()
    .describe("what one invocation asks for; never more is granted than policy and instance allow"),
  migrates: z
    .strictObject({ settingsVersion: z.int().min(1), step: identifier })
    .optional()
    .describe("version of the settings and the step that brings older ones there"),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestInput = z.input<typeof manifestSchema>;

/** JSON Schema (2020-12) of what an author writes, for editors. Rules that span fields are not in it. */
export function manifestJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(manifestSchema, { io: "input", unrepresentable: "any" }) };
}

/** The table of docs/architecture/manifest.md. */
export function manifestTable(): string {
  const { properties = {}, required = [] } = z.toJSONSchema(manifestSchema, { io: "input", unrepresentable: "any" });
  const rows = Object.entries(properties).map(([name, property]) => {
    const description = typeof property === "object" ? (property.description ?? "") : "";
    return `| \`${name}\` | ${required.includes(name) ? "yes" : ""} | ${description} |`;
  });
  return ["| field | needed | meaning |", "|---|---|---|", ...rows].join("\n");
}
