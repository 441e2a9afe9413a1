import { encodeUtf8 } from "../bytes.ts"

/** Bytes that stand for themselves as characters of Latin-1; the others have no printable one there. */
const isPrintable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae

const makeByteCharacters = (): ReadonlyArray<string> => {
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(isPrintable(byte) ? byte : next++),
  )
}

/**
 * The printable character that stands for each byte in byte-level vocabularies: its own Latin-1
 * character where that is printable, else the next one from U+0100 on.
 *
 * Source: `bytes_to_unicode` of GPT-2 (Radford et al. 2019).
 */
export const byteCharacters: ReadonlyArray<string> = makeByteCharacters()

const byteOf = new Map(byteCharacters.map((character, byte) => [character, byte]))

/** A text as the characters that stand for its UTF-8 bytes. */
export const toByteCharacters = (text: string): string => {
  let characters = ""
  for (const byte of encodeUtf8(text)) characters += byteCharacters[byte]
  return characters
}

/** The bytes that a token's characters stand for, or `undefined` where one stands for none. */
export const fromByteCharacters = (token: string): Uint8Array | undefined => {
  const bytes = new Uint8Array(token.length)
  for (let i = 0; i < token.length; i++) {
    const byte = byteOf.get(token[i])
    if (byte === undefined) return undefined
    bytes[i] = byte
  }
  return bytes
}
