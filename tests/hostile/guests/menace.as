// An extension that does, path by path, what none should: written in AssemblyScript, so that loops, stacks and memories are WebAssembly's own.
// Compiled to a component when the tests start (extension-guests.ts). The honest paths are there to show that it still can be honest.
import { Context, Field, HttpRequest, HttpResponse, failed, http, json, kv, log, metrics, onHttp, rooms, secrets, text } from "@althing/sdk/assemblyscript";

let sink: i32 = 0;

onHttp("GET", "/ok", (request: HttpRequest, context: Context): HttpResponse => text("ok"));
onHttp("GET", "/open", (request: HttpRequest, context: Context): HttpResponse => text(context.actor === null ? "nobody" : "somebody"));
onHttp("GET", "/guarded", (request: HttpRequest, context: Context): HttpResponse => text("ok"));
onHttp("GET", "/pair/:first/:second", (request: HttpRequest, context: Context): HttpResponse =>
  text(request.param("first") + "|" + request.param("second")));
onHttp("POST", "/echo", (request: HttpRequest, context: Context): HttpResponse => new HttpResponse(200, request.body));
onHttp("GET", "/seen", (request: HttpRequest, context: Context): HttpResponse => {
  let lines = "";
  for (let i = 0; i < request.headers.length; i++) lines += request.headers[i].name + "=" + request.headers[i].value + "\n";
  return text(lines);
});

onHttp("GET", "/loop", (request: HttpRequest, context: Context): HttpResponse => {
  // 64 bits wide, so that no machine is fast enough to come round to the end.
  let turns: u64 = 1;
  while (turns != 0) turns++;
  return text(turns.toString());
});
function recurse(depth: i32): i32 {
  sink += depth;
  return recurse(depth + 1) + sink;
}
onHttp("GET", "/recurse", (request: HttpRequest, context: Context): HttpResponse => text(recurse(0).toString()));
onHttp("GET", "/grow", (request: HttpRequest, context: Context): HttpResponse => {
  // Asks for ever, whatever the answer is.
  while (true) {
    if (memory.grow(16) == -1) sink++;
    if (sink == -1) break;
  }
  return text("never");
});
onHttp("GET", "/hoard", (request: HttpRequest, context: Context): HttpResponse => {
  let held = 0;
  while (true) {
    held += new Uint8Array(1024 * 1024).length;
    if (held < 0) break;
  }
  return text("never");
});
onHttp("GET", "/fill", (request: HttpRequest, context: Context): HttpResponse => {
  const at = heap.alloc(8 * 1024 * 1024);
  while (true) {
    memory.fill(at, <u8>sink, 8 * 1024 * 1024);
    sink++;
    if (sink == -1) break;
  }
  return text("never");
});
onHttp("GET", "/trap", (request: HttpRequest, context: Context): HttpResponse => {
  if (sink == 0) unreachable();
  return text("never");
});
onHttp("GET", "/abort", (request: HttpRequest, context: Context): HttpResponse => {
  throw new Error("boom");
});

onHttp("GET", "/storm/:n", (request: HttpRequest, context: Context): HttpResponse => {
  const n = <i32>parseInt(request.param("n"));
  for (let i = 0; i < n; i++) kv.get("k" + i.toString());
  return text(n.toString());
});
onHttp("GET", "/logs/:n/:bytes", (request: HttpRequest, context: Context): HttpResponse => {
  const n = <i32>parseInt(request.param("n"));
  const line = "x".repeat(<i32>parseInt(request.param("bytes")));
  for (let i = 0; i < n; i++) log.info(line);
  return text(n.toString());
});
onHttp("GET", "/labels/:n", (request: HttpRequest, context: Context): HttpResponse => {
  const n = <i32>parseInt(request.param("n"));
  let taken = 0;
  let code = "";
  for (let i = 0; i < n; i++) {
    const answer = metrics.counter("flood", 1, [new Field("label", i.toString())]);
    if (answer.ok) taken++;
    else code = answer.code;
  }
  return json('{"taken":' + taken.toString() + ',"code":"' + code + '"}');
});
onHttp("GET", "/big/:n", (request: HttpRequest, context: Context): HttpResponse =>
  new HttpResponse(200, new Uint8Array(<i32>parseInt(request.param("n")))));

onHttp("GET", "/html", (request: HttpRequest, context: Context): HttpResponse =>
  new HttpResponse(200, new Uint8Array(1), [new Field("content-type", "text/html")]));
onHttp("GET", "/cookie", (request: HttpRequest, context: Context): HttpResponse =>
  text("ok").withHeader("set-cookie", "a=b").withHeader("location", "https://example.org/").withHeader("x-ext-own", "1")
    .withHeader("cache-control", "public, max-age=60"));
onHttp("GET", "/split", (request: HttpRequest, context: Context): HttpResponse => text("ok").withHeader("x-ext-own", "a\r\nset-cookie: b=c"));
onHttp("GET", "/status/:code", (request: HttpRequest, context: Context): HttpResponse => text("", <i32>parseInt(request.param("code"))));

onHttp("GET", "/denied", (request: HttpRequest, context: Context): HttpResponse => {
  const answer = rooms.post("x", "y");
  return answer.ok ? text(answer.value) : failed(answer.code, answer.message);
});
onHttp("GET", "/secret/:name", (request: HttpRequest, context: Context): HttpResponse => {
  const answer = secrets.get(request.param("name"));
  return answer.ok ? text(answer.value) : text(answer.code, 404);
});
onHttp("GET", "/kv/:key", (request: HttpRequest, context: Context): HttpResponse => {
  const answer = kv.get(request.param("key"));
  if (!answer.ok) return text(answer.code, 409);
  const entry = answer.value;
  return entry === null ? text("", 404) : text(entry.text());
});
onHttp("PUT", "/kv/:key", (request: HttpRequest, context: Context): HttpResponse => {
  const answer = kv.put(request.param("key"), request.body);
  return answer.ok ? text(answer.value.toString()) : text(answer.code, 409);
});
onHttp("GET", "/keys", (request: HttpRequest, context: Context): HttpResponse => {
  const answer = kv.list("");
  if (!answer.ok) return text(answer.code, 409);
  let keys = "";
  for (let i = 0; i < answer.value.entries.length; i++) keys += answer.value.entries[i].key + " ";
  return text(keys);
});
// One more than before, by compare-and-set; gives up after many conflicts and says so.
onHttp("POST", "/count", (request: HttpRequest, context: Context): HttpResponse => {
  for (let attempt = 0; attempt < 20; attempt++) {
    const now = kv.get("count");
    if (!now.ok) return text(now.code, 503);
    const entry = now.value;
    const next = entry === null ? 1 : <i32>parseInt(entry.text()) + 1;
    const put = kv.putText("count", next.toString(), entry === null ? 0 : entry.revision);
    if (put.ok) return text(next.toString());
    if (put.code != "kv.conflict") return text(put.code, 503);
  }
  return text("kv.conflict", 503);
});
onHttp("GET", "/fetch", (request: HttpRequest, context: Context): HttpResponse => {
  const url = request.header("x-ext-url");
  const answer = http.fetch("GET", url === null ? "" : url);
  return answer.ok ? text(answer.value.status.toString() + " " + answer.value.text()) : text(answer.code, 409);
});
