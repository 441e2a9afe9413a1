import type { WasmStageKit } from "@espalier/tensor"
import type { AttentionSizes } from "./shapes.ts"
import { float, keep, larger, place, smaller } from "./wasm_parts.ts"

/** Queries that share one pass over the keys. */
export const blockQueries = 32
/** Keys whose scores are kept at a time. */
export const blockKeys = 64

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

/** Bytes of a row. */
interface RowSteps {
  /** Of one head. */
  readonly head: number
  /** Of queries or outputs, all heads side by side. */
  readonly query: number
  /** Of keys or values, all heads side by side. */
  readonly key: number
}

export const rowSteps = ({ heads, keyValueHeads, width }: AttentionSizes): RowSteps => ({
  head: float * width,
  query: float * heads * width,
  key: float * keyValueHeads * width,
})

/** Locals that say which rows and which head a piece of work is about. */
export interface HeadPlace {
  readonly sample: number
  /** Head of the queries. */
  readonly own: number
  /** Head of the keys and values. */
  readonly shared: number
  readonly firstQuery: number
}

/** The address of a head's rows of an operand shaped like the queries, from `firstQuery` on. */
export const inQueries = (
  kit: WasmStageKit,
  sizes: AttentionSizes,
  at: Pick<HeadPlace, "sample" | "own" | "firstQuery">,
  operand: number,
): number => {
  const { query, head } = rowSteps(sizes)
  return place(
    kit,
    { local: kit.operand(operand) },
    [{ local: at.sample }, sizes.queries * query],
    [{ local: at.firstQuery }, query],
    [{ local: at.own }, head],
  )
}

/** The address of a head's first row of an operand shaped like the keys. */
export const inKeys = (
  kit: WasmStageKit,
  sizes: AttentionSizes,
  at: Pick<HeadPlace, "sample" | "shared">,
  operand: number,
): number => {
  const { key, head } = rowSteps(sizes)
  return place(
    kit,
    { local: kit.operand(operand) },
    [{ local: at.sample }, sizes.keys * key],
    [{ local: at.shared }, head],
  )
}
