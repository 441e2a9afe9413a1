import type { WasmCode, WasmStageKit } from "@espalier/tensor"
import type { AttentionSizes } from "./shapes.ts"
import {
  acrossLanes,
  clear,
  constant,
  float,
  keep,
  lanesBelow,
  larger,
  load,
  multiplyTile,
  place,
  smaller,
  splat,
  store,
  tileColumns,
  tileRows,
  transposeRows,
  vector,
} from "./wasm_parts.ts"

/** Queries that share one pass over the keys. */
const blockQueries = 32
/** Keys whose scores are kept at a time. */
const blockKeys = 64
const none = -1e30

/** The bounds `(n + m − 1) & −m` of `n` in a fresh local. */
export const roundUp = (kit: WasmStageKit, count: number, multiple: number): number => {
  kit.f
    .get(count)
    .i32(multiple - 1)
    .op("i32.add")
    .i32(-multiple)
    .op("i32.and")
  return keep(kit, "i32")
}

/** How many keys of the block from `firstKey` on a query sees: 0 … `count`. */
export const visibleKeys = (
  kit: WasmStageKit,
  { causal, queries, keys }: AttentionSizes,
  query: number,
  firstKey: number,
  count: number,
): number => {
  if (!causal) return count
  kit.f
    .get(query)
    .i32(keys - queries + 1)
    .op("i32.add")
    .get(firstKey)
    .op("i32.sub")
  const seen = keep(kit, "i32")
  return smaller(kit, { local: count }, { local: larger(kit, 0, { local: seen }) })
}

/** Keys that some query of a block sees. */
export const keyLimit = (
  kit: WasmStageKit,
  { causal, queries, keys }: AttentionSizes,
  firstQuery: number,
  count: number,
): number => {
  if (!causal) return place(kit, keys)
  const end = place(kit, { local: firstQuery }, [{ local: count }, 1], [keys - queries, 1])
  return smaller(kit, keys, { local: end })
}

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
  const { queries, keys, heads, keyValueHeads, width, scale } = sizes
  const blocks = Math.ceil(queries / blockQueries)
  const scorePitch = float * blockKeys
  const rowBytes = float * width
  let used = 0
  const area = (elements: number): number => {
    const made = place(kit, { local: kit.scratch }, [used, 1])
    used += float * elements
    return made
  }
  const query = area(blockQueries * width)
  const keyColumns = area(width * blockKeys)
  const scores = area(blockQueries * blockKeys)
  const sums = area(blockQueries * width)
  const states = area(2 * blockQueries)
  const queryRow = float * heads * width
  const keyRow = float * keyValueHeads * width

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
    const inQueries = (operand: number): number =>
      place(
        kit,
        { local: kit.operand(operand) },
        [{ local: sample }, queries * queryRow],
        [{ local: firstQuery }, queryRow],
        [{ local: own }, rowBytes],
      )
    const inKeys = (operand: number): number =>
      place(
        kit,
        { local: kit.operand(operand) },
        [{ local: sample }, keys * keyRow],
        [{ local: shared }, rowBytes],
      )
    const from = inQueries(0)
    const [keyBase, valueBase] = [inKeys(1), inKeys(2)]

    clear(kit, query, blockQueries * rowBytes)
    clear(kit, sums, blockQueries * rowBytes)
    const factor = constant(kit, scale)
    kit.loop(0, { local: count }, 1, (row) => {
      const source = place(kit, { local: from }, [{ local: row }, queryRow])
      const to = place(kit, { local: query }, [{ local: row }, rowBytes])
      for (let i = 0; i < width; i += 4) {
        store(kit, to, vector(kit, "f32x4.mul", load(kit, source, float * i), factor), float * i)
      }
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
      const keyBlock = place(kit, { local: keyBase }, [{ local: firstKey }, keyRow])
      const valueBlock = place(kit, { local: valueBase }, [{ local: firstKey }, keyRow])
      const columns = { address: keyColumns, pitch: scorePitch }
      transposeRows(kit, { address: keyBlock, across: keyRow }, seen, width, columns)
      kit.loop(0, { local: wide }, tileColumns, (column) => {
        const right = place(kit, { local: keyColumns }, [{ local: column }, float])
        kit.loop(0, { local: padded }, tileRows, (row) => {
          const at = place(kit, { local: query }, [{ local: row }, rowBytes])
          const to = place(
            kit,
            { local: scores },
            [{ local: row }, scorePitch],
            [{ local: column }, float],
          )
          multiplyTile(
            kit,
            { address: at, across: rowBytes, along: float },
            { address: right, along: scorePitch },
            { address: to, across: scorePitch },
            width,
            true,
          )
        })
      })
      kit.loop(0, { local: count }, 1, (row) => {
        const position = place(kit, { local: firstQuery }, [{ local: row }, 1])
        const visible = visibleKeys(kit, sizes, position, firstKey, seen)
        const scoreRow = place(kit, { local: scores }, [{ local: row }, scorePitch])
        const state = place(kit, { local: states }, [{ local: row }, float])
        const shrink = softmaxRow(kit, scoreRow, wide, visible, state)
        const sumRow = place(kit, { local: sums }, [{ local: row }, rowBytes])
        for (let i = 0; i < width; i += 4) {
          const value = vector(kit, "f32x4.mul", load(kit, sumRow, float * i), shrink)
          store(kit, sumRow, value, float * i)
        }
      })
      for (let i = 0; i < width; i += tileColumns) {
        const right = place(kit, { local: valueBlock }, [i, float])
        kit.loop(0, { local: padded }, tileRows, (row) => {
          const at = place(kit, { local: scores }, [{ local: row }, scorePitch])
          const to = place(kit, { local: sums }, [{ local: row }, rowBytes], [i, float])
          multiplyTile(
            kit,
            { address: at, across: scorePitch, along: float },
            { address: right, along: keyRow },
            { address: to, across: rowBytes },
            { local: seen },
            false,
          )
        })
      }
    })

    const out = inQueries(3)
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
      const to = place(kit, { local: out }, [{ local: row }, queryRow])
      for (let i = 0; i < width; i += 4) {
        store(kit, to, vector(kit, "f32x4.mul", load(kit, source, float * i), inverse), float * i)
      }
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
