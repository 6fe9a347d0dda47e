/**
 * The way in for the holder of a one-time link or an invitation: make or restore an identity, keep the recovery phrase, choose a handle.
 *
 * Invariant: the phrase is shown once and lives in this page's memory until its words were confirmed; only then are the keys imported, not
 * exportable, and only then is the token spent. Leaving the page before that costs nothing.
 */
import { AppError, handleSchema, type User } from "@althing/contract";
import {
  checkRecoveryPhrase,
  claimInstance,
  createClient,
  joinInstance,
  loadBrowserIdentity,
  newRecoveryPhrase,
  openMemoryState,
  saveBrowserIdentity,
  type Identity,
} from "@althing/client";
import { h, show } from "./element.ts";

export interface Newcomer {
  readonly kind: "claim" | "join";
  readonly token: string;
}

const titles = { claim: "Claim this instance", join: "You are invited" } as const;
const leads = {
  claim: "Nobody runs this instance yet. Whoever holds this link becomes its first admin.",
  join: "Somebody on this instance has invited you. It takes a minute.",
} as const;
/** Words that are asked back. */
const askedWords = 3;

/** Leads through the steps; resolves with who the person is now. */
export function runNewcomer(place: HTMLElement, newcomer: Newcomer): Promise<{ user: User; identity: Identity }> {
  return new Promise((resolve) => {
    const chooseHandle = (identity: Identity) =>
      show(
        place,
        handleStep(newcomer, identity, (user) => resolve({ user, identity })),
      );
    const confirm = (phrase: string) =>
      show(
        place,
        confirmStep(phrase, chooseHandle, () => showPhrase(phrase)),
      );
    const showPhrase = (phrase: string) =>
      show(
        place,
        phraseStep(phrase, () => confirm(phrase)),
      );
    // Somebody may be a user already: on a second device, or after an interruption. Then the token is not spent.
    const goOn = (identity: Identity) =>
      void userOf(identity).then((user) => (user === undefined ? chooseHandle(identity) : resolve({ user, identity })));
    const restore = () => show(place, restoreStep("Step 2 of 4", goOn, begin));
    const begin = () =>
      void startStep(newcomer, { create: () => showPhrase(newRecoveryPhrase()), restore, keep: goOn }).then((step) => show(place, step));
    begin();
  });
}

/** For a browser without an identity and without a token: the way in for somebody who has one elsewhere. Resolves when it was restored. */
export function runRestore(place: HTMLElement): Promise<Identity> {
  return new Promise((resolve) => {
    const choice = () =>
      h(
        "section",
        { class: "card" },
        h("h1", {}, "A ground for communities"),
        h(
          "p",
          { class: "lead" },
          "To come in you need an invitation from a member, or, on a new instance, the one-time link that its start printed.",
        ),
        h("div", { class: "actions" }, button("I have a recovery phrase", restore, "quiet")),
      );
    const restore = () =>
      show(
        place,
        restoreStep("Another device", resolve, () => show(place, choice())),
      );
    place.replaceChildren(choice());
  });
}

async function userOf(identity: Identity): Promise<User | undefined> {
  const client = createClient({ identity, urls: [location.origin], state: openMemoryState() });
  try {
    return await client.me();
  } catch {
    // Not a user, or no answer: the next step says which.
    return undefined;
  } finally {
    await client.close();
  }
}

function card(step: string, title: string, ...content: readonly (Node | string)[]): HTMLElement {
  return h(
    "section",
    { class: "card entry", "aria-labelledby": "entry-title" },
    h("p", { class: "step" }, step),
    h("h1", { id: "entry-title" }, title),
    ...content,
  );
}

function button(label: string, onPress: () => void, kind: "primary" | "quiet" = "primary"): HTMLButtonElement {
  const node = h("button", { type: "button", class: kind }, label);
  node.addEventListener("click", onPress);
  return node;
}

async function startStep(
  newcomer: Newcomer,
  ways: { create: () => void; restore: () => void; keep: (identity: Identity) => void },
): Promise<HTMLElement> {
  const kept = await loadBrowserIdentity();
  const choices =
    kept === undefined
      ? [button("Create my identity", ways.create), button("I have a recovery phrase", ways.restore, "quiet")]
      : [button("Go on with this browser’s identity", () => ways.keep(kept))];
  return card(
    "Step 1 of 4",
    titles[newcomer.kind],
    h("p", { class: "lead" }, leads[newcomer.kind]),
    h(
      "p",
      {},
      kept === undefined
        ? "Your identity is a pair of keys that this browser makes and keeps. There is no password and no e-mail address."
        : "This browser keeps an identity already.",
    ),
    h("div", { class: "actions" }, ...choices),
  );
}

function phraseStep(phrase: string, next: () => void): HTMLElement {
  const copied = h("span", { class: "fine", role: "status" });
  const copy = button(
    "Copy",
    () =>
      void navigator.clipboard
        .writeText(phrase)
        .then(() => (copied.textContent = "Copied. Paste it somewhere safe, then clear the clipboard.")),
    "quiet",
  );
  return card(
    "Step 2 of 4",
    "Write down these twelve words",
    h(
      "p",
      { class: "lead" },
      "They are your identity. They are shown this once, and nobody can send them to you again: not the server, not an admin.",
    ),
    h("ol", { class: "words", "aria-label": "Recovery phrase" }, ...phrase.split(" ").map((word) => h("li", {}, word))),
    h("div", { class: "actions" }, button("I have written them down", next), copy),
    copied,
  );
}

function confirmStep(phrase: string, done: (identity: Identity) => void, back: () => void): HTMLElement {
  const words = phrase.split(" ");
  const asked = pick(words.length, askedWords);
  const inputs = asked.map((index) =>
    h("input", { id: `word-${index}`, autocomplete: "off", autocapitalize: "none", spellcheck: "false", required: true }),
  );
  const fault = h("p", { class: "fault", role: "alert" });
  const form = h(
    "form",
    { novalidate: true },
    h(
      "div",
      { class: "fields" },
      ...asked.map((index, at) => h("div", { class: "field" }, h("label", { for: `word-${index}` }, `Word ${index + 1}`), inputs[at])),
    ),
    fault,
    h("div", { class: "actions" }, h("button", { class: "primary" }, "Confirm"), button("Show the words again", back, "quiet")),
  );
  onSubmit(form, fault, async () => {
    const wrong = asked.findIndex((index, at) => inputs[at]?.value.trim().toLowerCase() !== words[index]);
    if (wrong >= 0) {
      inputs[wrong]?.focus();
      throw new Error(`Word ${(asked[wrong] ?? 0) + 1} is another one. Look at what you wrote down.`);
    }
    done(await saveBrowserIdentity(phrase));
  });
  return card("Step 3 of 4", "Check what you wrote", h("p", { class: "lead" }, "Three of the words, to be sure."), form);
}

function restoreStep(step: string, done: (identity: Identity) => void, back: () => void): HTMLElement {
  const input = h("textarea", {
    id: "phrase",
    rows: "3",
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    required: true,
  });
  const fault = h("p", { class: "fault", role: "alert" });
  const form = h(
    "form",
    { novalidate: true },
    h("div", { class: "field" }, h("label", { for: "phrase" }, "Recovery phrase, twelve words"), input),
    fault,
    h("div", { class: "actions" }, h("button", { class: "primary" }, "Restore"), button("Back", back, "quiet")),
  );
  onSubmit(form, fault, async () => {
    const phrase = input.value.trim().toLowerCase().split(/\s+/).join(" ");
    checkRecoveryPhrase(phrase);
    done(await saveBrowserIdentity(phrase));
    input.value = "";
  });
  return card(step, "Restore your identity", h("p", { class: "lead" }, "The words stay in this browser."), form);
}

function handleStep(newcomer: Newcomer, identity: Identity, done: (user: User) => void): HTMLElement {
  const input = h("input", {
    id: "handle",
    autocomplete: "username",
    autocapitalize: "none",
    spellcheck: "false",
    maxlength: "32",
    required: true,
    "aria-describedby": "handle-rule",
  });
  const fault = h("p", { class: "fault", role: "alert" });
  const form = h(
    "form",
    { novalidate: true },
    h(
      "div",
      { class: "field" },
      h("label", { for: "handle" }, "Your handle"),
      input,
      h(
        "p",
        { id: "handle-rule", class: "fine" },
        "Small letters, digits, dot, dash, underscore. It is yours for ever and cannot be changed.",
      ),
    ),
    fault,
    h("div", { class: "actions" }, h("button", { class: "primary" }, newcomer.kind === "claim" ? "Become admin" : "Join")),
  );
  onSubmit(form, fault, async () => {
    const handle = handleSchema.safeParse(input.value.trim().toLowerCase());
    if (!handle.success) {
      input.focus();
      throw new Error(
        "A handle has 1 to 32 small letters, digits, dots, dashes or underscores, and starts and ends with a letter or digit.",
      );
    }
    const enter = newcomer.kind === "claim" ? claimInstance : joinInstance;
    done(await enter({ url: location.origin, token: newcomer.token, handle: handle.data, identity }));
  });
  return card("Step 4 of 4", "Choose a handle", h("p", { class: "lead" }, "The name others see."), form);
}

/** One submit at a time; a fault is shown in the form and read out. */
function onSubmit(form: HTMLFormElement, fault: HTMLElement, act: () => Promise<void>): void {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const submit = form.querySelector("button.primary");
    if (!(submit instanceof HTMLButtonElement) || submit.disabled) return;
    submit.disabled = true;
    fault.textContent = "";
    act()
      .catch((error: unknown) => {
        fault.textContent = faultText(error);
      })
      .finally(() => {
        submit.disabled = false;
      });
  });
}

export function faultText(error: unknown): string {
  if (error instanceof AppError) return `${error.message} ${error.fix}`;
  return error instanceof Error ? error.message : String(error);
}

/** Distinct random positions, in order. */
function pick(size: number, count: number): number[] {
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add((crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % size);
  return [...chosen].toSorted((a, b) => a - b);
}
