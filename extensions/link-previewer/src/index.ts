/**
 * Fetches a page that a member linked to and answers with its title and description.
 *
 * Invariant: only hosts that the community's settings name are fetched, and of these only what the platform grants; a preview is kept for a day, so that
 * a busy link costs one request.
 */
import { defineExtension, http, HttpProblem, json, kv, settingsType } from "@althing/sdk/guest";
import { extractPreview } from "./extract-preview.ts";

interface Settings {
  readonly hosts: readonly string[];
}

const daySeconds = 24 * 60 * 60;

function addressOf(body: unknown): URL {
  const url = typeof body === "object" && body !== null && "url" in body ? body.url : undefined;
  if (typeof url !== "string" || url.length > 200) throw new HttpProblem(400, "bad_url", "send {url}, at most 200 characters");
  try {
    return new URL(url);
  } catch {
    throw new HttpProblem(400, "bad_url", "that is no address");
  }
}

export const extension = defineExtension({
  settings: settingsType<Settings>(),
  http: {
    "POST /preview": (request, { settings }) => {
      const url = addressOf(request.json());
      if (url.protocol !== "https:" || !settings.hosts.includes(url.hostname)) {
        throw new HttpProblem(422, "host_not_previewed", `pages of ${url.hostname} are not previewed in this community`);
      }
      const key = `preview/${url.hostname}${url.pathname}${url.search}`;
      const known = kv.get(key);
      if (known !== undefined) return json(known.json());
      const response = http.fetch(url.href, { headers: { accept: "text/html" } });
      if (!response.ok) throw new HttpProblem(502, "page_failed", `${url.hostname} answered ${response.status}`);
      const preview = { url: url.href, ...extractPreview(response.text()) };
      kv.putJson(key, preview, { ttlSeconds: daySeconds });
      return json(preview);
    },
  },
});
