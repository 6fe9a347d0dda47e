import {
  accept, Context, Event, events, failed, Field, FilterAnswer, http, HttpRequest, HttpResponse, json, kv, log, members, metrics, onEvent, onFilter,
  onHttp, onJob, proposals, refuse, rooms, schedule, secrets, text,
} from "@althing/sdk/assemblyscript";

onHttp("GET", "/hello/:name", (request: HttpRequest, context: Context): HttpResponse => {
  const trial = request.header("X-Ext-Trial");
  return text("Hello, " + request.param("name") + "! " + (trial === null ? "" : trial) + " " + request.query);
});
onHttp("POST", "/echo", (request: HttpRequest, context: Context): HttpResponse => new HttpResponse(200, request.body));
onHttp("POST", "/count", (request: HttpRequest, context: Context): HttpResponse => {
  const found = kv.get("count");
  if (!found.ok) return failed(found.code, found.message);
  const entry = found.value;
  const next = entry === null ? 1 : <i32>parseInt(entry.text()) + 1;
  const put = kv.putText("count", next.toString(), entry === null ? 0 : entry.revision);
  return put.ok ? json('{"count":' + next.toString() + ',"revision":"' + put.value.toString() + '"}') : failed(put.code, put.message);
});
onHttp("GET", "/stale", (request: HttpRequest, context: Context): HttpResponse => {
  const put = kv.putText("count", "0", 12345);
  return put.ok ? text("written") : text(put.code, 409);
});
onHttp("GET", "/keys", (request: HttpRequest, context: Context): HttpResponse => {
  let keys = "";
  let after: string | null = null;
  do {
    const page = kv.list("k/", after, 2);
    if (!page.ok) return failed(page.code, page.message);
    for (let index = 0; index < page.value.entries.length; index++) keys += page.value.entries[index].key + "=" + page.value.entries[index].text() + ";";
    after = page.value.next;
  } while (after !== null);
  return text(keys);
});
onHttp("GET", "/denied", (request: HttpRequest, context: Context): HttpResponse => {
  const answer = rooms.post("room", "text");
  return answer.ok ? text(answer.value) : failed(answer.code, answer.message);
});
onHttp("GET", "/throws", (request: HttpRequest, context: Context): HttpResponse => {
  throw new Error("boom é");
});
onHttp("GET", "/context", (request: HttpRequest, context: Context): HttpResponse => {
  const actor = context.actor;
  const who = actor === null ? "nobody" : actor.id + "/" + actor.handle + "/" + actor.permissions.join(",");
  return text([context.requestId, context.community, context.extension, context.version, who, context.settings, context.timeLimitMs.toString(), context.time].join("|"));
});
onHttp("GET", "/all", (request: HttpRequest, context: Context): HttpResponse => {
  const fetched = http.fetch("POST", "https://example.org/", [new Field("x-a", "b")], Uint8Array.wrap(String.UTF8.encode("ü")));
  const secret = secrets.get("token");
  const metric = metrics.histogram("size", 1.5, [new Field("kind", "é")]);
  const event = events.emit("greeted", "ada", '{"n":1}');
  const room = rooms.post("garden", "hello");
  const page = members.list();
  const member = page.ok ? page.value.members[0].handle + ":" + page.value.members[0].roles.join("+") : page.code;
  const proposal = proposals.get("p1");
  const list = proposals.list("p1", 5);
  const postponed = schedule.postpone("tick", "1970-01-01T00:00:00.000Z");
  const removed = kv.remove("gone");
  log.info("é");
  return text([
    fetched.ok ? fetched.value.status.toString() + fetched.value.headers[0].name + fetched.value.text() : fetched.code,
    secret.ok ? secret.value : secret.code, metric.ok ? "recorded" : metric.code, event.ok ? event.value : event.code, room.ok ? room.value : room.code,
    member, proposal.ok ? proposal.value : proposal.code, list.ok ? list.value : list.code, postponed.ok ? "postponed" : postponed.code,
    removed.ok ? "removed" : removed.code,
  ].join("|"));
});
onEvent("member.*", (event: Event, context: Context): string => event.topic + " " + event.index.toString() + " " + event.data + " " + event.depth.toString());
onFilter("comment.before_create", (payload: string, context: Context): FilterAnswer => payload.includes("spam") ? refuse("nein, ß") : accept(payload));
onJob("tick", (slot: string, context: Context): string => "ran " + slot);
