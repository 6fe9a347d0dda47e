/** What the bench of hooks wakes: it says how long ago its event was made, by the clocks of who wrote the event and who began the call. */
import { defineExtension } from "@althing/sdk/guest";

export const extension = defineExtension({
  events: { "module.changed": (event, { time }) => String(time.getTime() - Date.parse(event.time)) },
});
