import type { WasmCode, WasmStageKit } from "@espalier/tensor"
import { WasmParts } from "@espalier/tensor"
import type { PackedSizes } from "./sizes.ts"
import { chunkInputs, tileOutputs } from "./sizes.ts"
import { prepareRow } from "./wasm_few_rows_inputs.ts"
import type { PackedPlan } from "./wasm_few_rows_plan.ts"
import { planPacked } from "./wasm_few_rows_plan.ts"
import type { Constants } from "./wasm_parts.ts"
import { advance, gather, loadZeros, makeConstants, operand, storeLanes } from "./wasm_parts.ts"

const { constant, float, keep, load, place, smaller, splat, store, vector } = WasmParts

const vectorBytes = 4 * float

/** Sums of a row that are added up at the end: enough to keep the adders busy, few enough to add up. */
const chainsOf = (rows: number): number => (rows === 1 ? 4 : Math.max(1, Math.floor(8 / rows)))

/** Adds the products of one chunk of some rows and four outputs: the codes of an input serve all rows. */
const multiplyChunk = (
  kit: WasmStageKit,
  { bits, rowBytes }: PackedPlan,
  [x, codes]: readonly [x: number, codes: number],
  { masks }: Constants,
  sums: ReadonlyArray<ReadonlyArray<number>>,
): void => {
  const { f } = kit
  const perWord = 32 / bits
  for (let first = 0; first < chunkInputs; first += perWord) {
    const word = load(kit, codes, (first / perWord) * vectorBytes)
    for (let code = 0; code < perWord; code++) {
      if (code === masks.length) f.get(word).i32(16).op("i32x4.shr_u").set(word)
      f.get(word)
        .get(masks[code % masks.length])
        .op("v128.and")
        .op("f32x4.convert_i32x4_s")
      const weight = keep(kit, "v128")
      const input = first + code
      for (const [row, own] of sums.entries()) {
        const sum = own[input % own.length]
        f.get(splat(kit, x, row * rowBytes + input * float)).get(weight)
        kit.multiplyAdd(() => f.get(sum))
        f.set(sum)
      }
    }
  }
}

/** Stores the results of a row for a tile; the last tile may have fewer outputs. */
const storeTile = (
  kit: WasmStageKit,
  { outputs, tiles }: PackedPlan,
  tile: number,
  [to, offset]: readonly [to: number, offset: number],
  total: number,
): void => {
  const { f } = kit
  const rest = outputs % tileOutputs
  if (rest === 0) return store(kit, to, total, offset)
  f.get(tile)
    .i32(tiles - 1)
    .op("i32.lt_s")
  f.if(
    () => store(kit, to, total, offset),
    () => storeLanes(kit, to, total, { offset, count: rest }),
  )
}

/**
 * Multiplies some prepared rows by the weights of four outputs, which are the lanes: in each span
 * Σ x·code, which begins with −zero·Σ x, then times the scale.
 */
const multiplyTile = (
  kit: WasmStageKit,
  plan: PackedPlan,
  constants: Constants,
  tile: number,
): void => {
  const { f } = kit
  const { bits, chunks, groups, outputs, rows, scaleStep, spanChunks, spans } = plan
  const chunkBytes = bits * vectorBytes
  const codes = place(kit, { local: kit.operand(operand.codes) }, [
    { local: tile },
    chunks * chunkBytes,
  ])
  const ofGroups = (index: number, which: number) =>
    place(kit, { local: kit.operand(index) }, [{ local: which }, groups * float])
  const zeros = ofGroups(operand.zeros, tile)
  const scales = Array.from({ length: tileOutputs }, (_, lane) => {
    const output = place(kit, lane, [{ local: tile }, tileOutputs])
    return ofGroups(operand.scales, smaller(kit, { local: output }, outputs - 1))
  })
  const [x, inputSums] = [place(kit, { local: kit.scratch }), place(kit, { local: kit.scratch })]
  const totals = Array.from({ length: rows }, () => constant(kit, 0))
  const sums = totals.map(() => Array.from({ length: chainsOf(rows) }, () => f.local("v128")))
  kit.loop(0, spans, 1, () => {
    const zero = loadZeros(kit, constants, zeros)
    for (const [row, [start, ...others]] of sums.entries()) {
      f.get(splat(kit, inputSums, plan.sums + row * plan.sumBytes))
      f.get(zero).op("f32x4.mul").set(start)
      for (const sum of others) f.f32x4(0).set(sum)
    }
    kit.loop(0, spanChunks, 1, () => {
      multiplyChunk(kit, plan, [x, codes], constants, sums)
      advance(kit, x, chunkInputs * float)
      advance(kit, codes, chunkBytes)
    })
    const scale = gather(kit, scales)
    for (const [row, own] of sums.entries()) {
      f.get(own.reduce((a, b) => vector(kit, "f32x4.add", a, b))).get(scale)
      kit.multiplyAdd(() => f.get(totals[row]))
      f.set(totals[row])
    }
    for (const address of [...scales, zeros]) advance(kit, address, scaleStep)
    advance(kit, inputSums, float)
  })
  const to = place(kit, { local: kit.operand(operand.result) }, [{ local: tile }, vectorBytes])
  for (const [row, total] of totals.entries())
    storeTile(kit, plan, tile, [to, row * outputs * float], total)
}

const write = (kit: WasmStageKit, plan: PackedPlan): void => {
  const constants = makeConstants(kit, plan)
  for (let row = 0; row < plan.rows; row++) prepareRow(kit, plan, kit.operand(operand.x), row)
  kit.loop({ local: kit.start }, { local: kit.end }, 1, (tile) =>
    multiplyTile(kit, plan, constants, tile),
  )
}

/** The product of at most {@link mostRows} rows: codes become floats where they are multiplied. */
export const multiplyFewRows = (sizes: PackedSizes): WasmCode => {
  const plan = planPacked(sizes)
  return {
    stages: [
      {
        name: "quantized linear",
        extent: plan.tiles,
        grain: 1,
        work: plan.tiles * plan.chunks * chunkInputs * (2 + plan.rows),
        write: (kit) => write(kit, plan),
      },
    ],
    scratchBytes: plan.scratchBytes,
  }
}
