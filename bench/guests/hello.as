// What the gateway's bench calls: an answer that depends on the request, and a loop that only a limit ends.
import { Context, HttpRequest, HttpResponse, json, onHttp, text } from "@althing/sdk/assemblyscript";

let turns: i32 = 0;

onHttp("GET", "/hello/:name", (request: HttpRequest, context: Context): HttpResponse =>
  json('{"hello":"' + request.param("name") + '","from":"' + context.extension + '"}'));
onHttp("GET", "/spin", (request: HttpRequest, context: Context): HttpResponse => {
  while (true) {
    turns++;
    if (turns == -1) break;
  }
  return text("never");
});
