/**
 * The component of the hostile extension: harmless, since what is tried here is its page.
 *
 * Invariant: an answer says what arrived, so a test sees what the host let through.
 */
import { defineExtension, json } from "@althing/sdk/guest";

export const extension = defineExtension({
  http: {
    "GET /echo": (request, context) => json({ headers: [...request.headers], query: request.rawQuery, actor: context.actor?.handle }),
    "POST /echo": (request) => json({ bytes: request.body.length }),
    "GET /items/:id": (request) => json({ id: request.params.id }),
  },
});
