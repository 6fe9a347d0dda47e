/** Face of backups, for benches and suites; commands run them as one-shot modes of the program. */
export { createBackup, type CreateBackupOptions } from "./create-backup.ts";
export { restoreBackup, verifyBackup, type Restored, type RestoreOptions } from "./restore-backup.ts";
export { requireUpgraded } from "./require-upgraded.ts";
export { rollBack, upgradeData } from "./upgrade-data.ts";
