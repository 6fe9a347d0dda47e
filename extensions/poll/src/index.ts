/**
 * Polls: a question, some options, one vote for each member.
 *
 * Invariant: a vote is one entry of its own under the member's id, written with compare-and-set, so that two votes at the same moment are two votes and
 * a member who votes again changes theirs. Counts are made from the entries, never kept beside them.
 */
import { defineExtension, HttpProblem, json, kv, type Actor } from "@althing/sdk/guest";

interface Poll {
  readonly id: string;
  readonly question: string;
  readonly options: readonly string[];
  readonly author: string;
  readonly createdAt: string;
}

function requireActor(actor: Actor | undefined): Actor {
  if (actor === undefined) throw new HttpProblem(401, "sign_in", "members only");
  return actor;
}

function isText(value: unknown, max: number): value is string {
  return typeof value === "string" && value.trim() !== "" && value.length <= max;
}

function readQuestion(body: unknown): Pick<Poll, "question" | "options"> {
  const { question, options } = Object(body) as { question?: unknown; options?: unknown };
  const areOptions =
    Array.isArray(options) && options.length >= 2 && options.length <= 10 && options.every((option) => isText(option, 100));
  if (!isText(question, 200) || !areOptions || new Set(options).size !== options.length) {
    throw new HttpProblem(400, "bad_poll", "a poll has a question of 1–200 characters and 2–10 different options of 1–100");
  }
  return { question, options: options as string[] };
}

function findPoll(id: string): Poll {
  const entry = /^\d{1,9}$/.test(id) ? kv.get(`poll/${id}`) : undefined;
  if (entry === undefined) throw new HttpProblem(404, "no_poll", "there is no such poll");
  return entry.json() as Poll;
}

function withCounts(poll: Poll, actor: Actor | undefined) {
  const counts = poll.options.map(() => 0);
  let mine: number | null = null;
  for (const entry of kv.each(`vote/${poll.id}/`)) {
    const choice = Number(entry.text());
    counts[choice] = (counts[choice] ?? 0) + 1;
    if (actor !== undefined && entry.key === `vote/${poll.id}/${actor.id}`) mine = choice;
  }
  return { ...poll, counts, mine };
}

export const extension = defineExtension({
  http: {
    "GET /polls": () => json({ polls: [...kv.each("poll/")].map((entry) => entry.json()) }),
    "POST /polls": (request, context) => {
      const author = requireActor(context.actor).handle;
      const asked = readQuestion(request.json());
      const id = String(kv.update("last-id", (last) => (typeof last === "number" ? last : 0) + 1)).padStart(6, "0");
      const poll: Poll = { id, ...asked, author, createdAt: context.time.toISOString() };
      kv.putJson(`poll/${id}`, poll, { expect: 0 });
      return json(withCounts(poll, context.actor), { status: 201 });
    },
    "GET /polls/:id": (request, { actor }) => json(withCounts(findPoll(request.params.id), actor)),
    "POST /polls/:id/vote": (request, context) => {
      const actor = requireActor(context.actor);
      const poll = findPoll(request.params.id);
      const { choice } = Object(request.json()) as { choice?: unknown };
      if (typeof choice !== "number" || poll.options[choice] === undefined)
        throw new HttpProblem(400, "bad_choice", "choose one of the options by its number");
      kv.update(`vote/${poll.id}/${actor.id}`, () => choice);
      return json(withCounts(poll, actor));
    },
  },
});
