import { Result } from "effect"
import { decodeStrictUtf8 } from "../bytes.ts"
import { CheckpointFormatError } from "../checkpoint_format_error.ts"

/** What is wrong with a file; thrown within the reader, and given as a failure at its border. */
export class GgufProblem extends Error {
  readonly expected: string
  readonly found: string
  readonly hint: string
  constructor(expected: string, found: string, hint: string) {
    super(`expected ${expected}, found ${found}`)
    this.expected = expected
    this.found = found
    this.hint = hint
  }
}

/** Thrown where the bytes end, but the file does not. */
export class MoreBytesNeeded extends Error {}

export const damaged = "The file is damaged; fetch or export it again."
export const truncated = "The file is truncated; fetch or export it again."

/** A name from a file as it may stand in a message: short, on one line, and quoted where it is odd. */
export const label = (name: string): string =>
  /^[\w.-]{1,64}$/.test(name) ? name : JSON.stringify(name.slice(0, 64))

/** Runs a reader; a `GgufProblem` becomes a failure, any other error is a bug. */
export const withoutProblems = <A>(
  path: string,
  read: () => A,
): Result.Result<A, CheckpointFormatError> => {
  try {
    return Result.succeed(read())
  } catch (error) {
    if (!(error instanceof GgufProblem)) throw error
    const { expected, found, hint } = error
    return Result.fail(new CheckpointFormatError({ path, expected, found, hint }))
  }
}

/** Reads little-endian values one after the other. */
export interface ByteReader {
  readonly offset: () => number
  /** Bytes of the file from here on. */
  readonly remaining: () => number
  /** The next bytes, without a copy. `what` is for the message where the file ends before. */
  readonly take: (count: number, what: string) => Uint8Array
  readonly uint32: (what: string) => number
  readonly uint64: (what: string) => bigint
  /** A `uint64` that counts things of at least `each` bytes, all of which must be in the file. */
  readonly count: (each: number, what: string) => number
  /** UTF-8 after its length. */
  readonly text: (what: string, longest?: number) => string
}

/** A reader of the start of a file that has `size` bytes. */
export const makeByteReader = (bytes: Uint8Array, size: number): ByteReader => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let offset = 0
  const skip = (count: number, what: string): number => {
    if (count > size - offset) {
      throw new GgufProblem(`${count} bytes of ${what}`, `${size - offset} bytes`, truncated)
    }
    if (count > bytes.length - offset) throw new MoreBytesNeeded()
    const start = offset
    offset += count
    return start
  }
  const take = (count: number, what: string) => {
    const start = skip(count, what)
    return bytes.subarray(start, start + count)
  }
  const uint64 = (what: string) => view.getBigUint64(skip(8, what), true)
  const count = (each: number, what: string): number => {
    const announced = uint64(what)
    const room = Math.floor((size - offset) / each)
    if (announced > BigInt(room)) {
      throw new GgufProblem(`at most ${room} ${what} before the end`, String(announced), damaged)
    }
    return Number(announced)
  }
  return {
    offset: () => offset,
    remaining: () => size - offset,
    take,
    uint32: (what) => view.getUint32(skip(4, what), true),
    uint64,
    count,
    text: (what, longest = Number.MAX_SAFE_INTEGER) => {
      const length = count(1, `bytes of ${what}`)
      if (length > longest) {
        throw new GgufProblem(`${what} of at most ${longest} bytes`, `${length} bytes`, damaged)
      }
      const text = decodeStrictUtf8(take(length, what))
      if (text === undefined) throw new GgufProblem(`${what} in UTF-8`, "other bytes", damaged)
      return text
    },
  }
}
