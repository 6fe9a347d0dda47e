/**
 * The page of the poll extension: lists polls, votes, asks. All data come and go through the host page.
 */
import { BridgeError, connectHost, followHeight, followTheme, type HostConnection } from "@althing/sdk/ui";

interface PollView {
  readonly id: string;
  readonly question: string;
  readonly options: readonly string[];
  readonly author: string;
  readonly counts: readonly number[];
  readonly mine: number | null;
}

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no #${id}`);
  return found;
}

function textOf(fields: FormData, name: string): string {
  const value = fields.get(name);
  return typeof value === "string" ? value : "";
}

const status = element("status", HTMLParagraphElement);
const list = element("polls", HTMLElement);
const form = element("new", HTMLFormElement);

async function ask(host: HostConnection, method: string, path: string, json?: unknown): Promise<unknown> {
  const response = await host.call(method, path, json === undefined ? {} : { json });
  if (!response.ok) throw new BridgeError("poll.refused", (response.json() as { message: string }).message);
  return response.json();
}

function draw(host: HostConnection, poll: PollView): HTMLElement {
  const article = document.createElement("article");
  const heading = document.createElement("h2");
  heading.textContent = poll.question;
  const options = poll.options.map((option, choice) => {
    const button = document.createElement("button");
    button.className = "option";
    button.textContent = `${option}: ${poll.counts[choice] ?? 0}`;
    button.setAttribute("aria-pressed", String(poll.mine === choice));
    button.addEventListener("click", () => {
      // One vote at a time: the answer to a second one would replace what is no longer shown.
      for (const each of options) each.disabled = true;
      void attempt(host, async () =>
        article.replaceWith(draw(host, (await ask(host, "POST", `/polls/${poll.id}/vote`, { choice })) as PollView)),
      ).finally(() => {
        for (const each of options) each.disabled = false;
      });
    });
    return button;
  });
  const by = document.createElement("p");
  by.textContent = `asked by ${poll.author}`;
  article.append(heading, ...options, by);
  return article;
}

async function attempt(host: HostConnection, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    host.toast(error instanceof Error ? error.message : String(error), "error");
  }
}

async function show(host: HostConnection): Promise<void> {
  const { polls } = (await ask(host, "GET", "/polls")) as { polls: readonly { id: string }[] };
  const views = await Promise.all(polls.map(async ({ id }) => (await ask(host, "GET", `/polls/${id}`)) as PollView));
  list.replaceChildren(...views.map((poll) => draw(host, poll)));
  status.textContent = views.length === 0 ? "No polls yet." : "";
}

try {
  const host = await connectHost();
  followTheme(host);
  followHeight(host);
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = new FormData(form);
    const options = textOf(fields, "options")
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
    void attempt(host, async () => {
      await ask(host, "POST", "/polls", { question: textOf(fields, "question"), options });
      form.reset();
      await show(host);
    });
  });
  await attempt(host, () => show(host));
} catch (error) {
  status.textContent = error instanceof Error ? error.message : String(error);
}
