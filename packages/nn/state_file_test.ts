import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { decodeState, encodeState } from "./state_file.ts"
import { hostNumbers } from "./testing/evaluate.ts"

const tree = {
  parameters: { w: hostNumbers([3], 1) },
  slots: { first: { w: hostNumbers([3], 2) } },
}
const record = {
  job: "a job",
  step: 7,
  losses: [2.5, 1 / 3],
  norms: [1e-30, 4],
  evaluations: [{ step: 5, value: 1 / 7 }],
  skipped: [3],
  lossScale: { value: 1024, steps: 6 },
}
const state = { record, tree }
const best = { w: hostNumbers([3], 9) }
const withBest = { record: { ...record, best: { step: 5, value: 1 / 7 } }, tree, best }

describe("training states", () => {
  it("come back exactly", () => {
    assert.deepStrictEqual(Option.getOrThrow(decodeState(encodeState(state), tree)), state)
    assert.deepStrictEqual(Option.getOrThrow(decodeState(encodeState(withBest), tree)), withBest)
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
      { ...encodeState(withBest), "best.bin": header },
    ]) {
      assert.isTrue(Option.isNone(decodeState(damaged, tree)))
    }
  })
})
