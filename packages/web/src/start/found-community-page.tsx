/** Founding a community, with the state of one's own request where founding is on request. */
import { useNavigate } from "@tanstack/react-router";
import { messageOf, useAct, useRead } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";
import { Badge, Button, Card, EmptyState, Facts, Page, PageHeader, Refusal, Section, Skeleton, Time, useToast } from "../ui/index.ts";
import type { FoundingRequest } from "@althing/contract";
import { FoundingForm } from "./founding-form.tsx";
import { useStartTexts } from "./texts.ts";
import { useFounding } from "./use-founding.ts";
import { WaysIn } from "./ways-in.tsx";

/** One's own request: there is at most one a person. An admin reads everybody's and has none. */
export function useOwnRequest() {
  const { user } = useSession();
  const read = useRead("founding.list", { query: { limit: 100 } });
  return { read, request: read.data?.requests.find(({ endpoint }) => endpoint === user.endpoint) };
}

export function FoundCommunityPage() {
  const t = useStartTexts();
  const navigate = useNavigate();
  const show = useToast();
  const { read, request } = useOwnRequest();
  const founding = useFounding();
  const isWaiting = request?.state === "open";
  const isKnown = !read.isPending && founding !== "unknown";
  return (
    <Page>
      <PageHeader title={t("founding.title")} {...(founding === "cannot" ? {} : { lead: t("founding.lead") })} />
      {!isKnown && <Skeleton rows={3} />}
      {read.error !== null && <Refusal error={read.error} onRetry={() => void read.refetch()} />}
      {request !== undefined && <RequestPart request={request} />}
      {founding === "cannot" && (
        <EmptyState title={t("founding.adminsOnly")} actions={<WaysIn />}>
          {t("founding.adminsOnlyText")}
        </EmptyState>
      )}
      {isKnown && !isWaiting && founding !== "cannot" && (
        <Card>
          <FoundingForm
            onFounded={({ name }) => void navigate({ to: "/c/$community", params: { community: name } })}
            onAsked={() => show({ text: t("founding.asked") })}
          />
        </Card>
      )}
    </Page>
  );
}

export function RequestPart({ request }: { readonly request: FoundingRequest }) {
  const t = useStartTexts();
  const show = useToast();
  const isOpen = request.state === "open";
  const { name, displayName, reason } = request;
  const again = useAct((client) => client.call("founding.ask", { body: { name, displayName, reason } }), { changes: ["founding."] });
  // The request is gone by then: a refusal has no other place.
  const undo = () =>
    void again.mutateAsync().catch((error: unknown) => show({ text: t("founding.undoRefused", { why: messageOf(error) }) }));
  const withdraw = useAct((client) => client.call("founding.withdraw", { params: { endpoint: request.endpoint } }), {
    changes: ["founding."],
    onDone: () => show({ text: t("founding.withdrawn"), undo }),
  });
  return (
    <Section
      title={t("founding.requestTitle")}
      lead={isOpen ? t("founding.requestWait") : t("founding.again")}
      actions={<Badge tone={isOpen ? "note" : "bad"}>{isOpen ? t("founding.requestOpen") : t("founding.requestDeclined")}</Badge>}
    >
      <div className="grid gap-4">
        <Facts
          facts={[
            [
              t("founding.requestFor"),
              <span key="name">
                <bdi>{request.displayName}</bdi> <code>{request.name}</code>
              </span>,
            ],
            request.reason === ""
              ? undefined
              : [
                  t("founding.requestReason"),
                  <bdi key="reason" className="whitespace-pre-wrap">
                    {request.reason}
                  </bdi>,
                ],
            [t("founding.requestAt"), <Time key="at" at={request.createdAt} />],
            request.decidedAt === undefined ? undefined : [t("founding.requestDecided"), <Time key="decided" at={request.decidedAt} />],
            request.answer === undefined
              ? undefined
              : [
                  t("founding.requestAnswer"),
                  <bdi key="answer" className="whitespace-pre-wrap">
                    {request.answer}
                  </bdi>,
                ],
          ]}
        />
        {withdraw.error !== null && <Refusal error={withdraw.error} />}
        {isOpen && (
          <div>
            <Button tone="quiet" busy={withdraw.isPending} onClick={() => withdraw.mutate()}>
              {t("founding.withdraw")}
            </Button>
          </div>
        )}
      </div>
    </Section>
  );
}
