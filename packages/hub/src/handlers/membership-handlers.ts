/** Which method answers which route of `routes-memberships.ts`; rules as in handlers.ts. */
import type { CommunityPlane } from "@althing/community";
import type { membershipRoutes } from "@althing/contract";
import { inputOf, precondition, type Handler } from "./handler.ts";

export function membershipHandlers(plane: () => CommunityPlane) {
  return {
    "communities.change": (c) => plane().communities.change(c.caller(), inputOf<"communities.change">(c), precondition(c)),
    "communities.directory": (c) => plane().door.directory(c.caller(), inputOf<"communities.directory">(c)),
    "communities.export": (c) => plane().exporter.read(c.caller(), inputOf<"communities.export">(c)),
    "communities.erase": (c) => plane().erasure.erase(c.caller(), inputOf<"communities.erase">(c)),

    "founding.ask": (c) => plane().founding.ask(c.caller(), inputOf<"founding.ask">(c)),
    "founding.list": (c) => plane().founding.list(c.caller(), inputOf<"founding.list">(c)),
    "founding.approve": (c) => plane().founding.approve(c.caller(), inputOf<"founding.approve">(c)),
    "founding.decline": (c) => plane().founding.decline(c.caller(), inputOf<"founding.decline">(c)),
    "founding.withdraw": (c) => plane().founding.withdraw(c.caller(), inputOf<"founding.withdraw">(c)),

    "roles.list": (c) => plane().roles.list(c.caller(), inputOf<"roles.list">(c)),
    "roles.create": (c) => plane().roles.create(c.caller(), inputOf<"roles.create">(c)),
    "roles.change": (c) => plane().roles.change(c.caller(), inputOf<"roles.change">(c), precondition(c)),
    "roles.remove": (c) => plane().roles.remove(c.caller(), inputOf<"roles.remove">(c), precondition(c)),

    "communities.invitations": (c) => plane().invitations.invitations(c.caller(), inputOf<"communities.invitations">(c)),
    "communities.invite": (c) => plane().invitations.invite(c.caller(), inputOf<"communities.invite">(c)),
    "communities.withdrawInvitation": (c) =>
      plane().invitations.withdrawInvitation(c.caller(), inputOf<"communities.withdrawInvitation">(c)),
    "communities.readInvitation": (c) => plane().invitations.readInvitation(c.caller(), inputOf<"communities.readInvitation">(c)),
    "communities.joinByInvitation": (c) => plane().invitations.joinByInvitation(c.caller(), inputOf<"communities.joinByInvitation">(c)),

    "communities.door": (c) => plane().door.door(c.caller(), inputOf<"communities.door">(c)),
    "communities.join": (c) => plane().joining.join(c.caller(), inputOf<"communities.join">(c)),
    "communities.withdrawRequest": (c) => plane().joining.withdrawRequest(c.caller(), inputOf<"communities.withdrawRequest">(c)),
    "communities.requests": (c) => plane().joining.requests(c.caller(), inputOf<"communities.requests">(c)),
    "communities.approve": (c) => plane().joining.approve(c.caller(), inputOf<"communities.approve">(c)),
    "communities.decline": (c) => plane().joining.decline(c.caller(), inputOf<"communities.decline">(c)),
  } as const satisfies Record<keyof typeof membershipRoutes, Handler>;
}
