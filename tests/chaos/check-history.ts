/**
 * The judge of a chaos round: which promises of a cluster does this history break?
 *
 * Invariant: a pure function of what was written down. What was acknowledged must be there, once, in its sender's order, and the same wherever one asks; what
 * was not answered may be there or not, but not twice; nobody who was revoked is served; nobody alone acknowledges a change, nor, after two seconds, anything;
 * who is connected to a node that nobody harmed stays so; chains verify. What was never tried is a fault too: a check that had nothing to look at shows nothing.
 */
import { wishes, type ChainView, type History, type MessageRef } from "./history.ts";

export type FaultKind =
  | "lost"
  | "doubled"
  | "reordered"
  | "invented"
  | "nodes-differ"
  | "state-lost"
  | "state-doubled"
  | "state-invented"
  | "acknowledged-alone"
  | "served-alone"
  | "dropped"
  | "untried"
  | "duty-lost"
  | "duty-doubled"
  | "served-after-revocation"
  | "chain";

export interface Fault {
  readonly kind: FaultKind;
  readonly detail: string;
}

/** How long a connection of somebody who was revoked may take to be closed, on every node; and a node that is alone to serve nobody. */
const promisedMs = 2_000;

/** So long beyond that a node must be alone, or nothing can be said of it. */
const judgedMs = 500;

/** @param closeWithinMs another time than the promised one, where the machine is shared with other work */
export function findFaults(history: History, closeWithinMs = promisedMs): Fault[] {
  return [
    ...messageFaults(history),
    ...viewFaults(history),
    ...stateFaults(history),
    ...rightFaults(history, closeWithinMs),
    ...aloneFaults(history, closeWithinMs),
    ...dropFaults(history),
    ...dutyFaults(history),
    ...chainFaults(history.chains),
  ];
}

const nameOf = ({ sender, n }: MessageRef): string => `${sender}#${n}`;

function messageFaults({ sent, heard, readers, views }: History): Fault[] {
  const known = new Set(sent.map(nameOf));
  const acknowledged = sent.filter(({ isAcknowledged }) => isAcknowledged).map(nameOf);
  const places = [
    ...readers.map((reader) => ({ place: reader, messages: heard.filter((one) => one.reader === reader) })),
    ...views.map(({ node, messages }) => ({ place: `the history on ${node}`, messages })),
  ];
  return places.flatMap(({ place, messages }) => faultsOfPlace(place, messages, known, acknowledged));
}

function faultsOfPlace(
  place: string,
  messages: readonly MessageRef[],
  known: ReadonlySet<string>,
  acknowledged: readonly string[],
): Fault[] {
  const faults: Fault[] = [];
  const seen = new Set<string>();
  const highest = new Map<string, number>();
  for (const message of messages) {
    const name = nameOf(message);
    const before = highest.get(message.sender) ?? -1;
    if (!known.has(name)) faults.push({ kind: "invented", detail: `${place}: ${name} was never sent` });
    if (seen.has(name)) faults.push({ kind: "doubled", detail: `${place}: ${name} twice` });
    else if (message.n < before) faults.push({ kind: "reordered", detail: `${place}: ${name} after ${message.sender}#${before}` });
    seen.add(name);
    highest.set(message.sender, Math.max(before, message.n));
  }
  for (const name of acknowledged) if (!seen.has(name)) faults.push({ kind: "lost", detail: `${place}: ${name} was acknowledged` });
  return faults;
}

function viewFaults({ views }: History): Fault[] {
  const [first, ...others] = views;
  if (first === undefined) return [];
  const wanted = first.messages.map(nameOf);
  return others.flatMap(({ node, messages }): Fault[] => {
    const names = messages.map(nameOf);
    const at = Array.from({ length: Math.max(wanted.length, names.length) }, (_, i) => i).find((i) => wanted[i] !== names[i]);
    if (at === undefined) return [];
    const detail = `message ${at} is ${wanted[at] ?? "missing"} on ${first.node} and ${names[at] ?? "missing"} on ${node}`;
    return [{ kind: "nodes-differ", detail }];
  });
}

function stateFaults({ acts, states, minorities }: History): Fault[] {
  const faults: Fault[] = [];
  const known = new Map(acts.map((act) => [act.id, act]));
  for (const { node, acts: shown } of states) {
    const counts = new Map<string, number>();
    for (const id of shown) counts.set(id, (counts.get(id) ?? 0) + 1);
    for (const act of acts) {
      const count = counts.get(act.id) ?? 0;
      if (act.outcome === "acknowledged" && count === 0)
        faults.push({ kind: "state-lost", detail: `${act.id} was acknowledged and is not on ${node}` });
      if (count > 1) faults.push({ kind: "state-doubled", detail: `${act.id} is on ${node} ${count} times` });
    }
    for (const id of counts.keys()) {
      const act = known.get(id);
      if (act === undefined || act.outcome === "refused")
        faults.push({ kind: "state-invented", detail: `${id} is on ${node}, and was ${act?.outcome ?? "never asked for"}` });
    }
  }
  for (const act of acts) {
    const alone = minorities.find(({ node, fromMs, untilMs }) => node === act.node && act.beganMs >= fromMs && act.endedMs <= untilMs);
    if (act.outcome === "acknowledged" && alone !== undefined)
      faults.push({ kind: "acknowledged-alone", detail: `${act.id} by ${alone.node}, which had no majority` });
  }
  return faults;
}

function rightFaults({ revocations, served, frozen }: History, closeWithinMs: number): Fault[] {
  const revoked = new Map(revocations.map(({ who, acknowledgedMs }) => [who, acknowledgedMs]));
  return served.flatMap(({ who, node, what, beganMs }): Fault[] => {
    const sinceMs = beganMs - (revoked.get(who) ?? Number.POSITIVE_INFINITY);
    const wokeMs = Math.max(0, ...frozen.filter((span) => span.node === node && span.fromMs <= beganMs).map(({ untilMs }) => untilMs));
    // A server that stood still has its time from when it woke.
    const closing = what === "connection" && (sinceMs <= closeWithinMs || beganMs <= wokeMs + closeWithinMs);
    if (closing || sinceMs <= 0) return [];
    return [
      {
        kind: "served-after-revocation",
        detail: `${who}'s ${what} by ${node}, ${Math.round(sinceMs)} ms after the revocation was acknowledged`,
      },
    ];
  });
}

/** A node without a majority serves nobody after a moment, and says why. */
function aloneFaults({ minorities, wanted }: History, withinMs: number): Fault[] {
  return minorities.flatMap(({ node, fromMs, untilMs }): Fault[] => {
    const late = wanted.filter((one) => one.node === node && one.beganMs > fromMs + withinMs && one.endedMs <= untilMs);
    const faults = late
      .filter(({ isServed }) => isServed)
      .map(({ what, beganMs }): Fault => {
        return { kind: "served-alone", detail: `a ${what} by ${node}, ${Math.round(beganMs - fromMs)} ms after it lost its majority` };
      });
    const isLong = untilMs - fromMs > withinMs + judgedMs;
    for (const what of isLong ? wishes : [])
      if (!late.some((one) => one.what === what))
        faults.push({ kind: "untried", detail: `nobody wanted a ${what} of ${node} while it was alone` });
    const health = late.filter(({ what, isServed }) => what === "health" && !isServed);
    if (health.length > 0 && !health.some(({ said }) => /\d of \d nodes heard/.test(said ?? "")))
      faults.push({ kind: "served-alone", detail: `${node} did not say what it lacks, but: ${health[0]?.said ?? "nothing"}` });
    return faults;
  });
}

/** Harm to some nodes is no harm to who is connected to others. */
function dropFaults({ drops, harms, minorities }: History): Fault[] {
  const touched = new Set([...harms.flatMap(({ nodes }) => nodes), ...minorities.map(({ node }) => node)]);
  return drops
    .filter(({ node }) => !touched.has(node))
    .map(({ node, said }) => ({
      kind: "dropped",
      detail: `a connection to ${node}, which nobody had harmed (${said ?? "it said nothing"})`,
    }));
}

/** A slot is run once; an event is told once, and may be told again where a node died between telling and writing so down. */
function dutyFaults({ duties, harms }: History): Fault[] {
  const faults: Fault[] = [];
  for (const { kind, id, done, isAccountedFor } of duties) {
    if (done === 0 && !isAccountedFor) faults.push({ kind: "duty-lost", detail: `${id} was not done, and nobody says so` });
    if (done > 1 && kind === "slot") faults.push({ kind: "duty-doubled", detail: `${id} was done ${done} times` });
  }
  const again = duties.filter(({ kind }) => kind === "event").reduce((sum, { done }) => sum + Math.max(0, done - 1), 0);
  const deaths = harms.reduce((sum, { nodes }) => sum + nodes.length, 0);
  if (again > deaths) faults.push({ kind: "duty-doubled", detail: `events were told again ${again} times, and ${deaths} nodes died` });
  return faults;
}

function chainFaults(chains: readonly ChainView[]): Fault[] {
  const [first] = chains;
  return chains.flatMap((chain): Fault[] => {
    if (chain.fault !== undefined) return [{ kind: "chain", detail: `on ${chain.node}: ${chain.fault}` }];
    if (first === undefined || chain.head === first.head) return [];
    return [
      { kind: "chain", detail: `${chain.node} ends after ${chain.events} events, ${first.node} after ${first.events}, with another head` },
    ];
  });
}
