/**
 * The guides, line by line as they stand there: each in a fresh workplace with an instance of its own, its files written, its words in capitals filled in
 * with what earlier lines printed.
 *
 * Invariant: no line is skipped silently. A line that is not run exactly as written stands in its guide's table with what is done instead and why; a table's
 * row that fits no line fails, and so does a line that ends with anything but 0 and has no row.
 */
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { repositoryRoot } from "@althing/testkit";
import { expect, test } from "vitest";
import { eventually, openWorkplace, type Workplace } from "./althing-process.ts";
import { openGuideShell, type GuideShell } from "./guide-shell.ts";
import { guideSteps } from "./guide-steps.ts";

type Instead =
  /** Asks on a terminal; there is none. */
  | { readonly yes: true }
  /** Goes on until Ctrl-C: until it shows this, for which something is done elsewhere. */
  | { readonly until: RegExp; readonly whileTyping?: string }
  /** Goes on until the guide is over, once it has shown this. */
  | { readonly background: RegExp }
  /** The same with something else in it. */
  | { readonly type: string; readonly because: string }
  /** Only that the commands are there. */
  | { readonly help: true; readonly because: string }
  /** Is so already. */
  | { readonly done: true; readonly because: string };

interface Guide {
  readonly file: string;
  /** For a vote to end, for tries of an event: then the others go on. */
  readonly waits?: true;
  /** Lines of althing.toml. */
  readonly settings?: string;
  /** What the guide presupposes. */
  prepare?(shell: GuideShell, place: Workplace): Promise<void>;
  /** By the line as it stands in the guide. */
  readonly instead?: Readonly<Record<string, Instead>>;
  /** Words in capitals: what the line that begins so prints. */
  readonly words?: Readonly<Record<string, readonly [line: string, printed: RegExp]>>;
  /** Before the line that begins so. */
  readonly before?: Readonly<Record<string, (shell: GuideShell, words: Map<string, string>, place: Workplace) => Promise<void>>>;
  /** Languages of blocks that are no lines, and where they are tried. */
  readonly others?: Readonly<Record<string, string>>;
}

const aMoment = 90_000;
const first = /^(\S{26})/;

async function ok(shell: GuideShell, line: string): Promise<string> {
  const ran = await shell.type(line);
  if (ran.code !== 0) throw new Error(`${line}\nended with ${ran.code}\n${ran.stderr}${ran.stdout}`);
  return ran.stdout;
}

/** alice, the admin, and others as users. */
async function people(shell: GuideShell, ...others: readonly string[]): Promise<void> {
  await ok(shell, "./althing identity new alice.id && ./althing bootstrap --as alice.id --handle alice");
  for (const name of others)
    await ok(
      shell,
      `./althing identity new ${name}.id && ./althing join "$(./althing invite --as alice.id)" --as ${name}.id --handle ${name}`,
    );
}

const guides: readonly Guide[] = [
  {
    file: "communities.md",
    waits: true,
    prepare: (shell) => people(shell, "bob", "carol", "dan", "eve"),
    instead: {
      './althing community join garden --answer why="tomatoes" --as dan.id': { yes: true },
      "./althing events tail --community garden --as bob.id": {
        until: /announcement\.posted/,
        whileTyping: './althing announce post "Now" --community garden --as alice.id',
      },
      "./althing community leave garden --as eve.id": { yes: true },
      "./althing member erase garden --as eve.id": { yes: true },
      "./althing member erase garden --as dan.id": { yes: true },
      "./althing room delete beds --as alice.id": { yes: true },
      "./althing community delete garden --as alice.id": { yes: true },
      "./althing announce remove ANNOUNCEMENT --community garden --as alice.id": { yes: true },
    },
    words: {
      PROPOSAL: ['./althing proposal create "Water at dawn"', first],
      COMMENT: ["./althing proposal comment PROPOSAL", first],
      AMENDMENT: ["./althing proposal amend PROPOSAL", first],
      SCHULZE: ['./althing proposal create "What to plant"', first],
      SECRET: ['./althing proposal create "Who keeps the key?"', first],
      ACTION: ["./althing moderation mute", /(\S{26})/],
      ANNOUNCEMENT: ["./althing announce post", first],
    },
    before: {
      "./althing vote cast APPROVAL": async (shell, words) => {
        for (const method of ["approval", "score", "star", "quadratic", "irv", "stv"]) {
          const options = "--option Roses --option Beans --option Kale";
          const made = await ok(
            shell,
            `./althing proposal create ${method} ${options} --method ${method} --discuss --community garden --as alice.id`,
          );
          const id = first.exec(made)?.[1] ?? "";
          await ok(shell, `./althing proposal open ${id} --community garden --as alice.id`);
          words.set(method.toUpperCase(), id);
        }
      },
      // The shortest vote there is: a minute from its opening.
      "./althing proposal open SECRET": async (_, words) => void words.set("TIME", new Date(Date.now() + 64_000).toISOString()),
      "./althing vote open-ballots SECRET": async (shell, words) =>
        void (await eventually(
          async () => (await ok(shell, `./althing vote show ${words.get("SECRET")} --community garden --as eve.id`)).includes("opening"),
          "the secret vote is over",
          aMoment,
        )),
    },
  },
  {
    file: "tour.md",
    instead: { "npm start": { done: true, because: "the instance runs" } },
  },
  {
    file: "packages.md",
    waits: true,
    prepare: async (shell) => {
      await people(shell, "bob", "carol");
      await ok(shell, "./althing ext key new publisher.key && (umask 077; echo 00ff > key.txt) && ./althing ext new hello");
      await writeHello(shell, "1.0.0");
      await ok(shell, "./althing ext pack --project hello --key publisher.key -o org.example.hello-1.0.0.althing");
      await writeHello(shell, "1.1.0");
      await ok(shell, "./althing ext pack --project hello --key publisher.key -o org.example.hello-1.1.0.althing");
    },
    instead: {
      "./althing package install org.example.hello-1.0.0.althing --community garden --as alice.id": { yes: true },
      "./althing package upgrade org.example.hello-1.1.0.althing --community garden --as alice.id": { yes: true },
      "./althing package log org.example.hello --follow --community garden --as alice.id": { until: /\bjob\b.*\bcount\b/ },
      "./althing package discard org.example.hello --community garden --as alice.id": { yes: true },
      "./althing package rollback org.example.hello --community garden --as alice.id": { yes: true },
      "./althing package remove org.example.hello --keep --community garden --as alice.id": { yes: true },
      "./althing package remove org.example.hello --purge --community garden --as alice.id": { yes: true },
      "./althing package install org.example.hello-1.1.0.althing --community garden --as alice.id": { yes: true },
      "./althing package install registry:org.example.hello --community garden --as alice.id": { yes: true },
      './althing registry yank org.example.hello 1.0.0 "loses data" --as alice.id': { yes: true },
      "./althing package upgrade https://packages.example.org/index.json --name org.example.hello --community garden --as alice.id": {
        help: true,
        because: "no web server of that name; static registries are tried in packages/extension",
      },
    },
    before: {
      // What the package cannot take: five tries take a quarter of a minute.
      "./althing policy show": async (shell) => void (await ok(shell, "./althing member add garden carol --as alice.id")),
      "./althing package dead-letters": async (shell) =>
        void (await eventually(
          async () => (await ok(shell, "./althing package dead-letters org.example.hello --community garden --as alice.id")) !== "",
          "a dead letter",
          aMoment,
        )),
    },
  },
  {
    file: "chat-and-agents.md",
    prepare: async (shell) => {
      await people(shell, "bob");
      await ok(shell, "./althing room create garden --as alice.id && ./althing room invite garden bob --as alice.id && echo map > map.png");
    },
    instead: { "./althing worker --name helper --init --as helper.id": { background: /reading agent\.helper\.in/ } },
    words: { REFERENCE: ["./althing blob put", /^(\S+)$/m] },
  },
  {
    file: "extension-authors.md",
    prepare: async (shell) => {
      await people(shell);
      await ok(shell, "./althing community create garden --as alice.id");
    },
    instead: {
      "../althing ext dev --key ../publisher.key --as ../alice.id": { until: /watching for changes/ },
      "../althing ext install --community garden --as ../alice.id": { yes: true },
      "../althing events tail --since 0 --community garden --as ../alice.id": { until: /ext\.org\.example\.hello\.counted/ },
    },
  },
  {
    file: "operator.md",
    settings: 'platform_mode = "approval"\n',
    prepare: async (shell) => void (await ok(shell, "./althing identity new bob.id")),
    instead: {
      "npm start": { done: true, because: "the instance runs" },
      "./althing check --messages 10000 --as alice.id": {
        type: "./althing check --messages 500 --as alice.id",
        because: "ten thousand take a while",
      },
      "./althing check --mode loop --duration 10m --persist --as alice.id": { until: /\n\S+\s+\d+\s+\d+\s+\S+/ },
      "./althing user revoke bob --as alice.id": { yes: true },
    },
    words: { TOKEN: ["./althing invite", /^(\S+)$/m] },
    before: {
      "./althing identity new alice.id": async (_, __, place) => void (await place.up()),
      "./althing community founding-requests": async (shell) => {
        await ok(
          shell,
          './althing identity new carol.id && ./althing join "$(./althing invite --as alice.id)" --as carol.id --handle carol',
        );
        await ok(shell, "./althing community request hive --as carol.id");
      },
    },
    others: {
      toml: "external-nats.test.ts",
      conf: "external-nats.test.ts",
      ini: "external-nats.test.ts",
      console: "at-rest-cluster.test.ts",
    },
  },
  {
    file: "runbooks.md",
    prepare: async (shell) => {
      await people(shell);
      await ok(shell, "./althing community create garden --as alice.id && ./althing ext key new publisher.key && ./althing ext new hello");
      await writeHello(shell, "1.0.0");
      await ok(shell, "./althing ext pack --project hello --key publisher.key -o org.example.hello-1.0.0.althing");
      await ok(shell, "./althing trust add publisher.key.pub --as alice.id");
      await ok(shell, "./althing package install org.example.hello-1.0.0.althing --community garden --as alice.id --yes");
    },
    words: { PUBLISHER: ["./althing trust list", /\b(ed25519:\w+)/] },
    before: {
      "./althing trust list": async (_, __, place) => void (await place.up()),
      "./althing events verify --community": async (shell) =>
        expect(await ok(shell, "./althing package show org.example.hello --community garden --as alice.id")).toMatch(/trust|sign/i),
    },
  },
];

/** The package of packages.md: a setting, a secret, an endpoint, a job, and an event that it cannot take. */
async function writeHello(shell: GuideShell, version: string): Promise<void> {
  const folder = join(shell.folder(), "hello");
  const reason = "For the guide.";
  const manifest: Record<string, unknown> = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8"));
  const changed = {
    ...{ ...manifest, version, jobs: [{ name: "count", schedule: "daily" }], events: ["member.joined"] },
    egress: [{ host: "api.example.com", reason }],
    capabilities: [
      { name: "storage.kv", reason },
      { name: "http.fetch", reason },
    ],
    settings: {
      type: "object",
      properties: {
        greeting: { type: "string", title: "Greeting", default: "Hello" },
        API_KEY: { type: "string", title: "Key", secret: true },
      },
    },
  };
  await writeFile(join(folder, "manifest.json"), JSON.stringify(changed));
  await writeFile(
    join(folder, "src/index.ts"),
    `import { defineExtension, text } from "@althing/sdk/guest";
     export const extension = defineExtension({
       http: { "GET /hello/:name": (request) => text("hello " + request.params.name) },
       jobs: { count: () => "counted" },
       events: { "member.joined": () => { throw new Error("it has no room for anybody"); } },
     });`,
  );
}

/** The commands of a line, without their arguments: `./althing vote cast`. */
function commandsOf(line: string): string[] {
  return [...line.matchAll(/(\S*althing(?: [a-z][a-z-]*)+)/g)].map(([, command = ""]) => command);
}

const flat = (text: string): string => text.replace(/\s+/g, " ");

/** Types one line of a guide as its table says. @returns what it printed */
async function typeLine(guide: Guide, line: string, filled: string, shell: GuideShell): Promise<string> {
  const instead = guide.instead?.[line];
  if (instead === undefined) return ok(shell, filled);
  if ("yes" in instead) return ok(shell, `${filled} --yes`);
  if ("type" in instead) return ok(shell, instead.type);
  if ("help" in instead) {
    for (const command of commandsOf(line)) await ok(shell, `${command} --help`);
    return "";
  }
  if ("background" in instead) {
    await shell.typeInBackground(filled, instead.background, aMoment);
    return "";
  }
  if ("until" in instead) {
    const { whileTyping } = instead;
    const ran = await shell.typeUntil(filled, instead.until, aMoment, whileTyping === undefined ? undefined : () => ok(shell, whileTyping));
    expect([0, 130], ran.stderr).toContain(ran.code);
    return ran.stdout;
  }
  return "";
}

async function walk(guide: Guide): Promise<void> {
  await using place = await openWorkplace(guide.settings);
  await place.up();
  await using shell = await openGuideShell(place);
  await guide.prepare?.(shell, place);
  const words = new Map<string, string>();
  const fill = (text: string): string => text.replace(/\b[A-Z]{3,}\b/g, (word) => words.get(word) ?? word);
  const { before = {}, words: known = {} } = guide;
  const begun = [...Object.keys(before), ...Object.values(known).map(([begins]) => begins)];
  const unused = new Set([...Object.keys(guide.instead ?? {}), ...begun]);
  for (const step of guideSteps(guide.file)) {
    if (step.kind === "other") {
      expect(Object.keys(guide.others ?? {}), "a block that nobody tries").toContain(step.language);
      continue;
    }
    if (step.kind === "file") {
      const path = join(shell.folder(), step.path);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, step.text);
      continue;
    }
    const { line, prints } = step;
    for (const [begins, prepare] of Object.entries(before)) if (line.startsWith(begins)) await prepare(shell, words, place);
    for (const row of unused) if (line === row || (begun.includes(row) && line.startsWith(row))) unused.delete(row);
    const printed = await typeLine(guide, line, fill(line), shell);
    for (const part of prints?.split("…") ?? []) expect(flat(printed), line).toContain(flat(part).trim());
    for (const [word, [begins, pattern]] of Object.entries(known))
      if (line.startsWith(begins)) words.set(word, pattern.exec(printed)?.[1] ?? `no ${word}`);
  }
  expect([...unused], "rows of the table that fit no line").toEqual([]);
}

/** The blocks of client-library.md as one program. */
function libraryProgram(url: string): string {
  const blocks = guideSteps("client-library.md").map((step) => {
    if (step.kind !== "other" || step.language !== "ts")
      throw new Error(`client-library.md has a block that is no program: ${JSON.stringify(step)}`);
    return step.text.replaceAll(/https:\/\/(?:one|two)\.example\.org/g, url);
  });
  return [
    'import { newRecoveryPhrase } from "@althing/crypto";',
    'import { joinInstance } from "@althing/client";',
    "const [url = '', token = ''] = process.argv.slice(2);",
    "const phrase = newRecoveryPhrase();",
    "const identity = await identityFromPhrase(phrase);",
    "const bytes = new Uint8Array([1, 2, 3]);",
    ...blocks,
    'if (same.join() !== "1,2,3" || me.handle !== "ada") throw new Error("the page promises something else");',
  ].join("\n");
}

async function walkLibrary(): Promise<void> {
  await using place = await openWorkplace();
  const { url } = await place.up();
  await using shell = await openGuideShell(place);
  await people(shell, "bob");
  await ok(shell, "./althing community create garden --as alice.id && ./althing community set garden --registration open --as alice.id");
  await mkdir(join(place.path, "node_modules"));
  await symlink(join(repositoryRoot, "node_modules/@althing"), join(place.path, "node_modules/@althing"));
  await writeFile(join(place.path, "program.mts"), libraryProgram(url));
  const program = `"${process.execPath}" --disable-warning=ExperimentalWarning program.mts`;
  const printed = await ok(shell, `${program} ${url} "$(./althing invite --as alice.id)"`);
  expect(printed).toContain("member.joined");
}

/** One after another, as far as they do not wait for a clock: each has an instance of its own. */
let turn = Promise.resolve();
function inTurn(work: () => Promise<void>): Promise<void> {
  const done = turn.then(work);
  turn = done.catch(() => undefined);
  return done;
}

test.concurrent.each(guides.map((guide) => [guide.file, guide] as const))("%s is true", { timeout: 240_000 }, async (_, guide) => {
  await (guide.waits === true ? walk(guide) : inTurn(() => walk(guide)));
});

test.concurrent("client-library.md is true", { timeout: 240_000 }, () => inTurn(walkLibrary));
