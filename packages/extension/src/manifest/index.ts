/** Face of the manifest: schema, validator, what both are described by. */
export {
  capabilities,
  filterPoints,
  manifestJsonSchema,
  manifestSchema,
  manifestTable,
  type Capability,
  type Manifest,
  type ManifestInput,
} from "./manifest-schema.ts";
export {
  checkManifest,
  maxManifestBytes,
  parseManifest,
  readManifest,
  type ManifestResult,
  type ParseManifestOptions,
} from "./parse-manifest.ts";
export { namedSchedules, type CronCheck, type JobSchedule } from "./schedule.ts";
export { fitsSetting, type SettingNode, type SettingsSchema } from "./settings-schema.ts";
