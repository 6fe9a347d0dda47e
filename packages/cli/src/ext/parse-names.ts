/**
 * Names of communities, packages and people as they are typed.
 *
 * Invariant: a name that cannot exist is wrong usage with the rule in the message, and costs no request.
 */
import { communityRefSchema, extensionIdSchema, identityRefSchema, installIdSchema, roleNameSchema } from "@althing/contract";
import { listOption, textOption, usageError, type Context } from "../context.ts";

/** A community's name or id. @throws {cli.usage} */
export function parseCommunity(text: string | undefined): string {
  if (communityRefSchema.safeParse(text).success) return String(text);
  throw usageError(`"${text ?? ""}" is no community: give its id, or its name of 1–64 letters a–z, digits and -`);
}

/** From `--community`. @throws {cli.usage} */
export function communityOption(context: Context): string {
  return parseCommunity(textOption(context.options, "community"));
}

/** An extension's id (`org.example.hello`) or an install's. @throws {cli.usage} */
export function parsePackage(text: string | undefined): string {
  if (extensionIdSchema.safeParse(text).success || installIdSchema.safeParse(text).success) return String(text);
  throw usageError(`"${text ?? ""}" is no package: give its reverse domain name, such as org.example.hello, or the id of its install`);
}

/** @throws {cli.usage} */
export function parseExtension(text: string | undefined): string {
  if (extensionIdSchema.safeParse(text).success) return String(text);
  throw usageError(`"${text ?? ""}" is no package's name: it is a reverse domain name, such as org.example.hello`);
}

/** A handle or an endpoint id. @throws {cli.usage} */
export function parsePerson(text: string | undefined): string {
  if (identityRefSchema.safeParse(text).success) return String(text);
  throw usageError(`"${text ?? ""}" is no handle and no endpoint id`);
}

/** A role's name. @throws {cli.usage} */
export function parseRole(text: string | undefined): string {
  const parsed = roleNameSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw usageError(`"${text ?? ""}" is no role: ${parsed.error.issues[0]?.message ?? "invalid"}`);
}

/** From `--role`, repeatable or comma separated. @throws {cli.usage} */
export function rolesOption(context: Context): string[] {
  return listOption(context.options, "role").flatMap((word) => word.split(",").map((name) => parseRole(name.trim())));
}
