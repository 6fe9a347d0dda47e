/**
 * The application in its place: scheme and language first, then the one-time token out of the address, then who is here, then the screens.
 *
 * Invariant: a token comes in the fragment, which browsers do not send, and is taken out of the address before anything else happens, so that it stays
 * out of histories, screenshots and server logs. Runs under a policy without inline code.
 */
import { MutationCache, QueryCache, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createQueries } from "./app/calls.ts";
import { createAppRouter } from "./app/router.tsx";
import { followScheme } from "./app/scheme.ts";
import { createSessionStore, SessionStoreProvider } from "./app/session.tsx";
import { takeToken, TokenProvider } from "./app/token.tsx";
import { keepFocus, loadAdvice, ToastPlace, watchForms } from "./ui/index.ts";

followScheme();
keepFocus();
watchForms();
const token = takeToken();
const place = document.getElementById("app");
if (place === null) throw new Error("the document has no place for the application");
const queries = createQueries({
  queryCache: new QueryCache({ onError: (error) => session.judge(error) }),
  mutationCache: new MutationCache({ onError: (error) => session.judge(error) }),
});
const session = createSessionStore(queries);
const router = createAppRouter();
createRoot(place).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <SessionStoreProvider value={session}>
        <TokenProvider token={token}>
          <ToastPlace>
            <RouterProvider router={router} />
          </ToastPlace>
        </TokenProvider>
      </SessionStoreProvider>
    </QueryClientProvider>
  </StrictMode>,
);
await session.begin();
// When the first screen stands: a refusal may be that the server cannot be reached, and then nothing more can be fetched.
setTimeout(() => void loadAdvice().catch(() => undefined), 4_000);
