/**
 * Routes of the contract as React reads and changes them.
 *
 * Invariant: what is on the screen was confirmed by the server: nothing is assumed to have worked before it answered. An act runs once however often
 * its button is pressed, and what it changed is read again before it counts as done.
 */
import { hasCode, isAppError, type AppError, type RouteInput, type RouteName, type RouteResponse } from "@althing/contract";
import type { AlthingClient } from "@althing/client";
import {
  hashKey,
  QueryClient,
  useInfiniteQuery,
  useMutation,
  useQueries,
  useQuery,
  useQueryClient,
  type InfiniteData,
  type QueryClientConfig,
  type QueryKey,
  type UseMutationResult,
  type UseQueryResult,
} from "@tanstack/react-query";
import { useRef } from "react";
import { isSilence } from "./patient-client.ts";
import { useSession } from "./session.tsx";

type Input<N extends RouteName> = Partial<RouteInput<N>>;

/** Refusals stand until somebody changes something; only what passes by itself is asked again. */
function mayRetry(failures: number, error: unknown): boolean {
  if (!isAppError(error) || isSilence(error)) return false;
  return failures < 2 && (error.row.retry || hasCode(error, "client.unreachable"));
}

export function createQueries(caches: Pick<QueryClientConfig, "queryCache" | "mutationCache"> = {}): QueryClient {
  return new QueryClient({
    ...caches,
    defaultOptions: {
      queries: { retry: mayRetry, retryDelay: (attempt) => 300 * 2 ** attempt, staleTime: 5_000, refetchOnWindowFocus: true },
      mutations: { retry: false },
    },
  });
}

export interface ReadOptions {
  /** Default true. */
  readonly enabled?: boolean;
  /** Asked again so often, in milliseconds. */
  readonly everyMs?: number;
  /** What failed is asked again when another part of the screen wants it, and is unknown until then. Default true. */
  readonly retryOnMount?: boolean;
}

/**
 * What a route answers, kept while somebody looks at it.
 *
 * @example const { data, error } = useRead("proposals.get", { params: { community, proposal } });
 */
export function useRead<N extends RouteName>(name: N, input: Input<N> = {}, options: ReadOptions = {}): UseQueryResult<RouteResponse<N>> {
  const { client } = useSession();
  return useQuery({
    queryKey: [name, input],
    queryFn: ({ signal }) => client.call(name, input, { signal }),
    enabled: options.enabled ?? true,
    retryOnMount: options.retryOnMount ?? true,
    ...(options.everyMs === undefined ? {} : { refetchInterval: options.everyMs }),
  });
}

export interface ReadsResult<N extends RouteName> {
  /** In the order of the inputs; `undefined` while it is read and where it was refused. */
  readonly answers: readonly (RouteResponse<N> | undefined)[];
  /** The first refusal. */
  readonly error: Error | null;
  /** Asks again what was refused. */
  retry(): void;
}

/** What a route answers to each of several inputs. */
export function useReads<N extends RouteName>(name: N, inputs: readonly Input<N>[]): ReadsResult<N> {
  const { client } = useSession();
  return useQueries({
    queries: inputs.map((input) => ({
      queryKey: [name, input],
      queryFn: ({ signal }: { readonly signal: AbortSignal }) => client.call(name, input, { signal }),
    })),
    combine: (results) => {
      const refused = results.filter(({ error }) => error !== null);
      return {
        answers: results.map(({ data }) => data),
        error: refused[0]?.error ?? null,
        retry: () => void Promise.all(refused.map(({ refetch }) => refetch())),
      };
    },
  });
}

export interface PagesResult<Row> {
  readonly rows: readonly Row[];
  /** Nothing has come yet. */
  readonly isPending: boolean;
  readonly error: unknown;
  readonly hasMore: boolean;
  readonly isLoadingMore: boolean;
  loadMore(): void;
  retry(): void;
}

/**
 * A list that comes by pages.
 *
 * @param inputAt the input for the page after `after`; `undefined`: for the first
 * @param read takes rows and the place to go on from out of an answer
 * @example
 * const list = usePages("proposals.list", (after) => ({ params: { community }, query: { limit: 50, after } }), ({ proposals, next }) => ({ rows: proposals, next }));
 */
export function usePages<N extends RouteName, Row>(
  name: N,
  inputAt: (after: string | undefined) => Input<N>,
  read: (answer: RouteResponse<N>) => { readonly rows: readonly Row[]; readonly next?: string | number | undefined },
  options: ReadOptions = {},
): PagesResult<Row> {
  const { client } = useSession();
  const pages = useInfiniteQuery<RouteResponse<N>, Error, InfiniteData<RouteResponse<N>, string | undefined>, QueryKey, string | undefined>(
    {
      queryKey: [name, inputAt(undefined), "pages"],
      queryFn: ({ pageParam, signal }) => client.call(name, inputAt(pageParam), { signal }),
      initialPageParam: undefined,
      getNextPageParam: (last) => read(last).next?.toString(),
      enabled: options.enabled ?? true,
      ...(options.everyMs === undefined ? {} : { refetchInterval: options.everyMs }),
    },
  );
  return {
    rows: (pages.data?.pages ?? []).flatMap((page) => read(page).rows),
    isPending: pages.isPending,
    error: pages.error,
    hasMore: pages.hasNextPage,
    isLoadingMore: pages.isFetchingNextPage,
    loadMore: () => void pages.fetchNextPage(),
    retry: () => void pages.refetch(),
  };
}

/** What may be out of date after an act: whole routes, or all routes of an area (`"proposals."`). */
export type Changed = RouteName | `${string}.`;

/** Reads again whatever is on the screen of these routes. */
export async function readAgain(queries: QueryClient, changed: readonly Changed[]): Promise<void> {
  await queries.invalidateQueries({
    predicate: ({ queryKey: [name] }) =>
      typeof name === "string" && changed.some((one) => (one.endsWith(".") ? name.startsWith(one) : name === one)),
  });
}

export interface ActOptions<Answer> {
  readonly changes: readonly Changed[];
  readonly onDone?: (answer: Answer) => void;
}

/**
 * Something that changes the server: any calls of the client, in a function.
 *
 * @example
 * const close = useAct((client, minutes: number) => client.call("proposals.extend", { params, body: { minutes } }), { changes: ["proposals."] });
 * <Button busy={close.isPending} onClick={() => close.mutate(60)}>…</Button>  {close.error && <Refusal error={close.error} />}
 */
export function useAct<Variables = void, Answer = unknown>(
  act: (client: AlthingClient, variables: Variables) => Promise<Answer>,
  { changes, onDone }: ActOptions<Answer>,
): UseMutationResult<Answer, Error, Variables> {
  const { client } = useSession();
  const queries = useQueryClient();
  const running = useRef<{ readonly variables: unknown; readonly done: Promise<Answer> } | undefined>(undefined);
  const mutation = useMutation({
    mutationFn: (variables: Variables) => act(client, variables),
    onSuccess: async (answer) => {
      await readAgain(queries, changes);
      onDone?.(answer);
    },
    // A revision that is no longer the newest, or a thing that is gone: show what is there now.
    onError: async (error) => {
      if (hasCode(error, "request.precondition_failed") || (isAppError(error) && error.status === 404)) await readAgain(queries, changes);
    },
  });
  const { mutateAsync } = mutation;
  // A second press comes before the button is drawn as busy: it joins what runs.
  const once = (...args: Parameters<typeof mutateAsync>): Promise<Answer> => {
    const [variables] = args;
    const now = running.current;
    if (now !== undefined && isSameAct(now.variables, variables)) return now.done;
    const done = mutateAsync(...args).finally(() => {
      if (running.current?.done === done) running.current = undefined;
    });
    running.current = { variables, done };
    return done;
  };
  return {
    ...mutation,
    mutateAsync: once,
    mutate: (...args) => {
      once(...args).catch(() => {
        // It is in `error`.
      });
    },
  };
}

/** Of plain values; files are the same only when they are one and the same, by themselves or among other values. */
function isSameAct(some: unknown, other: unknown): boolean {
  if (Object.is(some, other)) return true;
  if (some instanceof Blob || other instanceof Blob) return false;
  if (!holdsFile(some) || !holdsFile(other)) return !holdsFile(some) && !holdsFile(other) && hashKey([some]) === hashKey([other]);
  return Object.keys({ ...some, ...other }).every((name) => isSameAct(Reflect.get(some, name), Reflect.get(other, name)));
}

const holdsFile = (value: unknown): value is object =>
  typeof value === "object" && value !== null && Object.values(value).some((one) => one instanceof Blob);

/** What was refused in one sentence, for places that have no room for a whole refusal. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Texts of faults by the path of the field they belong to; those of no field under the empty path. Faults of an answer are no field's. */
export function faultsByField(error: unknown): ReadonlyMap<string, string> {
  const faults = isAppError(error) && !hasCode(error, "client.bad_answer") ? (error satisfies AppError).faults : [];
  return new Map(faults.map(({ path, message }) => [path.replace(/^(?:body|\/)?[./]?/, ""), message]));
}
