/**
 * The records of an instance, wherever they are kept, as the two files that a backup has: `state.db` and `executions.db`.
 *
 * Invariant: each copy is one moment of the records, made while others write. In the file the records have one form, whatever kept them: an instance in SQLite has the
 * log of executions in a file of its own, one in JetStream has it among its records, so there it is parted off.
 */
import { rm, stat } from "node:fs/promises";
import type { BusConnection } from "@althing/bus";
import { hasCode, streams } from "@althing/contract";
import {
  copyJetStreamState,
  copySqliteFile,
  keysInJetStream,
  listSqliteKeys,
  moveCollections,
  readJetStreamSchemaVersion,
  readSqliteSchemaVersion,
  rekeySqliteFile,
} from "@althing/store";
import { isMissing } from "../private-file.ts";
import { writeFailure } from "./archive-writer.ts";
import type { DataSource } from "./data-source.ts";

/** What `packages/extension` keeps in a store of its own on one node (executions/execution-rows.ts). */
export const executionCollections: readonly string[] = ["executions", "open-executions", "ext-usage"];

export interface StatePlaces {
  readonly state: string;
  readonly executions: string;
  /** What the copies are encrypted with; absent: they are plain. */
  readonly copyKey: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface StateSource {
  /** Named in errors. */
  readonly shown: string;
  schemaVersion(): Promise<number>;
  /** Makes both files anew. @throws {backup.write_failed} {store.corrupt} {store.unavailable} */
  copy(places: StatePlaces): Promise<void>;
  /** Are all of these rooms still there? */
  hasRooms(rooms: ReadonlySet<string>): Promise<boolean>;
}

export function openStateSource(source: DataSource, { account: connection }: BusConnection): StateSource {
  return source.format.store === "sqlite" ? sqliteSource(source) : jetStreamSource({ connection, stream: streams.state });
}

async function removeOld({ state, executions }: StatePlaces): Promise<void> {
  for (const path of [state, executions]) await rm(path, { force: true });
}

function sqliteSource({ paths, atRest }: DataSource): StateSource {
  const { key } = atRest.sqlite;
  const copyOne = async (from: string, to: string, own: Uint8Array | undefined, copyKey: Uint8Array | undefined): Promise<void> => {
    try {
      await copySqliteFile({ from, to, key: own });
      rekeySqliteFile({ path: to, from: own, to: copyKey });
    } catch (error) {
      // What SQLite cannot write is a matter of the backup's place.
      throw hasCode(error, "store.unavailable") ? writeFailure(to, error) : error;
    }
  };
  return {
    shown: paths.stateDb,
    schemaVersion: () => Promise.resolve(readSqliteSchemaVersion(paths.stateDb, key)),
    async copy(places) {
      await removeOld(places);
      await copyOne(paths.stateDb, places.state, key, places.copyKey);
      if (await exists(paths.executionsDb)) await copyOne(paths.executionsDb, places.executions, atRest.executions.key, places.copyKey);
    },
    hasRooms(rooms) {
      const still = new Set(listSqliteKeys(paths.stateDb, "rooms", key).map(([room]) => room));
      return Promise.resolve([...rooms].every((room) => still.has(room)));
    },
  };
}

function jetStreamSource(place: Parameters<typeof keysInJetStream>[0]): StateSource {
  return {
    shown: `stream ${place.stream}`,
    schemaVersion: () => readJetStreamSchemaVersion(place),
    async copy(places) {
      await removeOld(places);
      const { state, executions, copyKey: key, signal } = places;
      await copyJetStreamState({ ...place, to: { path: state, key }, signal });
      moveCollections({ path: state, key }, { path: executions, key }, executionCollections);
    },
    async hasRooms(rooms) {
      const found = await keysInJetStream(
        place,
        "rooms",
        [...rooms].map((room) => [room] as const),
      );
      return found.length === rooms.size;
    },
  };
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
