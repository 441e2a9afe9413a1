import type { Product } from "./contract.ts"
import { tileColumns, tileRows } from "./contract_tile.ts"
import { access, strideAlong } from "./dependencies.ts"
import { weight } from "./loops.ts"

/** The next multiple. */
export const padded = (extent: number, multiple: number): number =>
  Math.ceil(extent / multiple) * multiple

/** Block sizes, and where each block lies in the scratch memory. */
interface Blocks {
  readonly inner: number
  readonly columns: number
  /** Rows whose sums are kept while the inner blocks go by. */
  readonly rows: number
  /** Where the right panels of one block lie, unless all of them were packed beforehand. */
  readonly packedRight: number
  readonly sums: number
  readonly bytes: number
}

/** Steps of the left side between rows and between inner steps, where tiles can read it in place. */
interface InPlace {
  readonly across: number
  readonly along: number
}

/** What is known before the code is written. */
export interface Plan {
  readonly product: Product
  readonly tile: number
  readonly blocks: Blocks
  /** Whole products lie in one inner block. */
  readonly single: boolean
  readonly left: InPlace | undefined
  /** All right panels are packed in a stage of their own, for all threads. */
  readonly shareRight: boolean
  /** Bytes between rows of the output, where sums can be written straight into it. */
  readonly output: number | undefined
  /** The output expressions are short enough to be part of the tile. */
  readonly light: boolean
}

/**
 * A panel that is read for few columns does not pay for its packing: then the tiles read the left
 * side where it lies.
 */
const fewColumns = 32

const leftInPlace = ({ rows, columns, inner }: Product): InPlace | undefined => {
  const { value } = rows
  if (columns.extent > fewColumns || value.kind !== "load" || value.dtype !== "f32")
    return undefined
  const target = access(value.operand, value.index)
  const across = strideAlong(target, rows.variable)
  const along = strideAlong(target, inner.variable)
  if (across === undefined || along === undefined || across < 0 || along < 0) return undefined
  return { across: 4 * across, along: 4 * along }
}

const outputInPlace = ({ kernel, rows, columns, values, stores }: Product): number | undefined => {
  const [target] = stores
  if (values.length !== 1 || values[0].kind !== "argument") return undefined
  if (kernel.operands[target.operand].dtype !== "f32") return undefined
  const across = strideAlong(target, rows.variable)
  return strideAlong(target, columns.variable) === 1 && across !== undefined
    ? 4 * across
    : undefined
}

/** Output expressions of at most this weight are written into the tile. */
const lightOutput = 8

/** Most floats that are packed beforehand. */
const mostShared = 2 ** 22

/** Decides on blocks, and on what needs no packing or no pass of its own. */
export const planProduct = (product: Product, relaxed: boolean, byRows: boolean): Plan => {
  const { rows, columns, inner } = product
  const shareRight =
    byRows &&
    product.batch.length === 0 &&
    rows.extent >= 64 &&
    padded(columns.extent, tileColumns) * inner.extent <= mostShared
  const tile = tileRows(relaxed)
  const count = inner.extent <= 384 ? 1 : Math.ceil(inner.extent / 320)
  const innerBlock = count === 1 ? inner.extent : padded(inner.extent / count, 4)
  const columnBlock = Math.min(512, padded(columns.extent, tileColumns))
  const output = outputInPlace(product)
  const keptRows = count === 1 ? tile : padded(Math.min(1024, rows.extent), tile)
  const single = count === 1
  const packedRight = padded(4 * tile * innerBlock, 64)
  const sums = packedRight + (shareRight ? 0 : 4 * columnBlock * innerBlock)
  const bytes = padded(sums + (output === undefined ? 4 * keptRows * columnBlock : 0), 64)
  return {
    product,
    tile,
    blocks: {
      inner: innerBlock,
      columns: columnBlock,
      rows: single || output !== undefined ? padded(rows.extent, tile) : keptRows,
      packedRight,
      sums,
      bytes,
    },
    single,
    left: leftInPlace(product),
    shareRight,
    output,
    light: weight(product.values) <= lightOutput,
  }
}
