/** Face of invocations. */
export {
  createInvoker,
  type Actor,
  type Answered,
  type Invocable,
  type Invocation,
  type InvocationSeen,
  type Invoked,
  type Invoker,
  type InvokerDeps,
  type Succeeded,
  type TraceSpan,
} from "./invoker.ts";
