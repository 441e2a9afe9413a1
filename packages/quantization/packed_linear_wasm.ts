import type { WasmCode, WasmStageKit } from "@espalier/tensor"
import { WasmParts } from "@espalier/tensor"
import type { PackedSizes } from "./packed_linear_sizes.ts"
import { chunkInputs, tileOutputs } from "./packed_linear_sizes.ts"
import type { SpanRange } from "./packed_linear_wasm_inputs.ts"
import { advance, codesOfHalf, prepareRow } from "./packed_linear_wasm_inputs.ts"
import type { PackedPlan } from "./packed_linear_wasm_plan.ts"
import { planPacked, rowsTogether } from "./packed_linear_wasm_plan.ts"

const { constant, float, keep, load, place, smaller, splat, store, vector } = WasmParts

const vectorBytes = 4 * float

const operand = { x: 0, codes: 1, scales: 2, zeros: 3, result: 4 } as const

/** Sums of a row that are added up at the end: enough to keep the adders busy, few enough to add up. */
const chainsOf = (rows: number): number => (rows === 1 ? 4 : Math.max(1, Math.floor(8 / rows)))

/** What is constant throughout a function, in locals. */
interface Constants {
  /** The codes of half a word, one after the other. */
  readonly masks: ReadonlyArray<number>
  /** For `swizzle`: each byte of a word to a lane of its own. */
  readonly spread: number
}

const makeConstants = (kit: WasmStageKit, plan: PackedPlan): Constants => {
  const keepWords = (...words: readonly [number, number, number, number]) => {
    kit.f.i32x4(...words)
    return keep(kit, "v128")
  }
  const masks = Array.from({ length: codesOfHalf(plan) }, (_, i) => {
    const mask = (2 ** plan.bits - 1) << (plan.bits * i)
    return keepWords(mask, mask, mask, mask)
  })
  return { masks, spread: keepWords(-256, -255, -254, -253) }
}

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

/** The `f32` at four addresses, in lanes. */
const gather = (kit: WasmStageKit, addresses: ReadonlyArray<number>): number => {
  const four = splat(kit, addresses[0])
  for (const [lane, address] of addresses.entries())
    if (lane > 0) kit.f.get(address).get(four).memoryLane("v128.load32_lane", lane).set(four)
  return four
}

/** Runs `whole` for a tile of four outputs, `lane` for each output of a last tile that has fewer. */
const eachLane = (
  kit: WasmStageKit,
  { outputs, tiles }: PackedPlan,
  tile: number,
  whole: () => void,
  one: (lane: number) => void,
): void => {
  const rest = outputs % tileOutputs
  if (rest === 0) return whole()
  kit.f
    .get(tile)
    .i32(tiles - 1)
    .op("i32.lt_s")
  kit.f.if(whole, () => {
    for (let lane = 0; lane < rest; lane++) one(lane)
  })
}

/** Adds the results of a row for a tile to what earlier spans left there. */
const storeTile = (
  kit: WasmStageKit,
  plan: PackedPlan,
  [first, tile]: readonly [first: number, tile: number],
  [to, offset]: readonly [to: number, offset: number],
  total: number,
): void => {
  const { f } = kit
  const whole = () => store(kit, to, total, offset)
  const one = (lane: number) =>
    f
      .get(to)
      .get(total)
      .memoryLane("v128.store32_lane", lane, offset + lane * float)
  if (plan.depth < plan.spans) {
    const before = constant(kit, 0)
    f.get(first).if(() =>
      eachLane(
        kit,
        plan,
        tile,
        () => f.get(to).memory("v128.load", offset).set(before),
        (lane) => {
          f.get(to).get(before)
          f.memoryLane("v128.load32_lane", lane, offset + lane * float).set(before)
        },
      ),
    )
    f.get(total).get(before).op("f32x4.add").set(total)
  }
  eachLane(kit, plan, tile, whole, one)
}

/**
 * Multiplies some prepared rows by the weights of four outputs, which are the lanes: in each span
 * Σ x·code, which begins with −zero·Σ x, then times the scale.
 */
const multiplyTile = (
  kit: WasmStageKit,
  plan: PackedPlan,
  constants: Constants,
  [row, tile, rows]: readonly [row: number, tile: number, rows: number],
  { first, end }: SpanRange,
): void => {
  const { f } = kit
  const { bits, chunks, groups, outputs, scaleStep, spanChunks } = plan
  const chunkBytes = bits * vectorBytes
  const codes = place(
    kit,
    { local: kit.operand(operand.codes) },
    [{ local: tile }, chunks * chunkBytes],
    [{ local: first }, spanChunks * chunkBytes],
  )
  const ofGroups = (index: number, which: number) =>
    place(
      kit,
      { local: kit.operand(index) },
      [{ local: which }, groups * float],
      [{ local: first }, scaleStep],
    )
  const zeros = ofGroups(operand.zeros, tile)
  const scales = Array.from({ length: tileOutputs }, (_, lane) => {
    const output = place(kit, lane, [{ local: tile }, tileOutputs])
    return ofGroups(operand.scales, smaller(kit, { local: output }, outputs - 1))
  })
  const [x, inputSums] = [place(kit, { local: kit.scratch }), place(kit, { local: kit.scratch })]
  const totals = Array.from({ length: rows }, () => constant(kit, 0))
  const sums = totals.map(() => Array.from({ length: chainsOf(rows) }, () => f.local("v128")))
  kit.loop({ local: first }, { local: end }, 1, () => {
    f.get(zeros).memory("v128.load32_zero").get(constants.spread)
    f.op("i8x16.swizzle").op("f32x4.convert_i32x4_s")
    const zero = keep(kit, "v128")
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
  const to = place(
    kit,
    { local: kit.operand(operand.result) },
    [{ local: row }, outputs * float],
    [{ local: tile }, vectorBytes],
  )
  for (const [row, total] of totals.entries())
    storeTile(kit, plan, [first, tile], [to, row * outputs * float], total)
}

const write = (kit: WasmStageKit, plan: PackedPlan): void => {
  const constants = makeConstants(kit, plan)
  const pass = (row: number, rows: number): void =>
    kit.loop(0, plan.spans, plan.depth, (first) => {
      const next = place(kit, { local: first }, [plan.depth, 1])
      const range = { first, end: smaller(kit, { local: next }, plan.spans) }
      for (let index = 0; index < rows; index++)
        prepareRow(kit, plan, kit.operand(operand.x), [row, index], range)
      kit.loop({ local: kit.start }, { local: kit.end }, 1, (tile) =>
        multiplyTile(kit, plan, constants, [row, tile, rows], range),
      )
    })
  const whole = plan.rows - (plan.rows % rowsTogether)
  if (whole > 0) kit.loop(0, whole, rowsTogether, (row) => pass(row, rowsTogether))
  if (whole < plan.rows) pass(place(kit, whole), plan.rows - whole)
}

/** The product of a packed weight, from x, codes, scales and zero points. */
export const packedWasm = (sizes: PackedSizes): WasmCode => {
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
