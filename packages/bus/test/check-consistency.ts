/**
 * What must hold of the bus's records whenever the bus has opened on them, whatever happened before.
 *
 * Invariant: reads only; each finding names the records that disagree, so that an empty list is the proof.
 */
import { decodeEpoch, fromBase64url } from "@althing/crypto";
import type { Store } from "@althing/store";
import { openCollections, type Collections } from "../src/collections.ts";
import { everyRecord } from "../src/paging.ts";
import { readEpoch } from "../src/rooms/epoch-rows.ts";

async function keysOf(records: AsyncIterable<{ key: readonly string[] }>): Promise<string[]> {
  const keys: string[] = [];
  for await (const record of records) keys.push(record.key.join("/"));
  return keys.sort();
}

function differences(what: string, some: readonly string[], others: readonly string[]): string[] {
  const [left, right] = [new Set(some), new Set(others)];
  const missing = some.filter((key) => !right.has(key)).map((key) => `${what}: ${key} stands only in the first`);
  return [...missing, ...others.filter((key) => !left.has(key)).map((key) => `${what}: ${key} stands only in the second`)];
}

async function checkUsers(collections: Collections): Promise<string[]> {
  const findings: string[] = [];
  const endpoints: string[] = [];
  const handles: string[] = [];
  const admins: string[] = [];
  for await (const { value } of everyRecord(collections.users)) {
    endpoints.push(`${value.endpoint}/${value.signPub}`);
    handles.push(`${value.handle}/${value.endpoint}`);
    if (value.role === "admin" && value.status === "active") admins.push(value.endpoint);
    if (value.status === "revoked" && (await collections.sessions.get([value.endpoint])))
      findings.push(`${value.handle} is revoked and has sessions`);
  }
  const byEndpoint: string[] = [];
  for await (const { key, value } of everyRecord(collections.endpoints)) byEndpoint.push(`${key[0]}/${value.signPub}`);
  const byHandle: string[] = [];
  for await (const { key, value } of everyRecord(collections.handles)) byHandle.push(`${key[0]}/${value.endpoint}`);
  if (new Set(handles.map((handle) => handle.split("/")[0])).size !== handles.length) findings.push("a handle was given twice");
  const active = (await collections.admins.get(["active"]))?.value.active ?? [];
  const listed = active.map((admin) => admin.endpoint);
  findings.push(...differences("users and endpoints", endpoints, byEndpoint), ...differences("users and handles", handles, byHandle));
  findings.push(...differences("users and admins", admins, listed));
  if (endpoints.length > 0 && admins.length === 0) findings.push("there are users and no admin");
  return findings;
}

/** Record and rows say the same people; each has its sealed key. */
async function checkRecord(collections: Collections, room: string, people: ReadonlyMap<string, string>): Promise<string[]> {
  const row = (await collections.rooms.get([room]))?.value;
  if (!row?.policy.encrypt) return [];
  const findings: string[] = [];
  for (let number = 1; number <= row.epoch; number++) {
    const head = await collections.epochs.get([room, String(number).padStart(10, "0")]);
    if (!head) findings.push(`${room}: epoch ${number} is missing`);
  }
  const anybody = [...people.keys()][0] ?? "";
  const epoch = await readEpoch(collections, row.id, row.epoch, anybody as never);
  if (!epoch) return findings;
  const { record, hash } = decodeEpoch(fromBase64url(epoch.record));
  if (hash !== row.epochHash) findings.push(`${room}: the row names another record`);
  const inRecord = record.members.map((member) => `${member.endpoint}/${member.role}`);
  const inRows = [...people].map(([endpoint, role]) => `${endpoint}/${role}`);
  const gone = new Set<string>(row.gone);
  const present = inRecord.filter((entry) => !gone.has(entry.split("/")[0] ?? ""));
  findings.push(...differences(`${room}: record and rows`, present, inRows));
  for (const endpoint of gone) if (people.has(endpoint)) findings.push(`${room}: ${endpoint} is gone and in the rows`);
  const sealed: string[] = [];
  for await (const { value } of everyRecord(collections.epochParts, [room, String(row.epoch).padStart(10, "0"), "sealed"]))
    if ("sealed" in value) sealed.push(...value.sealed.map((one) => one.endpoint));
  findings.push(
    ...differences(
      `${room}: record and sealed keys`,
      record.members.map((member) => member.endpoint),
      sealed,
    ),
  );
  const after = await collections.epochs.get([room, String(row.epoch + 1).padStart(10, "0")]);
  if (after) findings.push(`${room}: there is an epoch beyond the row's`);
  return findings;
}

async function checkRooms(collections: Collections): Promise<string[]> {
  const findings: string[] = [];
  const known = new Set<string>();
  const named: string[] = [];
  const ofCommunities: string[] = [];
  for await (const { value } of everyRecord(collections.rooms)) {
    known.add(value.id);
    named.push(`${value.name}/${value.id}`);
    if (value.community !== undefined) ofCommunities.push(`${value.community}/${value.id}`);
    const people = new Map<string, string>();
    for await (const row of everyRecord(collections.members, [value.id])) people.set(row.key[1] ?? "", row.value.role);
    if (people.size !== value.members) findings.push(`${value.id}: counts ${value.members} members, has ${people.size}`);
    if (people.size === 0) findings.push(`${value.id}: nobody is in it`);
    for (const endpoint of people.keys()) {
      const user = await collections.users.get([(await collections.endpoints.get([endpoint]))?.value.signPub ?? "-"]);
      const guest = await collections.guests.get([endpoint]);
      if (user?.value.status !== "active" && guest?.value.status !== "active")
        findings.push(`${value.id}: ${endpoint} is in it and no active user`);
    }
    if (await collections.roomGraves.get([value.id])) findings.push(`${value.id}: lives and has a grave`);
    findings.push(...(await checkRecord(collections, value.id, people)));
  }
  const names: string[] = [];
  for await (const { key, value } of everyRecord(collections.roomNames)) names.push(`${key[0]}/${value.room}`);
  findings.push(...differences("rooms and names", named, names));
  findings.push(...differences("rooms and community-rooms", ofCommunities, await keysOf(everyRecord(collections.communityRooms))));
  const mirror = (await keysOf(everyRecord(collections.userRooms))).map((key) => key.split("/").reverse().join("/"));
  findings.push(...differences("members and user-rooms", await keysOf(everyRecord(collections.members)), mirror));
  for (const collection of [collections.members, collections.epochs, collections.epochParts, collections.joinRequests, collections.usage]) {
    for (const key of await keysOf(everyRecord<unknown>(collection as never)))
      if (!known.has(key.split("/")[0] ?? "")) findings.push(`${collection.name}: ${key} is of no room`);
  }
  return findings;
}

/** @returns what disagrees; empty when all is well */
export async function checkConsistency(store: Store): Promise<string[]> {
  const collections = openCollections(store);
  const chores = (await keysOf(everyRecord(collections.chores))).map((key) => `chore ${key} is still due`);
  return [...(await checkUsers(collections)), ...(await checkRooms(collections)), ...chores];
}
