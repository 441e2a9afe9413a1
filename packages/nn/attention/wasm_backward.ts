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

/** Operands: query, key, value, gradient of the output, row statistics; then the three results. */
const operand = {
  query: 0,
  key: 1,
  value: 2,
  flow: 3,
  statistics: 4,
  queryFlow: 5,
  keyFlow: 6,
  valueFlow: 7,
} as const

/** Pairs of a query and a key: weight from the score, gradient of the score from both. */
const weighRow = (
  kit: WasmStageKit,
  at: { readonly scores: number; readonly flows: number; readonly statistics: number },
  count: number,
  visible: number,
  sizes: { readonly scale: number },
): void => {
  const { f } = kit
  const scale = constant(kit, sizes.scale)
  const zero = constant(kit, 0)
  const logSum = splat(kit, at.statistics)
  const dot = splat(kit, at.statistics, float)
  kit.loop(0, { local: count }, 4, (column) => {
    const score = place(kit, { local: at.scores }, [{ local: column }, float])
    const flow = place(kit, { local: at.flows }, [{ local: column }, float])
    const shifted = vector(
      kit,
      "f32x4.sub",
      vector(kit, "f32x4.mul", load(kit, score), scale),
      logSum,
    )
    const mask = lanesBelow(kit, column, visible)
    const weight = vector(kit, "v128.bitselect", kit.apply("exp", shifted), zero, mask)
    store(kit, score, weight)
    f.get(load(kit, flow)).get(dot).op("f32x4.sub").get(weight).op("f32x4.mul").get(scale)
    f.op("f32x4.mul")
    const slope = keep(kit, "v128")
    store(kit, flow, vector(kit, "v128.bitselect", slope, zero, mask))
  })
}

const write = (kit: WasmStageKit, sizes: AttentionSizes): void => {
  const { f } = kit
  const { queries, keys, heads, keyValueHeads, width } = sizes
  const repeats = heads / keyValueHeads
  const paddedKeys = Math.ceil(keys / tileColumns) * tileColumns
  const pitch = float * paddedKeys
  const scorePitch = float * blockKeys
  const steps = rowSteps(sizes)
  const rowBytes = steps.head
  const area = scratchAreas(kit)
  const keyColumns = area(width * paddedKeys)
  const valueColumns = area(width * paddedKeys)
  const query = area(blockQueries * width)
  const flow = area(blockQueries * width)
  const queryFlow = area(blockQueries * width)
  const scores = area(blockQueries * blockKeys)
  const flows = area(blockQueries * blockKeys)
  const block = area(blockKeys * width)
  const statisticsRow = 2 * float * heads

  kit.loop({ local: kit.start }, { local: kit.end }, 1, (part) => {
    f.get(part).i32(keyValueHeads).op("i32.div_u")
    const sample = keep(kit, "i32")
    f.get(part).i32(keyValueHeads).op("i32.rem_u")
    const shared = keep(kit, "i32")
    const input = (index: number): number => inKeys(kit, sizes, { sample, shared }, index)
    const [keyBase, valueBase] = [input(operand.key), input(operand.value)]
    const [keyOut, valueOut] = [input(operand.keyFlow), input(operand.valueFlow)]
    kit.loop(0, keys, 1, (row) => {
      for (const base of [keyOut, valueOut]) {
        clear(kit, place(kit, { local: base }, [{ local: row }, steps.key]), rowBytes)
      }
    })
    const all = place(kit, keys)
    transposeRows(kit, { address: keyBase, across: steps.key }, all, width, {
      address: keyColumns,
      pitch,
    })
    transposeRows(kit, { address: valueBase, across: steps.key }, all, width, {
      address: valueColumns,
      pitch,
    })

    /** `rows · columns` of a block of queries and keys into `target`. */
    const pairs = (
      rows: number,
      columns: number,
      target: number,
      padded: number,
      firstKey: number,
      wide: number,
    ): void => {
      const first = place(kit, { local: columns }, [{ local: firstKey }, float])
      multiplyBlock(
        kit,
        { rows: padded, columns: { local: wide }, count: width, fresh: true },
        { address: rows, rowStep: rowBytes, across: rowBytes, along: float },
        { address: first, along: pitch },
        { address: target, across: scorePitch },
      )
    }

    /** Adds `weightsᵀ · rows` of a block to the rows of the keys. */
    const addToKeys = (
      weights: number,
      rows: number,
      target: number,
      seen: number,
      count: number,
    ): void => {
      const padded = roundUp(kit, seen, tileRows)
      multiplyBlock(
        kit,
        { rows: padded, columns: width, count: { local: count }, fresh: true },
        { address: weights, rowStep: float, across: float, along: scorePitch },
        { address: rows, along: rowBytes },
        { address: block, across: rowBytes },
      )
      kit.loop(0, { local: seen }, 1, (key) => {
        const from = place(kit, { local: block }, [{ local: key }, rowBytes])
        const to = place(kit, { local: target }, [{ local: key }, steps.key])
        mapRow(kit, width, to, to, (sum, offset) =>
          vector(kit, "f32x4.add", sum, load(kit, from, offset)),
        )
      })
    }

    kit.loop(0, repeats, 1, (repeat) => {
      const own = place(kit, { local: repeat }, [{ local: shared }, repeats])
      kit.loop(0, queries, blockQueries, (firstQuery) => {
        const rest = place(kit, queries, [{ local: firstQuery }, -1])
        const count = smaller(kit, blockQueries, { local: rest })
        const padded = roundUp(kit, count, tileRows)
        const output = (index: number): number =>
          inQueries(kit, sizes, { sample, own, firstQuery }, index)
        const [fromQuery, fromFlow] = [output(operand.query), output(operand.flow)]
        const statistics = place(
          kit,
          { local: kit.operand(operand.statistics) },
          [{ local: sample }, queries * statisticsRow],
          [{ local: firstQuery }, statisticsRow],
          [{ local: own }, 2 * float],
        )
        for (const rows of [query, flow, queryFlow]) clear(kit, rows, blockQueries * rowBytes)
        kit.loop(0, { local: count }, 1, (row) => {
          const copy = (base: number, target: number): void => {
            const from = place(kit, { local: base }, [{ local: row }, steps.query])
            const to = place(kit, { local: target }, [{ local: row }, rowBytes])
            mapRow(kit, width, from, to)
          }
          copy(fromQuery, query)
          copy(fromFlow, flow)
        })
        const limit = keyLimit(kit, sizes, firstQuery, count)
        kit.loop(0, { local: limit }, blockKeys, (firstKey) => {
          const left = place(kit, { local: limit }, [{ local: firstKey }, -1])
          const seen = smaller(kit, blockKeys, { local: left })
          const wide = roundUp(kit, seen, tileColumns)
          pairs(query, keyColumns, scores, padded, firstKey, wide)
          pairs(flow, valueColumns, flows, padded, firstKey, wide)
          kit.loop(0, { local: count }, 1, (row) => {
            const position = place(kit, { local: firstQuery }, [{ local: row }, 1])
            const visible = visibleKeys(kit, sizes, position, firstKey, seen)
            const at = {
              scores: place(kit, { local: scores }, [{ local: row }, scorePitch]),
              flows: place(kit, { local: flows }, [{ local: row }, scorePitch]),
              statistics: place(kit, { local: statistics }, [{ local: row }, statisticsRow]),
            }
            weighRow(kit, at, wide, visible, sizes)
          })
          const keyPlace = (base: number): number =>
            place(kit, { local: base }, [{ local: firstKey }, steps.key])
          addToKeys(scores, flow, keyPlace(valueOut), seen, count)
          addToKeys(flows, query, keyPlace(keyOut), seen, count)
          multiplyBlock(
            kit,
            { rows: padded, columns: width, count: { local: seen }, fresh: false },
            { address: flows, rowStep: scorePitch, across: scorePitch, along: float },
            { address: keyPlace(keyBase), along: steps.key },
            { address: queryFlow, across: rowBytes },
          )
        })
        const out = output(operand.queryFlow)
        kit.loop(0, { local: count }, 1, (row) => {
          const from = place(kit, { local: queryFlow }, [{ local: row }, rowBytes])
          const to = place(kit, { local: out }, [{ local: row }, steps.query])
          mapRow(kit, width, from, to)
        })
      })
    })
  })
}

/** Key-value heads run side by side; `undefined` for heads that do not fill the tiles. */
export const backwardCode = (sizes: AttentionSizes): WasmCode | undefined => {
  const { batch, queries, keys, heads, keyValueHeads, width, causal } = sizes
  if (width % tileColumns !== 0 || width > 256) return undefined
  const paddedKeys = Math.ceil(keys / tileColumns) * tileColumns
  const scores = batch * heads * queries * keys * (causal ? 0.5 : 1)
  return {
    stages: [
      {
        name: "attention-gradient",
        extent: batch * keyValueHeads,
        grain: 1,
        work: scores * (1.25 * width + 10),
        write: (kit) => write(kit, sizes),
      },
    ],
    scratchBytes:
      float *
      (2 * width * paddedKeys +
        3 * blockQueries * width +
        2 * blockQueries * blockKeys +
        blockKeys * width),
  }
}
