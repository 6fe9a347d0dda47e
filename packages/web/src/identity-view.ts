/**
 * Who this browser is on this instance, once it is somebody.
 *
 * Invariant: shows public facts only; the keys themselves cannot be shown, since nothing can read them.
 */
import type { User } from "@althing/contract";
import { h } from "./element.ts";

export function identityView(user: User, fresh: boolean): HTMLElement {
  const role = user.role === "admin" ? "admin of this instance" : "member of this instance";
  return h(
    "section",
    { class: "card entry", "aria-labelledby": "entry-title" },
    h("p", { class: "step" }, fresh ? "Done" : "Signed in"),
    h("h1", { id: "entry-title" }, fresh ? `Welcome, ${user.handle}` : `You are ${user.handle}`),
    h("p", { class: "lead" }, `You are ${role}. This browser holds your keys.`),
    h(
      "dl",
      { class: "facts" },
      h("dt", {}, "Handle"),
      h("dd", {}, user.handle),
      h("dt", {}, "Endpoint id"),
      h("dd", {}, h("code", {}, user.endpoint)),
      h("dt", {}, "Signing key"),
      h("dd", {}, h("code", {}, user.signPub)),
    ),
    h(
      "p",
      { class: "fine" },
      "To use the same identity on the command line: ",
      h("code", {}, "althing identity restore"),
      " with your twelve words.",
    ),
  );
}
