/**
 * Two people and one encrypted room: found it, invite, talk, read history. Run by the library's tests.
 */
import { createClient, openMemoryState, type Identity } from "../src/index.ts";

/** @returns what Bob has read */
export async function talk(url: string, ada: Identity, bob: Identity): Promise<string[]> {
  const adas = createClient({ identity: ada, urls: [url], state: openMemoryState() });
  const bobs = createClient({ identity: bob, urls: [url], state: openMemoryState() });
  try {
    const room = await adas.rooms.create({ name: "talk", policy: { history: "shared" } });
    await room.send("before you came");
    await room.invite("bob");
    const { room: his } = await bobs.rooms.join("talk");
    await room.send("hello, Bob");
    const history = (await his?.history({ last: 10 })) ?? [];
    return history.flatMap((event) => (event.kind === "message" && event.text !== undefined ? [event.text] : []));
  } finally {
    await adas.close();
    await bobs.close();
  }
}
