import { assert, describe, it } from "@effect/vitest"
import type { DType } from "./dtype.ts"
import { ShapeError } from "./errors.ts"
import * as HostArray from "./host_array.ts"

describe("HostArray", () => {
  it("takes its dtype from integer arrays and is f32 otherwise", () => {
    assert.strictEqual(HostArray.make([2], [1, 2]).dtype, "f32")
    assert.strictEqual(HostArray.make([2], Int32Array.of(1, 2)).dtype, "i32")
    assert.strictEqual(HostArray.make([2], Uint32Array.of(1, 2)).dtype, "u32")
  })
  it("refuses values that do not fill the shape", () => {
    assert.throws(() => HostArray.make([2, 2], [1, 2, 3]), ShapeError)
  })
  it("makes zeros in the storage of each dtype", () => {
    const dtypes: ReadonlyArray<DType> = ["f32", "f64", "i32", "u32", "bool"]
    for (const dtype of dtypes) {
      const zeros = HostArray.zeros([2, 3], dtype)
      assert.strictEqual(zeros.dtype, dtype)
      assert.deepStrictEqual(zeros.shape, [2, 3])
      assert.deepStrictEqual(Array.from(zeros.data), [0, 0, 0, 0, 0, 0])
      assert.deepStrictEqual(zeros, HostArray.make([2, 3], [0, 0, 0, 0, 0, 0], dtype))
    }
    assert.strictEqual(HostArray.zeros([]).data.length, 1)
  })
})
