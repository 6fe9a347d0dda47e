/** An application as its author would write it for any host of `wasi:http/proxy`: nothing in it knows of this platform. */
import { Hono } from "hono";

const app = new Hono();
let count = 0;

app.get("/", (c) => c.text("hello"));
app.get("/greet/:name", (c) => c.html(`<p>${c.req.param("name")} ${c.req.query("q") ?? ""}</p>`));
app.post("/json", async (c) => c.json({ got: await c.req.json() }, 201, { "x-ext-made": "by hono" }));
app.post("/echo", async (c) => c.body(await c.req.arrayBuffer(), 200, { "content-type": "application/octet-stream" }));
app.get("/headers", (c) => c.json(c.req.header()));
app.get("/empty", (c) => c.body(null, 204));
app.get("/count", (c) => c.json({ count: ++count }));
app.get("/big/:bytes", (c) => c.body(new Uint8Array(Number(c.req.param("bytes")))));
app.get("/stream", () => {
  let left = 5;
  /** @param {ReadableStreamDefaultController} controller */
  const pull = (controller) => {
    if (left-- > 0) controller.enqueue(new TextEncoder().encode(`part ${5 - left}\n`));
    else controller.close();
  };
  return new Response(new ReadableStream({ pull }));
});
app.get("/log", (c) => {
  console.log("to standard output");
  console.error("to standard error");
  return c.text("logged");
});
app.get("/random", (c) => c.json([crypto.randomUUID(), Math.random()]));
app.get("/time", (c) => c.json(Date.now()));
app.get("/sleep/:ms", async (c) => {
  const before = performance.now();
  await new Promise((resolve) => setTimeout(resolve, Number(c.req.param("ms"))));
  return c.json(performance.now() - before);
});
app.get("/spin", () => {
  for (;;);
});
app.get("/throw", () => {
  throw new Error("it broke");
});
app.post("/fetch", async (c) => {
  const { url, ...options } = await c.req.json();
  try {
    const response = await fetch(url, options);
    return c.json({ status: response.status, header: response.headers.get("x-answer"), body: await response.text() });
  } catch (error) {
    return c.json({ error: String(error) });
  }
});
app.post("/fetch-all", async (c) => {
  /** @type {string[]} */
  const urls = await c.req.json();
  return c.json(await Promise.all(urls.map(async (url) => (await fetch(url)).text())));
});

app.fire();
