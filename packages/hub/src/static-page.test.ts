import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { tempDir } from "@althing/testkit";
import { expect, test } from "vitest";
import { openStaticPage } from "./static-page.ts";

async function withPage<T>(use: (folder: string) => Promise<T>): Promise<T> {
  await using dir = await tempDir();
  await mkdir(join(dir.path, "assets"));
  await writeFile(join(dir.path, "index.html"), "the page");
  await writeFile(join(dir.path, "assets/a.js"), "1");
  return await use(dir.path);
}

const frameSources = (policy: string | undefined) => policy?.split("; ").filter((directive) => directive.startsWith("frame-src"));

test("every address of the application is the document, which is asked for again each time; nothing else is", async () => {
  await withPage(async (folder) => {
    const page = await openStaticPage(folder, []);
    for (const path of [
      "/",
      "/claim",
      "/join",
      "/identity",
      "/c/garden",
      "/c/garden/x/org.example.a/b",
      "/rooms",
      "/rooms/a",
      "/communities/new",
      "/instance/users",
    ]) {
      expect(page.find(path)).toMatchObject({ status: 200, headers: { "cache-control": "no-cache" } });
    }
    for (const path of ["/d/garden", "/cc/garden", "/roomsx", "/assets/none.js", "/api/none"]) expect(page.find(path)).toBeUndefined();
  });
});

test.each([
  [undefined, []],
  ["http://127.0.0.1:8471", ["frame-src http://127.0.0.1:8471/ext-ui/"]],
  ["https://ext.example.org/", ["frame-src https://ext.example.org/ext-ui/"]],
  ["https://ext.example.org/deep/", ["frame-src https://ext.example.org/deep/ext-ui/"]],
  ["https://ext.example.org/a;script-src *,b", ["frame-src https://ext.example.org/a%3Bscript-src%20*%2Cb/ext-ui/"]],
])("with extension pages at %s the page frames %j", async (base, expected) => {
  const policy = await withPage(async (folder) => (await openStaticPage(folder, [], base)).find("/")?.headers["content-security-policy"]);
  expect(frameSources(policy)).toEqual(expected);
  expect(policy?.split("; ").filter((directive) => directive.startsWith("script-src"))).toEqual(["script-src 'self'"]);
});

test.each(["ext.example.org", "javascript:alert(1)", "https://", ""])("%j is no address to frame from", async (base) => {
  await withPage((folder) => expect(openStaticPage(folder, [], base)).rejects.toMatchObject({ code: "config.invalid" }));
});

test("text goes compressed to whoever takes that, with a tag of its own; an image that is compressed already does not", async () => {
  await withPage(async (folder) => {
    await writeFile(join(folder, "assets/b.js"), "x".repeat(10_000));
    await writeFile(join(folder, "assets/c.png"), "png");
    const page = await openStaticPage(folder, []);
    const plain = page.find("/assets/b.js");
    const zipped = page.find("/assets/b.js", { acceptEncoding: "br;q=1.0, gzip;q=0.8" });
    expect(plain?.headers).toMatchObject({ vary: "accept-encoding" });
    expect(plain?.headers).not.toHaveProperty("content-encoding");
    expect(zipped?.headers).toMatchObject({ "content-encoding": "gzip", vary: "accept-encoding" });
    expect(gunzipSync(zipped?.body ?? "").toString()).toBe("x".repeat(10_000));
    expect(zipped?.body.length).toBeLessThan(200);
    for (const acceptEncoding of [undefined, "", "br", "gzip;q=0", "gzip;q=0.0", "gzipped", "identity"])
      expect(page.find("/assets/b.js", { acceptEncoding }), acceptEncoding).toBe(plain);
    const etag = zipped?.headers["etag"];
    expect(etag).not.toBe(plain?.headers["etag"]);
    expect(page.find("/assets/b.js", { acceptEncoding: "gzip", ifNoneMatch: etag })?.status).toBe(304);
    expect(page.find("/assets/b.js", { ifNoneMatch: etag })?.status).toBe(200);
    expect(page.find("/assets/c.png", { acceptEncoding: "gzip" })?.headers).not.toHaveProperty("content-encoding");
  });
});
