// The kernel as an extension of Althing.
import { Context, HttpRequest, HttpResponse, onHttp, text } from "@althing/sdk/assemblyscript";
import { primes } from "./kernel";

onHttp("GET", "/primes/:rounds", (request: HttpRequest, context: Context): HttpResponse =>
  text(primes(I32.parseInt(request.param("rounds"))).toString()));
