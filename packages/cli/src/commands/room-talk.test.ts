/** Message ids are chosen by whoever sends. */
import { expect, it } from "vitest";
import { createSinceId } from "./room-talk.ts";

const shown = (after: string | undefined, ids: readonly string[]) => {
  const isBefore = createSinceId(after);
  return ids.filter((id) => !isBefore(id));
};

it("`tail --since` shows what came after the message, even when its sender gave it an id from the far future", () => {
  const future = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ";
  expect(shown(future, ["01A", future, "01B", "01C"])).toEqual(["01B", "01C"]);
  expect(shown("01B", ["01A", "01B", "01C"])).toEqual(["01C"]);
  expect(shown("01B", ["01A", "01C"])).toEqual(["01C"]);
  expect(shown(undefined, ["01A"])).toEqual(["01A"]);
});
