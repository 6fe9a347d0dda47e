import { expect, it } from "vitest";
import { prepareComponent } from "./prepare-component.ts";

const bundle = { contentHash: `sha256:${"1".repeat(64)}`, componentSha256: "a" };
const preparer = (componentSha256: string, profile: string) => ({ prepare: () => Promise.resolve({ componentSha256, profile }) });
const manifest = (more: Partial<Record<"events" | "filters" | "jobs", unknown[]>> = {}) => ({ events: [], filters: [], jobs: [], ...more });

it("refuses when the runner prepared another component than the one that came in", async () => {
  await expect(prepareComponent(preparer("b", "extension"), "org.example.a", bundle)).rejects.toMatchObject({ code: "ext.integrity" });
});

it("takes a component that speaks HTTP only without events, filters and jobs, and names those it refuses", async () => {
  const http = preparer("a", "wasi-http");
  await expect(prepareComponent(http, "org.example.a", bundle, manifest())).resolves.toBeUndefined();
  await expect(prepareComponent(http, "org.example.a", bundle, manifest({ jobs: [1], events: ["a"] }))).rejects.toMatchObject({
    code: "component.refused",
    params: { rule: "profile", detail: "a wasi:http component answers HTTP only; the manifest has events, jobs" },
  });
  await expect(prepareComponent(preparer("a", "extension"), "org.example.a", bundle, manifest({ jobs: [1] }))).resolves.toBeUndefined();
});
