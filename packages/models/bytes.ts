// Typed arrays cannot be laid over unaligned bytes, and `Buffer.slice` does not copy: hence these.

/** Copies `count` little-endian `f32` out of a file. */
export const readFloats = (bytes: Uint8Array, offset: number, count: number): Float32Array => {
  const values = new Float32Array(count)
  new Uint8Array(values.buffer).set(bytes.subarray(offset, offset + count * 4))
  return values
}

/** The bytes of a typed array, without a copy. */
export const bytesOfArray = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

interface TextCodec {
  decode(bytes?: Uint8Array, options?: { readonly stream?: boolean }): string
}

// Present in every runtime, but only in the type libraries of some.
declare const TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> }
declare const TextDecoder: new (
  label: "utf-8",
  options: { readonly ignoreBOM: true; readonly fatal?: boolean },
) => TextCodec

/** UTF-8; lone surrogates become U+FFFD. */
export const encodeUtf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)

/** UTF-8, or `undefined` where the bytes are ill-formed. */
export const decodeStrictUtf8 = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Decodes UTF-8 that comes in pieces: a character that is not complete yet waits for its rest. */
export const makeUtf8Stream = (): {
  readonly push: (bytes: Uint8Array) => string
  readonly flush: () => string
} => {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  return {
    push: (bytes) => decoder.decode(bytes, { stream: true }),
    flush: () => decoder.decode(),
  }
}
