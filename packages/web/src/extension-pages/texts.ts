/** Texts around extensions' frames. */
import { defineTexts } from "../app/i18n.ts";

export const useExtensionTexts = defineTexts("extension-pages", {
  loading: "{{name}} is loading…",
  noPageHere: "It has no page at this address that you may open.",
  notShown: "{{name}} is not shown",
  again: "Load it again",
  refused: "{{name}}: a call was refused.",
  pages: "Pages of {{name}}",
  notices: "Notices of {{name}}",
  dismiss: "Dismiss",
  noSuchPage: "There is no such page",
  noSuchPageText: "The address names no page of an extension.",
  back: "Back to the community",
  cannotShow: "This page cannot be shown",
  fault: {
    silent: "Its page did not load, or it did not answer in time.",
    gone: "Its page ended, crashed or went somewhere else.",
    flooding: "Its page sent more messages than a page may, so it was stopped.",
  },
});
