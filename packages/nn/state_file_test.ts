import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { decodeState, encodeState } from "./state_file.ts"
import { hostNumbers } from "./testing/evaluate.ts"

const tree = {
  parameters: { w: hostNumbers([3], 1) },
  slots: { first: { w: hostNumbers([3], 2) } },
}
const state = { step: 7, losses: [2.5, 1 / 3], norms: [1e-30, 4], tree }

describe("training states", () => {
  it("come back exactly", () => {
    assert.deepStrictEqual(Option.getOrThrow(decodeState(encodeState(state), tree)), state)
  })

  it("are refused for another optimiser or another model", () => {
    const other = { ...tree, slots: { second: tree.slots.first } }
    assert.isTrue(Option.isNone(decodeState(encodeState(state), other)))
    const wider = { ...tree, parameters: { w: hostNumbers([4]) } }
    assert.isTrue(Option.isNone(decodeState(encodeState(state), wider)))
  })

  it("are refused where a file is missing or is something else", () => {
    const files = encodeState(state)
    const { "state.json": header, ...arraysOnly } = files
    const { "arrays.bin": _, ...headerOnly } = files
    const foreign = { ...files, "state.json": new TextEncoder().encode('{"step": "seven"}') }
    for (const damaged of [
      {},
      arraysOnly,
      headerOnly,
      foreign,
      { ...files, "arrays.bin": header },
    ]) {
      assert.isTrue(Option.isNone(decodeState(damaged, tree)))
    }
  })
})
