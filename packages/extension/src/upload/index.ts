/** Face of uploads: a body on its way in, and a bundle staged. */
export { createUploads, type StagedBundle, type UploadLimits, type Uploads } from "./create-uploads.ts";
export type { Upload } from "./receive-parts.ts";
