/**
 * `althing ext …`: the author's way from a new project to an extension that runs, the tree of its commands.
 *
 * Invariant: declared here, done in files that are loaded when a command runs; the toolchain (compilers, bundlers) is loaded by those that build.
 */
import { Option, type Command } from "commander";
import { addCommand, type Action } from "../command.ts";
import { wholeNumber } from "../context.ts";
import type { CliHost } from "../host.ts";

const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value];
const templateNames = ["http", "event", "job", "ui", "assemblyscript"];
const developers = "dev";

const making =
  (name: "newProject" | "build" | "pack" | "sign" | "verify" | "inspect" | "registry" | "newKey" | "useKey" | "showKey"): Action =>
  async (context, args) =>
    (await import("./ext-project.ts"))[name](context, args);
const sending =
  (name: "publish" | "install" | "logs" | "call"): Action =>
  async (context, args) =>
    (await import("./ext-instance.ts"))[name](context, args);

export function addExt(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "ext",
    summary: "write extensions: new, dev, test, pack, sign, publish",
    examples: ["althing ext new hello", "althing ext dev --as ../alice.id"],
  });
  addProject(host, group);
  addKeys(host, group);
  addBundles(host, group);
  addRunning(host, group);
}

const inProject = (command: Command): Command => command.option("--project <folder>", "the project (default: this folder)");
const withKey = (command: Command): Command =>
  command
    .option("--key <file>", "the publisher's key")
    .option("--chain <file>", "certificates of that key, the signer's first (PEM); without it the bare key signs");

function addProject(host: CliHost, group: Command): void {
  const created = addCommand(host, group, {
    use: "new <name>",
    summary: "a new project in a folder of that name",
    examples: ["althing ext new hello", "althing ext new digest --template job --key publisher.key"],
    action: making("newProject"),
  });
  created
    .addOption(new Option("--template <template>", "what it starts from").choices(templateNames).default("http"))
    .option("--id <id>", "its reverse domain name (default: org.example.NAME)")
    .option("--folder <folder>", "where (default: NAME)");
  withKey(created);
  inProject(
    addCommand(host, group, {
      use: "build",
      summary: "manifest, component and pages into dist/",
      examples: ["althing ext build"],
      action: making("build"),
    }),
  );
  withKey(
    inProject(
      addCommand(host, group, {
        use: "pack",
        summary: "build, and pack one file to publish; with --key also sign it",
        examples: ["althing ext pack", "althing ext pack --key publisher.key"],
        action: making("pack"),
      }),
    ),
  ).option("-o, --output <file>", "where (default: NAME-VERSION.althing in the project)");
  inProject(
    addCommand(host, group, {
      use: "test",
      summary: "run test/*.test.ts, then send test/*.requests.json to the real runner",
      examples: ["althing ext test", "althing ext test --no-runner"],
      action: async (context) => (await import("./ext-test.ts")).test(context),
    }),
  ).option("--no-runner", "only the tests in memory");
}

function addKeys(host: CliHost, group: Command): void {
  const keys = addCommand(host, group, {
    use: "key",
    summary: "publisher keys: the name under which packages are signed",
    examples: ["althing ext key new publisher.key", "althing ext key show publisher.key"],
  });
  addCommand(host, keys, {
    use: "new <file>",
    summary: "make a key; its public half goes to FILE.pub",
    examples: ["althing ext key new publisher.key"],
    action: making("newKey"),
  });
  addCommand(host, keys, {
    use: "show <file>",
    summary: "publisher id and public key",
    examples: ["althing ext key show publisher.key", "althing ext key show signer.key --chain signer.pem"],
    action: making("showKey"),
  }).option("--chain <file>", "certificates of that key (PEM)");
  inProject(
    addCommand(host, keys, {
      use: "use <file>",
      summary: "write the key's publisher id into the project's manifest",
      examples: ["althing ext key use ../publisher.key"],
      action: making("useKey"),
    }).option("--chain <file>", "certificates of that key (PEM)"),
  );
}

function addBundles(host: CliHost, group: Command): void {
  withKey(
    addCommand(host, group, {
      use: "sign <bundle>",
      summary: "write the signature file beside a bundle",
      examples: ["althing ext sign org.example.hello-1.0.0.althing --key publisher.key"],
      action: making("sign"),
    }),
  );
  addCommand(host, group, {
    use: "verify <bundle>",
    summary: "is the signature right, and by whom? With --trust: would an instance that trusts these take it?",
    examples: [
      "althing ext verify org.example.hello-1.0.0.althing",
      "althing ext verify org.example.hello-1.0.0.althing --trust trust.pem",
    ],
    action: making("verify"),
  })
    .option("--signature <file>", "its signature (default: the .sig.json beside it)")
    .option("--trust <file>", "public keys and authorities (PEM)")
    .option("--crl <file>", "revocation lists (PEM)");
  addCommand(host, group, {
    use: "inspect <bundle>",
    summary: "what it is and what it asks for, in plain words",
    examples: ["althing ext inspect org.example.hello-1.0.0.althing"],
    action: making("inspect"),
  });
  withKey(
    addCommand(host, group, {
      use: "registry <folder>",
      summary: "write the signed list of a static registry into a folder of packed bundles, for any web server",
      examples: ["althing ext registry packages/ --key publisher.key", "althing ext registry packages/ --key publisher.key --days 7"],
      action: making("registry"),
    }),
  ).addOption(new Option("--days <n>", "how long the list is valid (default 30)").argParser(wholeNumber("--days", 1, 365)));
  inProject(
    addCommand(host, group, {
      use: "publish [bundle]",
      summary: "publish a signed bundle in the instance's registry (default: what the project packed)",
      examples: ["althing ext publish --as alice.id", "althing ext publish org.example.hello-1.0.0.althing --as alice.id"],
      action: sending("publish"),
    }),
  ).option("--signature <file>", "its signature (default: the .sig.json beside it)");
  inProject(
    addCommand(host, group, {
      use: "install [bundle]",
      summary: "install a bundle into a community (default: what the project packed)",
      examples: ["althing ext install --community garden --as alice.id"],
      action: sending("install"),
    }),
  )
    .requiredOption("--community <community>", "name or id")
    .option("--signature <file>", "its signature (default: the .sig.json beside it)")
    .option("--no-activate", "upload only; consent comes later");
}

function addRunning(host: CliHost, group: Command): void {
  const dev = addCommand(host, group, {
    use: "dev",
    summary: "run the project in a community of your own on a local instance, rebuilt at every change",
    examples: ["althing ext dev --as ../alice.id", "althing ext dev --project hello --as alice.id"],
    action: async (context) => (await import("./ext-dev.ts")).dev(context),
  });
  withKey(inProject(dev)).option("--community <community>", "founded if it does not exist", developers);
  const called = addCommand(host, group, {
    use: "call <method> <path>",
    summary: "a signed request to an extension, through the gateway",
    examples: [
      "althing ext call GET /hello/ada --as ../alice.id",
      'althing ext call POST /notes --body \'{"text":"hi"}\' --community garden --as alice.id',
    ],
    action: sending("call"),
  });
  inProject(called)
    .option("--community <community>", "name or id", developers)
    .option("--extension <name>", "its name (default: the project's)")
    .option("--body <text>", "the body; @FILE reads a file, @- stdin")
    .option("--header <name:value>", "a header; repeatable", collect);
  inProject(
    addCommand(host, group, {
      use: "logs",
      summary: "what the project's extension did",
      examples: ["althing ext logs --as ../alice.id", "althing ext logs --follow --community garden --as alice.id"],
      action: sending("logs"),
    }),
  )
    .option("--community <community>", "name or id", developers)
    .option("--extension <name>", "its name (default: the project's)")
    .option("--follow", "go on as they come; Ctrl-C ends it");
}
