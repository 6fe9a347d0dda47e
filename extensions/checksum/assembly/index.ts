/**
 * One endpoint that computes: the SHA-256 of what is posted.
 */
import { Context, HttpRequest, HttpResponse, onHttp, text } from "@althing/sdk/assemblyscript";
import { sha256 } from "./sha256";

onHttp("POST", "/sha256", (request: HttpRequest, context: Context): HttpResponse => text(sha256(request.body)));
