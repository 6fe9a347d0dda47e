/**
 * A service that answers in a room: the convention for agents is a room it reads and a room it writes. Run by the library's tests.
 */
import type { AlthingClient } from "../src/index.ts";

/** Answers every message of `agent.<name>.in` in `agent.<name>.out`, until the returned function is called. */
export async function runEchoAgent(client: AlthingClient, name: string): Promise<() => Promise<void>> {
  const { room: requests } = await client.rooms.join(`agent.${name}.in`);
  const { room: answers } = await client.rooms.join(`agent.${name}.out`);
  if (requests === undefined || answers === undefined) throw new Error("invite the agent to both rooms first");
  const me = client.identity.endpoint;
  const subscription = await requests.subscribe(async (event) => {
    if (event.kind === "message" && event.sender !== me) await answers.send(`you said: ${event.text ?? "(bytes)"}`);
  });
  return () => subscription.close();
}
