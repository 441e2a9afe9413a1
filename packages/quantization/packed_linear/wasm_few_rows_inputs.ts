import type { WasmStageKit } from "@espalier/tensor"
import { WasmParts } from "@espalier/tensor"
import { chunkInputs } from "./sizes.ts"
import type { PackedPlan } from "./wasm_few_rows_plan.ts"
import { advance, codesOfHalf } from "./wasm_parts.ts"

const { acrossLanes, constant, float, load, place, store, vector } = WasmParts

/** Four inputs from number `first` on; those from `count` on are zeros. */
const loadInputs = (kit: WasmStageKit, from: number, first: number, count: number): number => {
  if (first + 4 <= count) return load(kit, from, first * float)
  const input = constant(kit, 0)
  for (let i = first; i < count; i++) {
    kit.f.get(from).get(input)
    kit.f.memoryLane("v128.load32_lane", i - first, i * float).set(input)
  }
  return input
}

/**
 * Prepares a row of the inputs as that of the working memory, and minus the sum of each of its spans. Codes are masked where they stand in half a word and so come out too large by a power
 * of two; inputs are made smaller by it, which is exact.
 */
export const prepareRow = (kit: WasmStageKit, plan: PackedPlan, x: number, row: number): void => {
  const { f } = kit
  const { bits, chunks, inputs, spanChunks, spans } = plan
  const from = place(kit, { local: x }, [row, inputs * float])
  const to = place(kit, { local: kit.scratch }, [row, plan.rowBytes])
  const sums = place(kit, { local: kit.scratch }, [row, plan.sumBytes])
  const factors = constant(kit, 1)
  for (let lane = 0; lane < 4; lane++) {
    f.get(factors).f32(2 ** (-bits * (lane % codesOfHalf(plan))))
    f.lane("f32x4.replace_lane", lane).set(factors)
  }
  const sum = f.local("v128")
  const prepareChunk = (count: number): void => {
    for (let input = 0; input < chunkInputs; input += 4) {
      const four = loadInputs(kit, from, input, count)
      f.get(sum).get(four).op("f32x4.add").set(sum)
      store(kit, to, vector(kit, "f32x4.mul", four, factors), input * float)
    }
  }
  const rest = inputs % chunkInputs
  kit.loop(0, spans, 1, (span) => {
    f.f32x4(0).set(sum)
    kit.loop(0, spanChunks, 1, (chunk) => {
      if (rest === 0) prepareChunk(chunkInputs)
      else {
        f.get(place(kit, { local: chunk }, [{ local: span }, spanChunks])).i32(chunks - 1)
        f.op("i32.lt_s").if(
          () => prepareChunk(chunkInputs),
          () => prepareChunk(rest),
        )
      }
      advance(kit, from, chunkInputs * float)
      advance(kit, to, chunkInputs * float)
    })
    f.get(sums)
      .get(acrossLanes(kit, "f32x4.add", sum))
      .op("f32x4.neg")
    f.memoryLane("v128.store32_lane", 0, plan.sums)
    advance(kit, sums, float)
  })
}
