/** Face of the secrets of extensions. */
export { createSecretVault, type SecretPut, type SecretVault, type SecretView } from "./secret-vault.ts";
