import { assert, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { assertFriendly, makeFolder } from "../testing/espalier.ts"
import { makeTinyModel, tinyStories, writeModel } from "../testing/tiny_model.ts"

type Place = ReturnType<typeof makeFolder>

const inPlace = (use: (place: Place) => Promise<void>) => async () => {
  const place = makeFolder("real")
  try {
    writeModel(place.at("model"), makeTinyModel({ hiddenDimension: 16, layers: 6 }))
    place.write("stories.jsonl", tinyStories.map((text) => JSON.stringify(text)).join("\n"))
    await use(place)
  } finally {
    place.remove()
  }
}

const prune = ["prune", "model", "--device", "wasm", "--calibration", "stories.jsonl"]
const short = ["--window", "16", "--samples", "8"]
const twoOfFour = [...prune, ...short, "--sparsity", "2:4"]

/** Tensors of a safetensors file, read by its format and nothing of this project. */
const readTensors = (file: string) => {
  const bytes = readFileSync(file)
  const length = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + length)) as Record<
    string,
    { readonly shape: ReadonlyArray<number>; readonly data_offsets: readonly [number, number] }
  >
  return Object.entries(header).flatMap(([name, entry]) => {
    if (name === "__metadata__") return []
    const [from, to] = entry.data_offsets.map((offset) => 8 + length + offset)
    const values = Array.from({ length: (to - from) / 4 }, (_, i) =>
      bytes.readFloatLE(from + 4 * i),
    )
    return [{ name, shape: entry.shape, values }]
  })
}

const isPruned = (name: string) => name.endsWith("_proj.weight")

describe.concurrent("espalier prune", () => {
  it(
    "writes a folder of the same layout with zeros in the linears and every other byte as it was",
    { timeout: 120_000 },
    inPlace(async (place) => {
      const ended = await place.espalier([
        ...twoOfFour,
        "--method",
        "sds",
        "--out",
        "out",
        "--json",
      ])
      assert.strictEqual(ended.code, 0, ended.error)
      const told = JSON.parse(ended.out) as { readonly sparsity: { readonly overall: number } }
      assert.strictEqual(told.sparsity.overall, 0.5)
      assert.deepStrictEqual(readdirSync(place.at("out")), readdirSync(place.at("model")))
      const [before, after] = ["model", "out"].map((name) =>
        readTensors(place.at(name, "model.safetensors")),
      )
      assert.deepStrictEqual(
        after.map(({ name, shape }) => [name, shape]),
        before.map(({ name, shape }) => [name, shape]),
      )
      for (const [i, { name, values }] of after.entries()) {
        if (!isPruned(name)) assert.deepStrictEqual(values, before[i].values, name)
        else {
          for (let g = 0; g < values.length; g += 4) {
            const kept = values.slice(g, g + 4).filter((value) => value !== 0)
            assert.strictEqual(kept.length, 2, `${name} at ${g}`)
          }
        }
      }
      const continued = await place.espalier([
        "generate",
        "--model",
        "out",
        "--prompt",
        "Mia",
        "--tokens",
        "4",
        "--device",
        "wasm",
      ])
      assert.strictEqual(continued.code, 0, continued.error)
      const again = await place.espalier([...twoOfFour, "--out", "out"])
      assert.strictEqual(again.code, 2)
      assertFriendly(again.error)
      assert.match(again.error, /exists already/)
    }),
  )

  it(
    "killed at any moment goes on at the block it was in, with the same bytes at the end",
    { timeout: 240_000 },
    inPlace(async (place) => {
      const method = ["--method", "block", "--option", "epochs=12"]
      const job = [...twoOfFour, ...method, "--layer-errors", "--json"]
      const whole = await place.espalier([...job, "--out", "whole"])
      assert.strictEqual(whole.code, 0, whole.error)
      const done = (): number => {
        const file = place.at("out.partial", "espalier-progress.json")
        if (!existsSync(file)) return -1
        return Number(/"done":\s*(\d+)/.exec(readFileSync(file, "utf8"))?.[1] ?? -1)
      }
      // Killed as soon as the copy is there, and some moments after each of two blocks; then left alone.
      const moments: ReadonlyArray<readonly [blocks: number, looks: number]> = [
        [0, 0],
        [1, 3],
        [3, 17],
      ]
      for (const [blocks, looks] of moments) {
        let seen = 0
        const killWhen = () => done() >= blocks && seen++ >= looks
        const killed = await place.espalier([...job, "--out", "out"], { killWhen })
        assert.isNull(killed.code, killed.error)
        assert.isFalse(existsSync(place.at("out")))
      }
      const ended = await place.espalier([...job, "--out", "out"])
      assert.strictEqual(ended.code, 0, ended.error)
      assert.match(ended.error, /going on after [3-5] of 6 blocks/)
      for (const name of readdirSync(place.at("whole"))) {
        const [expected, found] = ["whole", "out"].map((each) => readFileSync(place.at(each, name)))
        assert.isTrue(expected.equals(found), name)
      }
      // What the last process did not see of the blocks before comes from those who did them.
      const errorsOf = (out: string) => JSON.parse(out).layerError
      assert.lengthOf(Object.keys(errorsOf(whole.out).layers), 42)
      assert.deepStrictEqual(errorsOf(ended.out), errorsOf(whole.out))
      assert.deepStrictEqual(
        readdirSync(place.at(".")).filter((name) => name.startsWith("out.")),
        [],
      )
    }),
  )

  it(
    "says what is wrong with its input, and writes nothing",
    { timeout: 120_000 },
    inPlace(async (place) => {
      const broken = makeTinyModel({ hiddenDimension: 16, layers: 6 })
      broken.model.parameters.blocks[1].gate.data[3] = NaN
      writeModel(place.at("broken"), broken)
      const cases: ReadonlyArray<readonly [ReadonlyArray<string>, number, RegExp]> = [
        [[...prune, "--sparsity", "4:12"], 2, /8 inputs, which 4:12 does not divide/],
        [[...prune, "--sparsity", "lots"], 2, /NaN is no sparsity|lots/],
        [["prune", "model", "--sparsity", "0.5"], 2, /needs a text to calibrate on/],
        [[...twoOfFour, "--option", "dampnig=1"], 2, /has no such option/],
        [[...twoOfFour, "--option", "damping=much"], 2, /--option damping=much/],
        [twoOfFour.with(1, "nowhere"), 2, /nowhere/],
        [twoOfFour.with(1, "broken"), 2, /1 weights of blocks\.1\.gate are NaN/],
      ]
      for (const [args, code, says] of cases) {
        const ended = await place.espalier([...args, "--out", "out"])
        assert.strictEqual(ended.code, code, `${args.join(" ")}: ${ended.error}`)
        assertFriendly(ended.error)
        assert.match(ended.error, says)
        assert.isFalse(existsSync(place.at("out")))
      }
    }),
  )
})
