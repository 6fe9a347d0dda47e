/**
 * Bytes under a derived at-rest key, in the age format of backups: an own recipient wraps the file's key, the rest is age's.
 *
 * Invariant: age's payload is ChaCha20-Poly1305 in parts of 64 KiB whose order and end are authenticated, under a key that is drawn for each file; the
 * header is authenticated by that key. So a changed bit, a part moved, a cut or an addition is an error, and two files of one content are not alike.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { Decrypter, Encrypter, Stanza, type Identity, type Recipient } from "age-encryption";

/** First word of the header's line. */
export const atRestStanza = "althing.at-rest";
const [cipherName, nonceBytes, tagBytes, fileKeyBytes] = ["chacha20-poly1305", 12, 16, 16] as const;
const associated = Buffer.from(`${atRestStanza} v1`);

export function atRestRecipient(key: Uint8Array): Recipient {
  return {
    wrapFileKey(fileKey) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(cipherName, key, nonce, { authTagLength: tagBytes });
      cipher.setAAD(associated, { plaintextLength: fileKey.length });
      const body = Buffer.concat([nonce, cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
      return [new Stanza([atRestStanza, "v1"], new Uint8Array(body))];
    },
  };
}

export function atRestIdentity(key: Uint8Array): Identity {
  return {
    unwrapFileKey(stanzas) {
      for (const { args, body } of stanzas) {
        if (args[0] !== atRestStanza || body.length !== nonceBytes + fileKeyBytes + tagBytes) continue;
        const decipher = createDecipheriv(cipherName, key, body.subarray(0, nonceBytes), { authTagLength: tagBytes });
        decipher.setAAD(associated, { plaintextLength: fileKeyBytes });
        decipher.setAuthTag(body.subarray(-tagBytes));
        try {
          const opened = [decipher.update(body.subarray(nonceBytes, -tagBytes)), decipher.final()];
          return new Uint8Array(Buffer.concat(opened));
        } catch {
          continue;
        }
      }
      return null;
    },
  };
}

/** What the library takes of a stream. */
export function webStream(bytes: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const pieces = bytes[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await pieces.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await pieces.return?.();
    },
  });
}

export async function* sealStream(key: Uint8Array, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(atRestRecipient(key));
  yield* await encrypter.encrypt(webStream(bytes));
}

/** Throws in the middle when the rest was changed: what came before it is what was sealed. */
export async function* openStream(key: Uint8Array, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(atRestIdentity(key));
  yield* await decrypter.decrypt(webStream(bytes));
}

export async function sealBytes(key: Uint8Array, bytes: Uint8Array): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(atRestRecipient(key));
  return encrypter.encrypt(bytes);
}

/** Throws when it was changed, or sealed with another key. */
export async function openBytes(key: Uint8Array, sealed: Uint8Array): Promise<Uint8Array> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(atRestIdentity(key));
  return decrypter.decrypt(sealed);
}
