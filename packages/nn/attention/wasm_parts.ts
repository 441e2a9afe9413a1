import type { WasmBound, WasmStageKit } from "@espalier/tensor"
import { transposeLanes, WasmParts } from "@espalier/tensor"

export const {
  acrossLanes,
  clear,
  constant,
  float,
  keep,
  larger,
  load,
  place,
  smaller,
  splat,
  store,
  vector,
} = WasmParts

/** A matrix in memory; a row lies `across` bytes after the one before, an inner step `along`. */
interface Left {
  readonly address: number
  readonly across: number
  readonly along: number
}
interface Right {
  readonly address: number
  readonly along: number
}
interface Target {
  readonly address: number
  readonly across: number
}

/** Rows and columns of the block of a product that is kept in registers. */
export const tileRows = 4
export const tileColumns = 8

/**
 * `target += left · right` for one tile: `left` [4, count], `right` [count, 8] with columns side by
 * side; `fresh` starts from zeros.
 */
export const multiplyTile = (
  kit: WasmStageKit,
  left: Left,
  right: Right,
  target: Target,
  count: WasmBound,
  fresh: boolean,
): void => {
  const { f } = kit
  const rows = Array.from({ length: tileRows }, (_, i) => i)
  const halves = [0, 1]
  const sums = rows.map((row) =>
    halves.map((half) =>
      fresh ? constant(kit, 0) : load(kit, target.address, row * target.across + 16 * half),
    ),
  )
  const a = place(kit, { local: left.address })
  const b = place(kit, { local: right.address })
  kit.loop(0, count, 1, () => {
    const columns = halves.map((half) => load(kit, b, 16 * half))
    for (const row of rows) {
      const factor = splat(kit, a, row * left.across)
      for (const half of halves) {
        f.get(factor).get(columns[half])
        kit.multiplyAdd(() => f.get(sums[row][half]))
        f.set(sums[row][half])
      }
    }
    f.get(a).i32(left.along).op("i32.add").set(a)
    f.get(b).i32(right.along).op("i32.add").set(b)
  })
  for (const row of rows) {
    for (const half of halves) {
      store(kit, target.address, sums[row][half], row * target.across + 16 * half)
    }
  }
}

/**
 * Copies `count` rows (at least one) of `width` elements, `across` bytes apart, into columns: element
 * [row, i] goes to `target + i · pitch + 4 · row`. Rows up to the next multiple of four repeat the last.
 */
export const transposeRows = (
  kit: WasmStageKit,
  source: { readonly address: number; readonly across: number },
  count: number,
  width: number,
  target: { readonly address: number; readonly pitch: number },
): void => {
  const last = place(kit, { local: count }, [1, -1])
  kit.loop(0, { local: count }, 4, (row) => {
    const rows = [0, 1, 2, 3].map((i) => {
      const clamped = smaller(kit, { local: place(kit, { local: row }, [i, 1]) }, { local: last })
      return place(kit, { local: source.address }, [{ local: clamped }, source.across])
    })
    const to = place(kit, { local: target.address }, [{ local: row }, float])
    for (let i = 0; i < width; i += 4) {
      const read = rows.map((address) => load(kit, address, float * i))
      for (const [at, column] of transposeLanes(kit.f, read).entries()) {
        store(kit, to, column, (i + at) * target.pitch)
      }
    }
  })
}

/**
 * `target (+)= left · right` for a block: `rows` [rows, count] and columns side by side, tile after tile,
 * columns outermost so that a panel of the right side stays near.
 */
export const multiplyBlock = (
  kit: WasmStageKit,
  block: {
    readonly rows: number
    /** A number known now, or an `i32` local. */
    readonly columns: WasmBound
    readonly count: WasmBound
    readonly fresh: boolean
  },
  left: Left & { readonly rowStep: number },
  right: Right,
  target: Target,
): void => {
  kit.loop(0, block.columns, tileColumns, (column) => {
    const panel = place(kit, { local: right.address }, [{ local: column }, float])
    kit.loop(0, { local: block.rows }, tileRows, (row) => {
      const address = place(kit, { local: left.address }, [{ local: row }, left.rowStep])
      const to = place(
        kit,
        { local: target.address },
        [{ local: row }, target.across],
        [{ local: column }, float],
      )
      multiplyTile(
        kit,
        { ...left, address },
        { ...right, address: panel },
        { ...target, address: to },
        block.count,
        block.fresh,
      )
    })
  })
}

/** Stores what `value` makes of the vectors of a row of `width` elements at `to`. */
export const mapRow = (
  kit: WasmStageKit,
  width: number,
  from: number,
  to: number,
  value: (vector: number, offset: number) => number = (vector) => vector,
): void => {
  for (let offset = 0; offset < float * width; offset += 16) {
    store(kit, to, value(load(kit, from, offset), offset), offset)
  }
}

/** Hands out stretches of the scratch memory. */
export const scratchAreas = (kit: WasmStageKit): ((elements: number) => number) => {
  let used = 0
  return (elements) => {
    const made = place(kit, { local: kit.scratch }, [used, 1])
    used += float * elements
    return made
  }
}

/** `index < limit` for the four elements from `first` on: a mask. */
export const lanesBelow = (kit: WasmStageKit, first: number, limit: number): number => {
  const { f } = kit
  f.get(first).op("i32x4.splat").i32x4(0, 1, 2, 3).op("i32x4.add")
  f.get(limit).op("i32x4.splat").op("i32x4.lt_s")
  return keep(kit, "v128")
}
