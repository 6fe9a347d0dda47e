/** Texts of the parts that every area uses. */
import { defineTexts } from "../app/i18n.ts";

export const useUiTexts = defineTexts("ui", {
  busy: "Working…",
  cancel: "Cancel",
  close: "Close",
  confirm: "Confirm",
  copy: "Copy",
  copied: "Copied",
  copyFailed: "Your browser did not allow it. Select the text and copy it yourself.",
  dismiss: "Dismiss",
  loading: "Loading…",
  loadMore: "Show more",
  notices: "Notices",
  optional: "optional",
  retry: "Try again",
  search: "Search",
  undo: "Undo",
  you: "you",
  refusal: {
    title: "That was refused",
    who: "Who can change it",
    next: "What to do next",
    seen: "What was seen",
    rule: "Rule",
    code: "Code",
    request: "Request",
    wait_one: "Possible again in {{count}} second.",
    wait_other: "Possible again in {{count}} seconds.",
    unexpected: "Something in this page went wrong",
    unexpectedNext: "Load the page again. If it comes back, tell whoever runs this instance what is written here.",
  },
});
