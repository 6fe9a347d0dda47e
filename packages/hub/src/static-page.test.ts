import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
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

test("everything below /c/ is the document, which is asked for again each time; nothing else is", async () => {
  await withPage(async (folder) => {
    const page = await openStaticPage(folder, []);
    for (const path of ["/", "/claim", "/c/garden", "/c/garden/x/org.example.a/b"]) {
      expect(page.find(path, undefined)).toMatchObject({ status: 200, headers: { "cache-control": "no-cache" } });
    }
    for (const path of ["/c", "/c/", "/c//x", "/d/garden", "/cc/garden", "/assets/none.js"])
      expect(page.find(path, undefined)).toBeUndefined();
  });
});

test.each([
  [undefined, []],
  ["http://127.0.0.1:8471", ["frame-src http://127.0.0.1:8471/ext-ui/"]],
  ["https://ext.example.org/", ["frame-src https://ext.example.org/ext-ui/"]],
  ["https://ext.example.org/deep/", ["frame-src https://ext.example.org/deep/ext-ui/"]],
  ["https://ext.example.org/a;script-src *,b", ["frame-src https://ext.example.org/a%3Bscript-src%20*%2Cb/ext-ui/"]],
])("with extension pages at %s the page frames %j", async (base, expected) => {
  const policy = await withPage(
    async (folder) => (await openStaticPage(folder, [], base)).find("/", undefined)?.headers["content-security-policy"],
  );
  expect(frameSources(policy)).toEqual(expected);
  expect(policy?.split("; ").filter((directive) => directive.startsWith("script-src"))).toEqual(["script-src 'self'"]);
});

test.each(["ext.example.org", "javascript:alert(1)", "https://", ""])("%j is no address to frame from", async (base) => {
  await withPage((folder) => expect(openStaticPage(folder, [], base)).rejects.toMatchObject({ code: "config.invalid" }));
});
