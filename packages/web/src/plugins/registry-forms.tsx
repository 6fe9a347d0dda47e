/** Installs from the instance's own registry, or from another one by its address. */
import { extensionIdSchema, type Install, type PackageVersion } from "@althing/contract";
import { useState } from "react";
import { useAct, useRead } from "../app/calls.ts";
import { Actions, Button, Refusal, SearchField, SelectField, TextField } from "../ui/index.ts";
import { InstallSteps, type InstallStep } from "./install-steps.tsx";
import { SignatureBadge } from "./package-badges.tsx";
import { usePluginTexts } from "./texts.ts";

const steps: readonly InstallStep[] = ["fetch", "verify", "compile", "record"];

interface Wanted {
  readonly url: string;
  readonly name?: string;
  readonly version?: string;
}

function useFetch(community: string, onDone: (install: Install) => void) {
  return useAct(
    (client, { url, name, version }: Wanted) =>
      client.call("packages.installRegistry", {
        params: { community },
        body: {
          url,
          ...(name === undefined || name === "" ? {} : { name: extensionIdSchema.parse(name) }),
          ...(version === undefined || version === "" ? {} : { version }),
        },
      }),
    { changes: ["packages."], onDone },
  );
}

type Fetch = ReturnType<typeof useFetch>;

function Outcome({ act }: { readonly act: Fetch }) {
  const t = usePluginTexts();
  return (
    <>
      {act.isPending && <InstallSteps label={t("install.fetching")} steps={steps} now={steps} />}
      {act.isError && <Refusal title={t("install.failed")} error={act.error} />}
      <Actions>
        <Button type="submit" busy={act.isPending}>
          {t("install.get")}
        </Button>
      </Actions>
    </>
  );
}

export function OwnRegistryForm({
  community,
  preset,
  onDone,
}: {
  readonly community: string;
  readonly preset: string | undefined;
  readonly onDone: (install: Install) => void;
}) {
  const t = usePluginTexts();
  const [search, setSearch] = useState("");
  const [name, setName] = useState(preset ?? "");
  const [version, setVersion] = useState("");
  const [isMissing, setIsMissing] = useState(false);
  const offers = useRead("registry.list", { query: { limit: 200, ...(search.trim() === "" ? {} : { search: search.trim() }) } });
  const parsed = extensionIdSchema.safeParse(name);
  const versions = useRead("registry.get", parsed.success ? { params: { name: parsed.data } } : {}, { enabled: parsed.success });
  const act = useFetch(community, onDone);
  const names = [...new Set([...(preset === undefined ? [] : [preset]), ...(offers.data?.packages.map((offer) => offer.name) ?? [])])];
  const chosen = versions.data?.versions.find((one) => one.version === version) ?? versions.data?.versions[0];
  if (offers.isError) return <Refusal error={offers.error} onRetry={() => void offers.refetch()} />;
  if (offers.data?.packages.length === 0 && search === "" && preset === undefined)
    return <p className="text-soft">{t("install.nothing")}</p>;
  return (
    <form
      noValidate
      className="grid gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        setIsMissing(!parsed.success);
        if (parsed.success) act.mutate({ url: `registry:${name}`, version });
      }}
    >
      <SearchField label={t("install.search")} value={search} onChange={setSearch} />
      <SelectField
        label={t("install.chosen")}
        fault={isMissing && !parsed.success ? t("install.pick") : undefined}
        value={name}
        options={[{ value: "", label: t("install.pick") }, ...names.map((one) => ({ value: one, label: one }))]}
        onChange={(event) => {
          setName(event.target.value);
          setVersion("");
        }}
      />
      {versions.isError && <Refusal error={versions.error} />}
      {versions.data !== undefined && <VersionChoice versions={versions.data.versions} value={version} onChange={setVersion} />}
      {chosen !== undefined && <ChosenVersion version={chosen} />}
      <Outcome act={act} />
    </form>
  );
}

function VersionChoice({
  versions,
  value,
  onChange,
}: {
  readonly versions: readonly PackageVersion[];
  readonly value: string;
  readonly onChange: (version: string) => void;
}) {
  const t = usePluginTexts();
  const options = versions.map(({ version, yanked, deprecated }) => ({
    value: version,
    label: [version, yanked ?? deprecated].filter((one) => one !== undefined).join(" – "),
  }));
  return (
    <SelectField
      label={t("install.version")}
      value={value}
      options={[{ value: "", label: t("install.newest") }, ...options]}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

function ChosenVersion({
  version: { displayName, version, publisher, description, trust, deprecated },
}: {
  readonly version: PackageVersion;
}) {
  const t = usePluginTexts();
  return (
    <div className="grid gap-1.5 rounded-lg bg-raised p-4">
      <p className="font-semibold">
        <bdi>{displayName}</bdi> <span className="font-normal text-soft">{t("packages.version", { version })}</span>
      </p>
      <p className="text-sm text-soft">
        {t("packages.by")} <bdi>{publisher.name}</bdi>
      </p>
      {description !== undefined && (
        <p>
          <bdi>{description}</bdi>
        </p>
      )}
      {deprecated !== undefined && (
        <p className="text-sm text-note">
          {t("packages.deprecated")}: <bdi>{deprecated}</bdi>
        </p>
      )}
      <div>
        <SignatureBadge trust={trust} />
      </div>
    </div>
  );
}

export function UrlForm({
  community,
  allowed,
  onDone,
}: {
  readonly community: string;
  readonly allowed: readonly string[];
  readonly onDone: (install: Install) => void;
}) {
  const t = usePluginTexts();
  const [url, setUrl] = useState("");
  const [name, setName] = useState("");
  const [version, setVersion] = useState("");
  const [isTried, setIsTried] = useState(false);
  const act = useFetch(community, onDone);
  const isName = name.trim() === "" || extensionIdSchema.safeParse(name.trim()).success;
  const list = allowed.length === 0 ? t("install.allowedNone") : t("install.allowed", { hosts: allowed.join(", ") });
  return (
    <form
      noValidate
      className="grid gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        setIsTried(true);
        if (url.trim() !== "" && isName) act.mutate({ url: url.trim(), name: name.trim(), version: version.trim() });
      }}
    >
      <TextField
        label={t("install.address")}
        hint={`${t("install.addressHint")} ${list}`}
        fault={isTried && url.trim() === "" ? t("install.needAddress") : undefined}
        type="url"
        inputMode="url"
        value={url}
        onChange={(event) => setUrl(event.target.value)}
      />
      <TextField
        label={t("install.name")}
        optional
        hint={`${t("install.nameHint")} ${t("install.nameFromUrl")}`}
        fault={isTried && !isName ? t("install.needName") : undefined}
        autoCapitalize="none"
        spellCheck={false}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <TextField
        label={t("install.version")}
        optional
        hint={t("install.versionHint")}
        value={version}
        onChange={(event) => setVersion(event.target.value)}
      />
      <Outcome act={act} />
    </form>
  );
}
