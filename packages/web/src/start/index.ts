/** Screens of this area: the way in, one's home, one's identity, founding and joining communities. */
export { DirectoryPage } from "./directory-page.tsx";
export { DoorPage } from "./door-page.tsx";
export { EntryPage } from "./entry-page.tsx";
export { FoundCommunityPage } from "./found-community-page.tsx";
export { HomePage } from "./home-page.tsx";
export { IdentityPage } from "./identity-page.tsx";
export { InvitationPage } from "./invitation-page.tsx";
export { WelcomePage } from "./welcome-page.tsx";
