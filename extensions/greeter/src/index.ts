/**
 * The smallest useful extension: two endpoints and one setting.
 */
import { defineExtension, settingsType, text } from "@althing/sdk/guest";

interface Settings {
  readonly greeting: string;
}

export const extension = defineExtension({
  settings: settingsType<Settings>(),
  http: {
    "GET /greet": (_request, { actor, settings }) => text(`${settings.greeting}, ${actor?.handle ?? "stranger"}!`),
    "GET /greet/:name": (request, { settings }) => text(`${settings.greeting}, ${request.params.name}!`),
  },
});
