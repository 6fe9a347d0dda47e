/**
 * Where the checkout lies that these tests run in.
 *
 * Derived from this file's own place, never from the working directory: tests run from anywhere.
 */
import { resolve } from "node:path";

export const repositoryRoot = resolve(import.meta.dirname, "../../..");
