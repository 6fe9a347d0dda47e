/**
 * What a room costs in the shipped page: scrolling through ten thousand messages, and the way of a live message to the screen.
 *
 * A real instance, a real Chromium (without a graphics processor, so the figures are of the slow kind), all messages end-to-end encrypted and verified
 * in the page. Frames are counted by requestAnimationFrame while the log is scrolled by a part of its height at every frame, and what the page's main thread
 * worked for each of them is asked of the browser: that figure means something on a busy machine, too. Prints a table and one line of JSON; exits 1 when a limit
 * is missed.
 *
 *   node bench/web-rooms.ts [MESSAGES]
 */
import { startWebWorld } from "../tests/browser/web-world.ts";

interface Row {
  readonly name: string;
  readonly observed: number;
  readonly limit: number;
  /** Is more better? */
  readonly atLeast: boolean;
}

const count = Number(process.argv[2] ?? 10_000);
const stepPx = 900;
const scrollMs = 6_000;

await using world = await startWebWorld();
const bob = await world.person("bob");
const room = await world.admin.client.rooms.create({ name: "long", policy: { history: "shared" } });
await room.invite("bob");
const { room: bobs } = await bob.client.rooms.join("long");
for (let sent = 0; sent < count; sent += 500)
  await Promise.all(
    Array.from({ length: Math.min(500, count - sent) }, (_, at) =>
      room.send(`message ${sent + at} ${"of some words ".repeat((sent + at) % 9)}`),
    ),
  );

const { page, close } = await world.open(world.admin, "/rooms/long");
page.setDefaultTimeout(120_000);
await page
  .getByText(`message ${count - 1} `, { exact: false })
  .first()
  .waitFor();

// To the beginning, page by page.
const loadStart = performance.now();
await page.getByRole("log").evaluate(async (box) => {
  for (;;) {
    box.scrollTop = 0;
    await new Promise((done) => setTimeout(done, 20));
    if (box.textContent?.includes("Here begins") === true && box.scrollTop === 0) return;
  }
});
const loadMs = performance.now() - loadStart;

const session = await page.context().newCDPSession(page);
await session.send("Performance.enable", { timeDomain: "threadTicks" });
const workMs = async (): Promise<ReadonlyMap<string, number>> =>
  new Map((await session.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value * 1_000]));
const workBefore = await workMs();
const scrolled = await page.getByRole("log").evaluate(
  async (box, { pixels, lengthMs }) => {
    const times: number[] = [];
    const rows = new Set<string>();
    let direction = 1;
    const end = performance.now() + lengthMs;
    await new Promise<void>((done) => {
      const step = (now: number) => {
        times.push(now);
        box.scrollTop += pixels * direction;
        if (box.scrollTop + box.clientHeight >= box.scrollHeight - 1) direction = -1;
        if (box.scrollTop === 0) direction = 1;
        const shown = box.querySelector("[data-index]")?.getAttribute("data-index");
        if (typeof shown === "string") rows.add(shown);
        if (now < end) requestAnimationFrame(step);
        else done();
      };
      requestAnimationFrame(step);
    });
    const gaps = times
      .slice(1)
      .map((time, at) => time - (times[at] ?? 0))
      .toSorted((a, b) => a - b);
    return {
      framesPerSecond: ((times.length - 1) * 1_000) / ((times.at(-1) ?? 0) - (times[0] ?? 0)),
      slowMs: gaps[Math.floor(gaps.length * 0.99)] ?? 0,
      frames: times.length,
      placesSeen: rows.size,
      nodes: box.querySelectorAll("*").length,
    };
  },
  { pixels: stepPx, lengthMs: scrollMs },
);

const workAfter = await workMs();
const perFrameMs = (name: string) => ((workAfter.get(name) ?? Number.NaN) - (workBefore.get(name) ?? 0)) / scrolled.frames;

// Live: from the call of the sender in Node to the words on the screen.
await page.getByRole("log").evaluate((box) => (box.scrollTop = box.scrollHeight));
const delays: number[] = [];
for (let at = 0; at < 20; at += 1) {
  const text = `live ${at}`;
  const seen = page.getByRole("log").evaluate(
    (box, wanted) =>
      new Promise<number>((done) => {
        const look = () => {
          if (![...box.querySelectorAll("p[dir=auto]")].some((one) => one.textContent === wanted)) return;
          observer.disconnect();
          done(Date.now());
        };
        const observer = new MutationObserver(look);
        observer.observe(box, { childList: true, subtree: true, characterData: true });
        look();
      }),
    text,
  );
  const start = Date.now();
  await bobs?.send(text);
  delays.push((await seen) - start);
}
await close();
const sorted = delays.toSorted((a, b) => a - b);

const rows: readonly Row[] = [
  { name: `frames a second while scrolling ${count} messages`, observed: scrolled.framesPerSecond, limit: 55, atLeast: true },
  { name: "work of the main thread for a frame, ms", observed: perFrameMs("TaskDuration"), limit: 12, atLeast: false },
  { name: "elements in the log", observed: scrolled.nodes, limit: 1_500, atLeast: false },
  { name: "live message to screen, median, ms", observed: sorted[Math.floor(sorted.length / 2)] ?? Infinity, limit: 100, atLeast: false },
];
for (const { name, observed, limit, atLeast } of rows)
  console.log(`${name.padEnd(56)} ${observed.toFixed(1).padStart(9)}   ${atLeast ? "≥" : "≤"} ${limit}`);
console.log(
  `all pages read in ${(loadMs / 1_000).toFixed(1)} s; slowest hundredth of frames ${scrolled.slowMs.toFixed(0)} ms; ${scrolled.placesSeen} places seen`,
);
console.log(
  `of a frame's work, ms: scripts ${perFrameMs("ScriptDuration").toFixed(2)}, styles ${perFrameMs("RecalcStyleDuration").toFixed(2)}, layout ${perFrameMs("LayoutDuration").toFixed(2)}`,
);
console.log(JSON.stringify({ bench: "web-rooms", rows }));
if (rows.some(({ observed, limit, atLeast }) => (atLeast ? observed < limit : observed > limit))) process.exitCode = 1;
