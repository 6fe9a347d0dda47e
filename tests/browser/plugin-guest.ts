/**
 * The component of the packages that screens of plugins are tested with.
 *
 * Invariant: what it does is asked for by the request, so that one component serves every manifest.
 */
import { defineExtension, http, json, log, settingsType, text } from "@althing/sdk/guest";

interface Settings {
  readonly greeting?: string;
}

/** What became of a request to `host`, in one word for the log. */
function reach(host: string): string {
  try {
    return String(http.fetch(`https://${host}/`).status);
  } catch (error) {
    return error instanceof Error ? `${error.name} ${error.message}` : String(error);
  }
}

export const extension = defineExtension({
  settings: settingsType<Settings>(),
  http: {
    "GET /greet": (_request, { settings }) => text(`${settings.greeting ?? "Hello"}, you!`),
    "GET /fail": () => {
      throw new Error("it fails when it is asked to");
    },
    "GET /reach/:host": (request) => {
      const told = reach(request.params.host);
      log.info(`${request.params.host}: ${told}`);
      return json({ told });
    },
  },
  events: {
    "member.*": () => {
      throw new Error("it takes no event");
    },
  },
  jobs: { tick: () => "ticked" },
});
