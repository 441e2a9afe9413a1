import type { TensorType } from "../tensor.ts"
import type { WasmCode, WasmStageKit } from "./wasm_abi.ts"

/** Loads one element onto the stack and compares two of them, for each dtype. */
const instructions = {
  f32: { load: "f32.load", lessEqual: "f32.le", greaterEqual: "f32.ge" },
  i32: { load: "i32.load", lessEqual: "i32.le_s", greaterEqual: "i32.ge_s" },
  u32: { load: "i32.load", lessEqual: "i32.le_u", greaterEqual: "i32.ge_u" },
} as const

/** Merges runs of twice the length from `source` to `target`, over one row of `length`. */
const write = (kit: WasmStageKit, { shape, dtype }: TensorType, descending: boolean): void => {
  const { f } = kit
  const length = shape[1]
  const { load, lessEqual, greaterEqual } = instructions[dtype as keyof typeof instructions]
  const local = (): number => f.local("i32")
  const [keys, output, source, target, swap] = [local(), local(), local(), local(), local()]
  const [width, low, middle, high, left, right, at] = [
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
  ]
  const passes = Math.ceil(Math.log2(Math.max(1, length)))
  const bounded = (base: number, into: number): void => {
    f.get(base).get(width).op("i32.add").set(into)
    f.get(into).i32(length).get(into).i32(length).op("i32.lt_s").op("select").set(into)
  }
  const element = (list: number, index: number): void => {
    f.get(list).get(index).i32(2).op("i32.shl").op("i32.add").memory("i32.load")
  }
  const key = (index: number): void => {
    f.get(keys)
    element(source, index)
    f.i32(2).op("i32.shl").op("i32.add").memory(load)
  }
  const put = (index: number): void => {
    f.get(target).get(at).i32(2).op("i32.shl").op("i32.add")
    element(source, index)
    f.memory("i32.store")
    f.get(index).i32(1).op("i32.add").set(index)
  }
  kit.loop({ local: kit.start }, { local: kit.end }, 1, (row) => {
    f.get(kit.operand(0))
      .get(row)
      .i32(4 * length)
      .op("i32.mul")
      .op("i32.add")
      .set(keys)
    f.get(kit.operand(1))
      .get(row)
      .i32(4 * length)
      .op("i32.mul")
      .op("i32.add")
      .set(output)
    // The last pass ends in the output: an odd number of passes begins in the scratch memory.
    if (passes % 2 === 0) f.get(output).set(source).get(kit.scratch).set(target)
    else f.get(kit.scratch).set(source).get(output).set(target)
    kit.loop(0, length, 1, (i) => {
      f.get(source).get(i).i32(2).op("i32.shl").op("i32.add").get(i).memory("i32.store")
    })
    f.i32(1).set(width)
    kit.loop(0, passes, 1, () => {
      f.i32(0).set(low)
      f.loop((next) => {
        bounded(low, middle)
        bounded(middle, high)
        f.get(low).set(left).get(middle).set(right)
        kit.loop({ local: low }, { local: high }, 1, (place) => {
          f.get(place).set(at)
          f.get(left)
            .get(middle)
            .op("i32.lt_s")
            .if(
              () => {
                f.get(right)
                  .get(high)
                  .op("i32.lt_s")
                  .if(
                    () => {
                      key(left)
                      key(right)
                      f.op(descending ? greaterEqual : lessEqual).if(
                        () => put(left),
                        () => put(right),
                      )
                    },
                    () => put(left),
                  )
              },
              () => put(right),
            )
        })
        f.get(high).tee(low).i32(length).op("i32.lt_s").branchIf(next)
      })
      f.get(width).i32(1).op("i32.shl").set(width)
      f.get(source).set(swap).get(target).set(source).get(swap).set(target)
    })
  })
}

/** A stable merge sort of the positions of each row [rows, n], rows side by side on the threads. */
export const mergeSortCode = (x: TensorType, descending: boolean): WasmCode | undefined => {
  if (!(x.dtype in instructions)) return undefined
  const [rows, length] = x.shape
  return {
    stages: [
      {
        name: "argsort",
        extent: rows,
        grain: 1,
        work: 4 * rows * length * Math.ceil(Math.log2(length + 1)),
        write: (kit) => write(kit, x, descending),
      },
    ],
    scratchBytes: 4 * length,
  }
}
