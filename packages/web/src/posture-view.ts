/**
 * The posture in words: every protection, whether it holds, and what to do where it does not.
 *
 * Invariant: each field of the contract's posture has a line here; a red or amber one says why and how to mend it. Colour is never the only
 * sign: each line carries a word.
 */
import type { Health, Posture } from "@althing/contract";
import { h } from "./element.ts";

type Level = "good" | "note" | "bad";

interface Line {
  readonly what: string;
  readonly level: Level;
  readonly state: string;
  readonly why: string;
}

const words: Readonly<Record<Level, string>> = { good: "holds", note: "note", bad: "open" };

function lines(posture: Posture): Line[] {
  return [
    authLine(posture),
    aclLine(posture),
    tlsLine(posture),
    storeLine(posture),
    fsyncLine(posture),
    restLine(posture),
    clusterLine(posture),
    signingLine(posture),
    sandboxLine(posture),
    hostsLine(posture),
  ];
}

function authLine({ auth }: Posture): Line {
  return auth === "enforce"
    ? { what: "Signed requests", level: "good", state: "enforced", why: "Every call is signed by somebody's key and checked." }
    : { what: "Signed requests", level: "bad", state: "off", why: "Anybody on this machine can act as anybody. Start without --auth off." };
}

function aclLine({ acl }: Posture): Line {
  const what = "Message access";
  if (acl.state === "live")
    return {
      what,
      level: "good",
      state: `live, revision ${acl.revision}`,
      why: "Members reach their own rooms and nothing else; changes act at once.",
    };
  if (acl.state === "fenced")
    return { what, level: "bad", state: "fenced", why: "The hub was silent, so everybody is shut out until it has read its state again." };
  return {
    what,
    level: "bad",
    state: "unmanaged",
    why: "The messaging server is not under this instance's control. Let the supervisor run it.",
  };
}

function tlsLine({ tls }: Posture): Line {
  const what = "Encryption in transit";
  if (tls === "on") return { what, level: "good", state: "on", why: "Connections are encrypted by this instance." };
  if (tls === "behind-proxy") return { what, level: "good", state: "by a proxy", why: "A reverse proxy in front encrypts connections." };
  return {
    what,
    level: "note",
    state: "not needed",
    why: "This instance listens on this machine only. Other machines need a certificate: --tls-cert and --tls-key.",
  };
}

function storeLine({ store }: Posture): Line {
  return store.ready
    ? { what: "Records", level: "good", state: `ready (${store.kind})`, why: "The state of users and rooms can be read and written." }
    : { what: "Records", level: "bad", state: "not ready", why: "The store does not answer; requests are refused until it does." };
}

function fsyncLine({ fsync }: Posture): Line {
  return fsync === "always"
    ? { what: "Power failure", level: "good", state: "written before acknowledged", why: "What was confirmed is on disk." }
    : { what: "Power failure", level: "note", state: "written in intervals", why: "The last moments before a power failure can be lost." };
}

function restLine({ at_rest: atRest }: Posture): Line {
  return atRest === "on"
    ? {
        what: "Encryption on disk",
        level: "good",
        state: "on",
        why: "The server's own records are encrypted with a key that is not on the same disk.",
      }
    : {
        what: "Encryption on disk",
        level: "note",
        state: "off",
        why: "Messages of encrypted rooms are unreadable here all the same; who is in which room is not.",
      };
}

function clusterLine({ cluster }: Posture): Line {
  const what = "Copies";
  if (cluster.size === 1) return { what, level: "note", state: "one machine", why: "If this machine is lost, so is what no backup holds." };
  if (cluster.quorum)
    return {
      what,
      level: "good",
      state: `${cluster.heard} of ${cluster.size} machines`,
      why: `${cluster.replicas} copies; any one machine may fail.`,
    };
  return { what, level: "bad", state: "no majority", why: "Too few machines are heard, so everything is refused. Bring one back." };
}

function signingLine({ signing }: Posture): Line {
  return signing === "trust-bundle"
    ? { what: "Signed extensions", level: "good", state: "required", why: "Only code verified against the trust bundle runs." }
    : { what: "Signed extensions", level: "good", state: "no extensions", why: "This instance runs no third-party code." };
}

function sandboxLine({ sandbox }: Posture): Line {
  const what = "Sandbox";
  if (sandbox === "none") return { what, level: "good", state: "nothing to contain", why: "No third-party code runs here." };
  return { what, level: "good", state: sandbox, why: "Third-party code runs metered, without network, files or processes." };
}

function hostsLine({ private_hosts: hosts }: Posture): Line {
  return hosts === 0
    ? { what: "Private addresses", level: "good", state: "none reachable", why: "No extension can reach a machine of your own network." }
    : { what: "Private addresses", level: "note", state: `${hosts} allowed`, why: "The operator lets extensions reach these." };
}

const headlines: Readonly<Record<Health["status"], string>> = {
  ready: "This instance is ready",
  starting: "This instance is starting",
  stopping: "This instance is stopping",
  unavailable: "This instance serves nothing just now",
};

/** The whole section. */
export function postureView(health: Health): HTMLElement {
  const rows = lines(health.posture).toSorted((a, b) => rank(a.level) - rank(b.level));
  const open = rows.filter((row) => row.level === "bad").length;
  const summary =
    health.status === "ready"
      ? open === 0
        ? "Every protection that applies here holds."
        : `${open} of its protections ${open === 1 ? "is" : "are"} open.`
      : (health.reason ?? "Try again in a moment.");
  return h(
    "section",
    { class: "card", "aria-labelledby": "posture-title" },
    h("h2", { id: "posture-title", class: health.status === "ready" ? "status good" : "status bad" }, headlines[health.status]),
    h("p", { class: "lead" }, summary),
    h("ul", { class: "protections" }, ...rows.map(row)),
    h("p", { class: "fine" }, `Version ${health.version}, node ${health.node}.`),
  );
}

function rank(level: Level): number {
  return level === "bad" ? 0 : level === "note" ? 1 : 2;
}

function row(line: Line): HTMLElement {
  return h(
    "li",
    { class: `protection ${line.level}` },
    h("span", { class: "badge" }, words[line.level]),
    h(
      "div",
      {},
      h("p", { class: "what" }, h("strong", {}, line.what), " ", h("span", { class: "state" }, line.state)),
      h("p", { class: "why" }, line.why),
    ),
  );
}

export function unreachableView(detail: string): HTMLElement {
  return h(
    "section",
    { class: "card", "aria-labelledby": "posture-title" },
    h("h2", { id: "posture-title", class: "status bad" }, "This instance does not answer"),
    h("p", { class: "lead" }, detail),
  );
}
