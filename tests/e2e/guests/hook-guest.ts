/** An extension that lives by hooks: it answers who joins, guards the door, and falls over one kind of event. Compiled when the test starts. */
import { accept, defineExtension, events, refuse } from "@althing/sdk/guest";

export const extension = defineExtension({
  events: {
    "member.*": (event) => {
      events.emit("greeted", `event/${event.index}`, { topic: event.topic, depth: event.depth });
      return "greeted";
    },
    "module.changed": () => {
      throw new Error("it cannot take this");
    },
  },
  filters: {
    "member.before_join": (payload) =>
      JSON.stringify(payload).includes('"stranger"') ? refuse("Strangers are asked to write to us first.") : accept(payload),
  },
});
