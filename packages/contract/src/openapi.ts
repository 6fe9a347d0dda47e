/**
 * OpenAPI 3.1 made of the route table, so that the document cannot differ from what is served.
 */
import { z } from "zod";
import { problemSchema } from "./app-error.ts";
import { declaredErrors } from "./declared-errors.ts";
import { errorCatalogue, type ErrorCode } from "./errors.ts";
import type { Route } from "./route.ts";
import { routes, type RouteName } from "./routes.ts";

type Json = Record<string, unknown>;

function jsonSchema(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Json;
  return rest;
}

function parametersOf(route: Route): Json[] {
  const of = (schema: z.ZodType | undefined, where: "path" | "query"): Json[] => {
    if (!schema) return [];
    const object = jsonSchema(schema, "input") as { properties?: Record<string, Json>; required?: string[] };
    return Object.entries(object.properties ?? {}).map(([name, property]) => ({
      name,
      in: where,
      required: where === "path" || (object.required ?? []).includes(name),
      schema: property,
    }));
  };
  return [...of(route.params, "path"), ...of(route.query, "query")];
}

function responsesOf(name: RouteName, route: Route): Json {
  const responses: Record<string, Json> = {};
  const content = route.response
    ? { "application/json": { schema: jsonSchema(route.response, "output") } }
    : route.rawResponse
      ? { [route.rawResponse]: { schema: { type: "string", format: "binary" } } }
      : undefined;
  responses[String(route.status)] = { description: route.summary, ...(content ? { content } : {}) };
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of declaredErrors(name)) byStatus.set(errorCatalogue[code].status, [...(byStatus.get(errorCatalogue[code].status) ?? []), code]);
  for (const [status, list] of byStatus) {
    responses[String(status)] = {
      description: list.join(", "),
      content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
    };
  }
  return responses;
}

function operationOf(name: RouteName, route: Route): Json {
  const body = route.body
    ? { "application/json": { schema: jsonSchema(route.body, "input") } }
    : route.rawBody
      ? { [route.rawBody]: { schema: { type: "string", format: "binary" } } }
      : undefined;
  return {
    operationId: name,
    summary: route.summary,
    tags: [name.split(".")[0]],
    ...(route.permission ? { "x-permission": route.permission } : {}),
    "x-route-class": route.class,
    security: route.class === "open" ? [] : [{ httpMessageSignature: [] }],
    parameters: parametersOf(route),
    ...(body ? { requestBody: { required: true, content: body } } : {}),
    responses: responsesOf(name, route),
  };
}

/** The whole document; `internal` routes are not part of the public interface and left out. */
export function buildOpenApi(version: string): Json {
  const paths: Record<string, Json> = {};
  for (const [name, route] of Object.entries(routes) as [RouteName, Route][]) {
    if (route.class === "internal") continue;
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(name, route) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Althing", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    paths,
    components: {
      schemas: { Problem: jsonSchema(problemSchema, "output") },
      securitySchemes: {
        httpMessageSignature: { type: "apiKey", in: "header", name: "Signature", description: "RFC 9421 with Ed25519; see docs/architecture/signed-requests.md" },
      },
    },
  };
}
