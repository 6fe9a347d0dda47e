/** Screens of this area. */
export { ExtensionPage } from "./extension-page.tsx";
