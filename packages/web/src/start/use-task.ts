/**
 * Work that ends with an answer or a refusal, for screens on which nobody is in yet, so that there is no client to ask.
 *
 * Invariant: as `useAct`: it runs once however often its button is pressed, and what went wrong stays on the screen until it is tried again.
 */
import { useMutation, type UseMutationResult } from "@tanstack/react-query";

export function useTask<Variables = void, Answer = unknown>(
  run: (variables: Variables) => Promise<Answer>,
  onDone?: (answer: Answer) => void,
): UseMutationResult<Answer, Error, Variables> {
  return useMutation({ mutationFn: run, ...(onDone === undefined ? {} : { onSuccess: onDone }), gcTime: 0 });
}
