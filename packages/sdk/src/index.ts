/**
 * The toolchain for extension authors: build, test, new projects. Runs in Node; what goes into a component is `@althing/sdk/guest`.
 */
export { buildAssemblyScript, type BuildAssemblyScriptOptions } from "./build/build-assembly-script.ts";
export { buildProject, type BuildProjectOptions, type ProjectBuild } from "./build/build-project.ts";
export type { BuildResult } from "./build/build-result.ts";
export { buildTypeScript, type BuildTypeScriptOptions } from "./build/build-type-script.ts";
export { buildUi } from "./build/build-ui.ts";
export { explainStack, type BundleMap } from "./build/source-positions.ts";
export { witPath, worldName } from "./build/wit-path.ts";
export { createProject, templates, type CreatedProject, type CreateProjectOptions, type Template } from "./project/create-project.ts";
export { writeEditorTypes } from "./project/editor-types.ts";
export { SdkError, type SdkErrorCode } from "./sdk-error.ts";
export { runProjectTests, type ProjectTestsOptions, type ProjectTestsResult } from "./testing/run-project-tests.ts";
