import { describe, expect, it } from "vitest";
import { buildOpenApi, conditionalRoutes, declaredErrors, errorCatalogue, routes, type Route, type RouteName } from "./index.ts";

const isRoute = (name: string): name is RouteName => Object.hasOwn(routes, name);
const signed = Object.entries<Route>(routes).flatMap(([name, route]) =>
  isRoute(name) && (route.class === "user" || route.class === "self-signed") ? [{ name, route }] : [],
);

describe("the codes of a route", () => {
  it("hold those of what it is: a body, a change, a precondition", () => {
    for (const { name, route } of signed) {
      const codes = declaredErrors(name);
      const isChange = route.method !== "GET";
      expect(codes.includes("request.in_progress"), name).toBe(isChange);
      expect(codes.includes("request.idempotency_mismatch"), name).toBe(isChange);
      expect(codes.includes("request.answer_lost"), name).toBe(isChange);
      expect(codes.includes("request.unsupported_media_type"), name).toBe(route.body !== undefined || route.rawBody !== undefined);
      if (conditionalRoutes.has(name)) expect(codes, name).toContain("request.precondition_failed");
      expect(new Set(codes).size, name).toBe(codes.length);
    }
  });

  it("are in the OpenAPI document under their status", () => {
    const { paths } = buildOpenApi("0") as {
      paths: Record<string, Record<string, { responses: Record<string, { description: string }> }>>;
    };
    for (const { name, route } of signed) {
      const operation = paths[route.path.replace(/:(\w+)/g, "{$1}")]?.[route.method.toLowerCase()];
      for (const code of declaredErrors(name))
        expect(operation?.responses[String(errorCatalogue[code].status)]?.description.split(", "), `${name} ${code}`).toContain(code);
    }
  });
});
