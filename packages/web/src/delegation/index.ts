/** Who votes for whom, as words and as a picture. */
export { DelegationPage } from "./delegation-page.tsx";
