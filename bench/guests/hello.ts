/** What the gateway's bench calls: the same as hello.as, in the engine for TypeScript. */
import { defineExtension, json, text } from "@althing/sdk/guest";

export const extension = defineExtension({
  http: {
    "GET /hello/:name": (request, context) => json({ hello: request.params.name, from: context.extension }),
    "GET /spin": () => {
      let turns = 0;
      while (turns >= 0) turns++;
      return text("never");
    },
  },
});
