/** Screens of plugins: packages, built-in modules, policy; and the policy's editor, which the instance's pages use too. */
export { InstallPage } from "./install-page.tsx";
export { ModulePage } from "./module-page.tsx";
export { ModulesPage } from "./modules-page.tsx";
export { PackagePage } from "./package-page.tsx";
export { PackagesPage } from "./packages-page.tsx";
export { PolicyEditor, type PolicyEditorProps } from "./policy-editor.tsx";
export { PolicyPage } from "./policy-page.tsx";
