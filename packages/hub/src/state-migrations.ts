/**
 * Steps that bring the records of an instance forward, one a released version of their schema.
 *
 * Invariant: versions are 1, 2, 3 … without gaps and never change once released; a new instance runs them all, an older one only in `althing upgrade`, which has
 * made a backup first (docs/architecture/backup.md, "Upgrade"). Empty: the records have had one schema so far, version 0.
 */
import type { Migration } from "@althing/store";

export const stateMigrations: readonly Migration[] = [];
