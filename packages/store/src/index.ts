/** Public face of the store: state, one-time claims and write-once objects behind one face each, and their back ends. */
export * from "./types.ts";
export type { ObjectCipher } from "./object-cipher.ts";
export {
  copyJetStreamState,
  keysInJetStream,
  loadJetStreamClaims,
  loadJetStreamState,
  readJetStreamSchemaVersion,
  type CopiedState,
} from "./jetstream-copy.ts";
export { openFolderObjects, type FolderObjectsOptions } from "./open-folder-objects.ts";
export { openJetStreamClaims, type JetStreamClaimsOptions } from "./open-jetstream-claims.ts";
export { openJetStreamObjects, type JetStreamObjectsOptions } from "./open-jetstream-objects.ts";
export { openJetStreamStore, type JetStreamStoreOptions } from "./open-jetstream-store.ts";
export { createJetStreamLink, type JetStreamLink, type JetStreamLinkOptions } from "./jetstream-link.ts";
export { findStream, type FindStreamOptions } from "./jetstream-stream.ts";
export { openMemoryClaims, type MemoryClaimsOptions } from "./open-memory-claims.ts";
export { openMemoryObjects } from "./open-memory-objects.ts";
export { openMemoryStore, type MemoryStoreOptions } from "./open-memory-store.ts";
export { openS3Objects, type S3ObjectsOptions } from "./open-s3-objects.ts";
export { openSqliteClaims, type SqliteClaimsOptions } from "./open-sqlite-claims.ts";
export { openSqliteStore, type SqliteStoreOptions } from "./open-sqlite-store.ts";
export { retryConflicts } from "./retry-conflicts.ts";
export type { Fsync } from "./sqlite-file.ts";
export { digestCollections, moveCollections, readRecordsMeta, type CollectionDigest, type RecordsFile } from "./sqlite-records.ts";
export {
  copySqliteFile,
  digestSqliteFile,
  listSqliteKeys,
  readSqliteSchemaVersion,
  rekeySqliteFile,
  type SqliteDigest,
} from "./sqlite-snapshot.ts";
export { storeLimits } from "./store-limits.ts";
