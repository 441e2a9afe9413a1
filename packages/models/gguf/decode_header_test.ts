import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { decodeGguf } from "./gguf.ts"

const failure = (bytes: Uint8Array) =>
  Result.getOrThrow(Result.flip(decodeGguf(bytes, "model.gguf")))

/** A file made of words by hand, to lie in. */
const lies = (
  change: {
    readonly start?: ReadonlyArray<number>
    readonly tensors?: bigint
    readonly values?: bigint
    readonly body?: ReadonlyArray<number>
  },
  padding = 64,
): Uint8Array => {
  const { start = [0x46554747, 3], tensors = 0n, values = 0n, body = [] } = change
  return Uint8Array.from(
    Buffer.concat([
      new Uint8Array(Uint32Array.from(start).buffer),
      new Uint8Array(BigUint64Array.of(tensors, values).buffer),
      Uint8Array.from(body),
      new Uint8Array(padding),
    ]),
  )
}
const u32 = (value: number) => [...new Uint8Array(Uint32Array.of(value).buffer)]
const u64 = (value: bigint) => [...new Uint8Array(BigUint64Array.of(value).buffer)]
const text = (value: string) => [...u64(BigInt(value.length)), ...Buffer.from(value)]
const info = (name: string, shape: ReadonlyArray<bigint>, type: number, place: bigint) => [
  ...text(name),
  ...u32(shape.length),
  ...shape.flatMap(u64),
  ...u32(type),
  ...u64(place),
]
const alignment = (type: number, value: ReadonlyArray<number>) => ({
  values: 1n,
  body: [...text("general.alignment"), ...u32(type), ...value],
})

describe("GGUF files that lie", () => {
  const most = 2n ** 64n - 1n
  const refused: ReadonlyArray<readonly [string, Uint8Array, RegExp]> = [
    ["are empty", new Uint8Array(0), /expected 4 bytes of GGUF's first word, found 0 bytes/],
    ["are text", Buffer.from("plain text, nothing more"), /found first word 0x.*another kind/],
    ["are of version 1", lies({ start: [0x46554747, 1] }), /version 2 or 3.*found version 1/],
    ["are big-endian", lies({ start: [0x46554747, 0x03000000] }), /big-endian/],
    [
      "announce endless tensors",
      lies({ tensors: most }),
      /at most 3 tensors.*18446744073709551615/,
    ],
    ["announce endless values", lies({ values: most }), /at most 4 values.*18446744073709551615/],
    ["announce a tensor more than fits", lies({ tensors: 4n }), /at most 3 tensors.*found 4/],
    ["have an endless key", lies({ values: 1n, body: u64(most) }), /bytes of the name of metadata/],
    [
      "have an endless string",
      lies({ values: 1n, body: [...text("k"), ...u32(8), ...u64(2n ** 40n)] }),
      /at most 64 bytes of k before the end, found 1099511627776/,
    ],
    [
      "have an endless array",
      lies({ values: 1n, body: [...text("k"), ...u32(9), ...u32(5), ...u64(2n ** 60n)] }),
      /at most 16 values of k/,
    ],
    [
      "have a value of no type",
      lies({ values: 1n, body: [...text("k"), ...u32(13)] }),
      /a value type of k from 0 to 12, found 13/,
    ],
    [
      "have a boolean of 2",
      lies({ values: 1n, body: [...text("k"), ...u32(7), 2] }),
      /0 or 1 for k, found 2/,
    ],
    [
      "have other bytes than UTF-8",
      lies({ values: 1n, body: [...text("k"), ...u32(8), ...u64(1n), 0xff] }),
      /k in UTF-8/,
    ],
    [
      "have arrays without end in arrays",
      lies({
        values: 1n,
        body: [
          ...text("k"),
          ...u32(9),
          ...Array.from({ length: 100_000 }, () => [...u32(9), ...u64(1n)]).flat(),
        ],
      }),
      /k nested at most 8 deep/,
    ],
    [
      "have a key twice",
      lies({ values: 2n, body: [...text("k"), ...u32(0), 1, ...text("k"), ...u32(0), 1] }),
      /every key once, found k twice/,
    ],
    ["are aligned to 7", lies(alignment(4, u32(7))), /uint32 multiple of 8, found 7/],
    ["are aligned to nothing", lies(alignment(4, u32(0))), /uint32 multiple of 8, found 0/],
    ["are aligned to a truth", lies(alignment(7, [1])), /uint32 multiple of 8, found bool/],
    [
      "have a tensor twice",
      lies({ tensors: 2n, body: [...info("w", [0n], 0, 0n), ...info("w", [0n], 0, 0n)] }),
      /every tensor once, found w twice/,
    ],
    [
      "have a long name",
      lies({ tensors: 1n, body: info("w".repeat(65), [1n], 0, 0n) }),
      /at most 64 bytes, found 65 bytes/,
    ],
    [
      "have five dimensions",
      lies({ tensors: 1n, body: info("w", [1n, 1n, 1n, 1n, 1n], 0, 0n) }),
      /at most 4 dimensions of w, found 5/,
    ],
    [
      "have a shape beyond everything",
      lies({ tensors: 1n, body: info("w", [2n ** 50n, 2n ** 50n], 0, 0n) }),
      /a shape of w that can be/,
    ],
    [
      "have a tensor of another type",
      lies({ tensors: 1n, body: info("w", [256n], 14, 0n) }),
      /w in F32, F16, Q4_0, Q4_1, Q8_0, BF16, found Q6_K/,
    ],
    [
      "have a tensor of no type",
      lies({ tensors: 1n, body: info("w", [256n], 4_000, 0n) }),
      /found type 4000/,
    ],
    [
      "have half a block",
      lies({ tensors: 1n, body: info("w", [48n, 2n], 2, 0n) }),
      /rows of w to be whole blocks of 32 \(Q4_0\), found \[2, 48\]/,
    ],
    [
      "have a tensor at an odd place",
      lies({ tensors: 1n, body: info("w", [1n], 0, 4n) }),
      /w at a multiple of 32, found 4/,
    ],
    [
      "have a tensor outside",
      lies({ tensors: 1n, body: info("w", [4n], 0, 2n ** 40n) }),
      /1099511627792 bytes of data, to the end of w.*truncated/,
    ],
    [
      "have a tensor that is too long",
      lies({ tensors: 1n, body: info("w", [1_000_000n], 0, 0n) }),
      /4000000 bytes of data, to the end of w, found \d+ bytes.*truncated/,
    ],
    [
      "have tensors over one another",
      lies({ tensors: 2n, body: [...info("a", [9n], 0, 0n), ...info("b", [1n], 0, 32n)] }, 128),
      /b at byte 36 or later, where a ends, found byte 32/,
    ],
  ]
  for (const [what, bytes, message] of refused) {
    it(`and ${what} are refused`, () => {
      assert.strictEqual(failure(bytes)._tag, "CheckpointFormatError")
      assert.match(failure(bytes).message, message)
    })
  }
})
