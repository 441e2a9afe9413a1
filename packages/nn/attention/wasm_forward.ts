import type { WasmCode, WasmStageKit } from "@espalier/tensor"
import type { AttentionSizes } from "./shapes.ts"
import {
  blockKeys,
  blockQueries,
  inKeys,
  inQueries,
  keyLimit,
  roundUp,
  rowSteps,
  visibleKeys,
} from "./wasm_blocks.ts"
import {
  acrossLanes,
  clear,
  constant,
  float,
  keep,
  lanesBelow,
  load,
  mapRow,
  multiplyBlock,
  place,
  scratchAreas,
  smaller,
  splat,
  store,
  tileColumns,
  tileRows,
  transposeRows,
  vector,
} from "./wasm_parts.ts"

const none = -1e30

/**
 * Softmax of one row of scores in place, against the running maximum and sum at `state` and
 * `state + 4 · blockQueries`; answers the factor by which earlier sums shrink.
 */
const softmaxRow = (
  kit: WasmStageKit,
  row: number,
  count: number,
  seen: number,
  state: number,
): number => {
  const { f } = kit
  const low = constant(kit, none)
  const most = constant(kit, none)
  kit.loop(0, { local: count }, 4, (column) => {
    const at = place(kit, { local: row }, [{ local: column }, float])
    const mask = lanesBelow(kit, column, seen)
    const score = vector(kit, "v128.bitselect", load(kit, at), low, mask)
    store(kit, at, score)
    f.get(vector(kit, "f32x4.pmax", most, score)).set(most)
  })
  const before = splat(kit, state)
  const maximum = vector(kit, "f32x4.pmax", acrossLanes(kit, "f32x4.pmax", most), before)
  const shrink = kit.apply("exp", vector(kit, "f32x4.sub", before, maximum))
  const sums = [constant(kit, 0), constant(kit, 0)]
  kit.loop(0, { local: count }, tileColumns, (column) => {
    const at = place(kit, { local: row }, [{ local: column }, float])
    for (const [half, sum] of sums.entries()) {
      const shifted = vector(kit, "f32x4.sub", load(kit, at, 16 * half), maximum)
      const weight = kit.apply("exp", shifted)
      store(kit, at, weight, 16 * half)
      f.get(vector(kit, "f32x4.add", sum, weight)).set(sum)
    }
  })
  const total = acrossLanes(kit, "f32x4.add", vector(kit, "f32x4.add", sums[0], sums[1]))
  const sumBefore = splat(kit, state, float * blockQueries)
  const sum = vector(kit, "f32x4.add", vector(kit, "f32x4.mul", sumBefore, shrink), total)
  f.get(state).get(maximum).memoryLane("v128.store32_lane", 0)
  f.get(state)
    .get(sum)
    .memoryLane("v128.store32_lane", 0, float * blockQueries)
  return shrink
}

const write = (kit: WasmStageKit, sizes: AttentionSizes): void => {
  const { f } = kit
  const { queries, heads, keyValueHeads, width, scale } = sizes
  const blocks = Math.ceil(queries / blockQueries)
  const scorePitch = float * blockKeys
  const steps = rowSteps(sizes)
  const rowBytes = steps.head
  const area = scratchAreas(kit)
  const query = area(blockQueries * width)
  const keyColumns = area(width * blockKeys)
  const scores = area(blockQueries * blockKeys)
  const sums = area(blockQueries * width)
  const states = area(2 * blockQueries)

  kit.loop({ local: kit.start }, { local: kit.end }, 1, (part) => {
    f.get(part).i32(blocks).op("i32.div_u")
    const head = keep(kit, "i32")
    f.get(part).i32(blocks).op("i32.rem_u").i32(blockQueries).op("i32.mul")
    const firstQuery = keep(kit, "i32")
    f.get(head).i32(heads).op("i32.div_u")
    const sample = keep(kit, "i32")
    f.get(head).i32(heads).op("i32.rem_u")
    const own = keep(kit, "i32")
    f.get(own)
      .i32(heads / keyValueHeads)
      .op("i32.div_u")
    const shared = keep(kit, "i32")
    const rest = place(kit, queries, [{ local: firstQuery }, -1])
    const count = smaller(kit, blockQueries, { local: rest })
    const padded = roundUp(kit, count, tileRows)
    const at = { sample, own, shared, firstQuery }
    const from = inQueries(kit, sizes, at, 0)
    const [keyBase, valueBase] = [inKeys(kit, sizes, at, 1), inKeys(kit, sizes, at, 2)]

    clear(kit, query, blockQueries * rowBytes)
    clear(kit, sums, blockQueries * rowBytes)
    const factor = constant(kit, scale)
    kit.loop(0, { local: count }, 1, (row) => {
      const source = place(kit, { local: from }, [{ local: row }, steps.query])
      const to = place(kit, { local: query }, [{ local: row }, rowBytes])
      mapRow(kit, width, source, to, (value) => vector(kit, "f32x4.mul", value, factor))
      const state = place(kit, { local: states }, [{ local: row }, float])
      f.get(state).f32(none).memory("f32.store")
      f.get(state)
        .f32(0)
        .memory("f32.store", float * blockQueries)
    })

    const limit = keyLimit(kit, sizes, firstQuery, count)
    kit.loop(0, { local: limit }, blockKeys, (firstKey) => {
      const left = place(kit, { local: limit }, [{ local: firstKey }, -1])
      const seen = smaller(kit, blockKeys, { local: left })
      const wide = roundUp(kit, seen, tileColumns)
      const keyBlock = place(kit, { local: keyBase }, [{ local: firstKey }, steps.key])
      const valueBlock = place(kit, { local: valueBase }, [{ local: firstKey }, steps.key])
      const columns = { address: keyColumns, pitch: scorePitch }
      transposeRows(kit, { address: keyBlock, across: steps.key }, seen, width, columns)
      multiplyBlock(
        kit,
        { rows: padded, columns: { local: wide }, count: width, fresh: true },
        { address: query, rowStep: rowBytes, across: rowBytes, along: float },
        { address: keyColumns, along: scorePitch },
        { address: scores, across: scorePitch },
      )
      kit.loop(0, { local: count }, 1, (row) => {
        const position = place(kit, { local: firstQuery }, [{ local: row }, 1])
        const visible = visibleKeys(kit, sizes, position, firstKey, seen)
        const scoreRow = place(kit, { local: scores }, [{ local: row }, scorePitch])
        const state = place(kit, { local: states }, [{ local: row }, float])
        const shrink = softmaxRow(kit, scoreRow, wide, visible, state)
        const sumRow = place(kit, { local: sums }, [{ local: row }, rowBytes])
        mapRow(kit, width, sumRow, sumRow, (value) => vector(kit, "f32x4.mul", value, shrink))
      })
      multiplyBlock(
        kit,
        { rows: padded, columns: width, count: { local: seen }, fresh: false },
        { address: scores, rowStep: scorePitch, across: scorePitch, along: float },
        { address: valueBlock, along: steps.key },
        { address: sums, across: rowBytes },
      )
    })

    const out = inQueries(kit, sizes, at, 3)
    const logs = place(
      kit,
      { local: kit.operand(4) },
      [{ local: sample }, float * queries * heads],
      [{ local: firstQuery }, float * heads],
      [{ local: own }, float],
    )
    kit.loop(0, { local: count }, 1, (row) => {
      const state = place(kit, { local: states }, [{ local: row }, float])
      const sum = splat(kit, state, float * blockQueries)
      const inverse = vector(kit, "f32x4.div", constant(kit, 1), sum)
      const source = place(kit, { local: sums }, [{ local: row }, rowBytes])
      const to = place(kit, { local: out }, [{ local: row }, steps.query])
      mapRow(kit, width, source, to, (value) => vector(kit, "f32x4.mul", value, inverse))
      const log = vector(kit, "f32x4.add", kit.apply("log", sum), splat(kit, state))
      const at = place(kit, { local: logs }, [{ local: row }, float * heads])
      f.get(at).get(log).memoryLane("v128.store32_lane", 0)
    })
  })
}

/** Query blocks run side by side; `undefined` for heads that do not fill the tiles. */
export const forwardCode = (sizes: AttentionSizes): WasmCode | undefined => {
  const { batch, queries, keys, heads, width, causal } = sizes
  if (width % tileColumns !== 0 || width > 256) return undefined
  const blocks = Math.ceil(queries / blockQueries)
  const scores = batch * heads * queries * keys * (causal ? 0.5 : 1)
  return {
    stages: [
      {
        name: "attention",
        extent: batch * heads * blocks,
        grain: 1,
        work: scores * (width / 2 + 10),
        write: (kit) => write(kit, sizes),
      },
    ],
    scratchBytes:
      float *
      (2 * blockQueries * width + width * blockKeys + blockQueries * blockKeys + 2 * blockQueries),
  }
}
