import type { WasmCode, WasmStageKit } from "@espalier/tensor"
import { WasmParts } from "@espalier/tensor"

const { constant, float, keep, load, place, splat, store, vector } = WasmParts

/** What the kernel is written for. `of` is 0 where the mask is given, `levels` where nothing is rounded. */
export interface ColumnSizes {
  readonly columns: number
  readonly outputs: number
  readonly keep: number
  readonly of: number
  readonly levels: number
}

/** Vectors of outputs that go through the block together. */
const vectors = 2
const lanes = 4 * vectors

const operand = { weights: 0, factor: 1, removed: 2, scales: 3, zeros: 4 } as const
/** Results come after the operands, of which two are there for grids only. */
const resultOf = ({ levels }: ColumnSizes) =>
  levels > 0 ? { kept: 5, errors: 6 } : { kept: 3, errors: 4 }

/**
 * Writes 1s over `removed` for the columns of one group: those of which at least `keep` others of the
 * group have a greater score, or an equal one and come later.
 */
const chooseGroup = (
  kit: WasmStageKit,
  { keep: kept, of }: ColumnSizes,
  first: number,
  panel: number,
  pivots: number,
  mask: number,
): void => {
  const { f } = kit
  const step = 4 * lanes
  const at = (base: number, each: number) => place(kit, { local: base }, [{ local: first }, each])
  const [rows, pivot, target] = [at(panel, step), at(pivots, float), at(mask, step)]
  for (let v = 0; v < vectors; v++) {
    const scores = Array.from({ length: of }, (_, i) => {
      const scaled = vector(
        kit,
        "f32x4.mul",
        load(kit, rows, i * step + 16 * v),
        splat(kit, pivot, float * i),
      )
      return vector(kit, "f32x4.mul", scaled, scaled)
    })
    for (let i = 0; i < of; i++) {
      // Comparisons give −1 where true: the sum is minus the number of smaller ones.
      const rank = constant(kit, 0)
      for (let j = 0; j < of; j++) {
        if (j === i) continue
        f.get(rank)
        f.get(scores[j])
          .get(scores[i])
          .op(j < i ? "f32x4.le" : "f32x4.lt")
        f.op("i32x4.add").set(rank)
      }
      f.get(rank)
        .i32(kept - of)
        .op("i32x4.splat")
        .op("i32x4.gt_s")
      store(kit, target, keep(kit, "v128"), i * step + 16 * v)
    }
  }
}

/** Rounds a vector of weights to the grid at two addresses. */
const onGrid = (
  kit: WasmStageKit,
  value: number,
  levels: number,
  scale: number,
  zero: number,
): number => {
  kit.f.get(vector(kit, "f32x4.div", value, scale)).op("f32x4.nearest")
  const code = vector(kit, "f32x4.add", keep(kit, "v128"), zero)
  const above = vector(kit, "f32x4.pmax", code, constant(kit, 0))
  const clamped = vector(kit, "f32x4.pmin", above, constant(kit, levels))
  return vector(kit, "f32x4.mul", vector(kit, "f32x4.sub", clamped, zero), scale)
}

const write = (kit: WasmStageKit, sizes: ColumnSizes): void => {
  const { f } = kit
  const { columns, outputs, of, levels } = sizes
  const result = resultOf(sizes)
  const step = 4 * lanes
  const panel = place(kit, { local: kit.scratch })
  const mask = place(kit, { local: kit.scratch }, [step, columns])
  const pivots = place(kit, { local: kit.scratch }, [2 * step, columns])
  const row = float * outputs
  const one = constant(kit, 1)
  const zero = constant(kit, 0)
  kit.loop(0, columns, 1, (i) => {
    const at = place(kit, { local: kit.operand(operand.factor) }, [
      { local: i },
      float * (columns + 1),
    ])
    const inverse = vector(kit, "f32x4.div", one, splat(kit, at))
    f.get(place(kit, { local: pivots }, [{ local: i }, float]))
    f.get(inverse).memoryLane("v128.store32_lane", 0)
  })
  kit.loop({ local: kit.start }, { local: kit.end }, 1, (group) => {
    const output = place(kit, 0, [{ local: group }, step])
    const at = (base: number, index: number, each: number, offset: number) =>
      place(kit, { local: base }, [{ local: index }, each], [{ local: offset }, 1])
    kit.loop(0, columns, 1, (i) => {
      const weights = at(kit.operand(operand.weights), i, row, output)
      const removed = at(kit.operand(operand.removed), i, row, output)
      const to = place(kit, { local: panel }, [{ local: i }, step])
      const toMask = place(kit, { local: mask }, [{ local: i }, step])
      for (let v = 0; v < vectors; v++) {
        store(kit, to, load(kit, weights, 16 * v), 16 * v)
        if (of > 0) continue
        store(kit, toMask, vector(kit, "f32x4.ne", load(kit, removed, 16 * v), zero), 16 * v)
      }
    })
    const column = (i: number): void => {
      const from = place(kit, { local: panel }, [{ local: i }, step])
      const chosen = place(kit, { local: mask }, [{ local: i }, step])
      const pivot = splat(kit, place(kit, { local: pivots }, [{ local: i }, float]))
      const kept = at(kit.operand(result.kept), i, row, output)
      const errors = at(kit.operand(result.errors), i, row, output)
      const scales = levels > 0 ? at(kit.operand(operand.scales), i, row, output) : 0
      const zeros = levels > 0 ? at(kit.operand(operand.zeros), i, row, output) : 0
      const slopes = Array.from({ length: vectors }, (_, v) => {
        const value = load(kit, from, 16 * v)
        const survivor = vector(kit, "v128.andnot", value, load(kit, chosen, 16 * v))
        const stored =
          levels === 0
            ? survivor
            : onGrid(kit, survivor, levels, load(kit, scales, 16 * v), load(kit, zeros, 16 * v))
        store(kit, kept, stored, 16 * v)
        const error = vector(kit, "f32x4.mul", vector(kit, "f32x4.sub", value, stored), pivot)
        store(kit, errors, error, 16 * v)
        f.get(error).op("f32x4.neg")
        return keep(kit, "v128")
      })
      const next = place(kit, { local: i }, [1, 1])
      const factor = place(
        kit,
        { local: kit.operand(operand.factor) },
        [{ local: i }, float * (columns + 1)],
        [1, float],
      )
      const target = place(kit, { local: panel }, [{ local: next }, step])
      kit.loop({ local: next }, columns, 1, () => {
        const u = splat(kit, factor)
        for (let v = 0; v < vectors; v++) {
          f.get(target)
          f.get(u).get(slopes[v])
          kit.multiplyAdd(() => f.get(target).memory("v128.load", 16 * v))
          f.memory("v128.store", 16 * v)
        }
        f.get(factor).i32(float).op("i32.add").set(factor)
        f.get(target).i32(step).op("i32.add").set(target)
      })
    }
    if (of === 0) kit.loop(0, columns, 1, column)
    else {
      kit.loop(0, columns, of, (first) => {
        chooseGroup(kit, sizes, first, panel, pivots, mask)
        const end = place(kit, { local: first }, [of, 1])
        kit.loop({ local: first }, { local: end }, 1, column)
      })
    }
  })
}

/** Outputs go through the block side by side, in vectors; `undefined` where they do not fill those. */
export const columnCode = (sizes: ColumnSizes): WasmCode | undefined => {
  const { columns, outputs } = sizes
  if (outputs % lanes !== 0 || columns > 1024) return undefined
  return {
    stages: [
      {
        name: "columns",
        extent: outputs / lanes,
        grain: 1,
        work: (columns * columns * outputs) / 4,
        write: (kit) => write(kit, sizes),
      },
    ],
    scratchBytes: columns * (8 * lanes + float) + 64,
  }
}
