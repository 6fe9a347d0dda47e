/** Where the list is that a room was opened from: of a community, or of the instance. */
import { Link, useNavigate } from "@tanstack/react-router";
import { createContext, useContext } from "react";
import { LinkButton } from "../ui/index.ts";

export interface RoomsHome {
  /** As the address has it; `undefined`: outside of communities. */
  readonly community: string | undefined;
  readonly communityName: string | undefined;
  /** May the reader run the community's rooms? */
  readonly mayManage: boolean;
}

export const instanceHome: RoomsHome = { community: undefined, communityName: undefined, mayManage: false };
const HomeContext = createContext(instanceHome);
export const RoomPlace = HomeContext.Provider;

export function useRoomsHome(): RoomsHome {
  return useContext(HomeContext);
}

export function HomeLink({ text }: { readonly text: string }) {
  const { community } = useRoomsHome();
  if (community === undefined) return <Link to="/rooms">{text}</Link>;
  return (
    <Link to="/c/$community/rooms" params={{ community }}>
      {text}
    </Link>
  );
}

export function HomeButton({ text }: { readonly text: string }) {
  const { community } = useRoomsHome();
  if (community === undefined)
    return (
      <LinkButton tone="quiet" to="/rooms">
        {text}
      </LinkButton>
    );
  return (
    <LinkButton tone="quiet" to="/c/$community/rooms" params={{ community }}>
      {text}
    </LinkButton>
  );
}

/** @returns goes to the list */
export function useGoHome(): () => void {
  const { community } = useRoomsHome();
  const navigate = useNavigate();
  return () => void (community === undefined ? navigate({ to: "/rooms" }) : navigate({ to: "/c/$community/rooms", params: { community } }));
}
