/** The ledger of moderation, acts and appeals. */
export { AboutMePage } from "./about-me.tsx";
export { ModerateForm } from "./moderate-form.tsx";
export { ModerationPage } from "./moderation-page.tsx";
