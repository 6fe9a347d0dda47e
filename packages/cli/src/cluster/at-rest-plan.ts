/**
 * The steps of `cluster at-rest`: every node gets a key of its own, one after the other, while the others serve.
 *
 * Invariant: pure; a node is stopped only while all others are ready, and the next one is touched when it is back and hears all. A key that is there is kept, a node that
 * is encrypted with it already is left so: after a failure the same command goes on. Keys are made on their machines and never leave them.
 */
import { usageError } from "../context.ts";
import { lookAt, ssh } from "./far-steps.ts";
import type { PlanInput } from "./plans.ts";
import type { Step } from "./steps.ts";

const readyWithinMs = 300_000;
const readyNowMs = 10_000;
/** Two segments at least, and nothing that a shell would read. */
const pathGrammar = /^(?:\/[A-Za-z0-9][A-Za-z0-9._-]*){2,}$/;

/** @throws {cli.usage} the nodes file names no key file, or one that is not a plain absolute path outside of the nodes' data */
export function atRestPlan({ plan, machine }: PlanInput): Step[] {
  const { nodes, program, user, settings } = plan;
  const file = settings["at_rest_key_file"];
  if (typeof file !== "string" || !pathGrammar.test(file))
    throw usageError(
      `${plan.file} needs at_rest_key_file in [settings]: an absolute path on each machine, such as "/etc/althing/at-rest.key"`,
    );
  const inData = nodes.find(({ home }) => file.startsWith(`${home}/data/`));
  if (inData !== undefined) throw usageError(`at_rest_key_file lies in the data of ${inData.name}, which it is to protect`);
  const folder = file.slice(0, file.lastIndexOf("/"));
  const each = nodes.flatMap((node): Step[] => {
    const toml = `${node.home}/althing.toml`;
    const line = `at_rest_key_file = "${file}"`;
    const others = nodes.filter(({ name }) => name !== node.name);
    return [
      ...others.map(({ name, entry }) => ({
        ...{ kind: "wait" as const, node: name, what: `look that it is ready before ${node.name} is touched`, url: entry.url },
        ...{ withinMs: readyNowMs, until: {} },
      })),
      ssh(
        node,
        "make a key where there is none",
        `test -e ${file} || { mkdir -p ${folder} && ${program}/althing at-rest key new ${file} && chown ${user}:${user} ${file}; }`,
      ),
      ssh(node, "stop it", "systemctl stop althing"),
      ssh(
        node,
        "encrypt it: empty it, start it, wait until it has caught up, compare, stop it",
        `cd ${node.home} && told=$(runuser -u ${user} -- ${program}/althing at-rest enable --yes --json --at-rest-key-file ${file} 2>&1) || case "$told" in *encryption.already*) ;; *) echo "$told" | tail -n 1 >&2; exit 1;; esac`,
      ),
      ssh(
        node,
        "name its key",
        `grep -q '^at_rest_key_file = ' ${toml} && sed -i 's|^at_rest_key_file = .*|${line}|' ${toml} || sed -i '1i ${line}' ${toml}`,
      ),
      ssh(node, "start it", "systemctl start althing"),
      {
        ...{ kind: "wait", node: node.name, what: "wait until it is back", url: node.entry.url },
        ...{ withinMs: readyWithinMs, until: { heard: nodes.length } },
      },
    ];
  });
  return [...nodes.map((node) => lookAt(node, machine)), ...each];
}
