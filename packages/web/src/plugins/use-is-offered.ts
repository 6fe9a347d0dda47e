/** Does the instance's registry have a package? Asked by its list: most packages are in no registry, which is no refusal. */
import { useRead } from "../app/calls.ts";

export function useIsOffered(extension: string): boolean {
  const list = useRead("registry.list", { query: { search: extension, limit: 50 } });
  return list.data?.packages.some(({ name }) => name === extension) === true;
}
