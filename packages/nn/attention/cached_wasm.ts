import type { WasmCode, WasmStageKit } from "@espalier/tensor"
import { transposeLanes } from "@espalier/tensor"
import type { CachedSizes } from "./shapes.ts"
import {
  acrossLanes,
  constant,
  float,
  keep,
  lanesBelow,
  load,
  place,
  smaller,
  splat,
  store,
  vector,
} from "./wasm_parts.ts"

/** Elements of a head that one pass over the values adds up. */
const chunk = 64
const none = -1e30

const write = (kit: WasmStageKit, sizes: CachedSizes): void => {
  const { f } = kit
  const { context, heads, keyValueHeads, width, scale } = sizes
  const rowBytes = float * keyValueHeads * width
  const vectors = Array.from({ length: width / 4 }, (_, i) => i)
  f.get(kit.operand(3)).memory("i32.load")
  const position = keep(kit, "i32")
  const count = smaller(kit, context, { local: place(kit, { local: position }, [1, 1]) })
  f.get(count).i32(3).op("i32.add").i32(-4).op("i32.and")
  const padded = keep(kit, "i32")
  const last = place(kit, { local: count }, [1, -1])

  kit.loop({ local: kit.start }, { local: kit.end }, 1, (head) => {
    f.get(head)
      .i32(heads / keyValueHeads)
      .op("i32.div_u")
    const shared = keep(kit, "i32")
    const own = (operand: number, index: number, step: number): number =>
      place(kit, { local: kit.operand(operand) }, [{ local: index }, step])
    const query = own(0, head, float * width)
    const [keys, values] = [own(1, shared, float * width), own(2, shared, float * width)]
    const factor = constant(kit, scale)
    const parts = vectors.map((i) => vector(kit, "f32x4.mul", load(kit, query, 16 * i), factor))

    const most = constant(kit, none)
    const low = constant(kit, none)
    kit.loop(0, { local: padded }, 4, (key) => {
      const sums = [0, 1, 2, 3].map((i) => {
        const index = smaller(kit, { local: place(kit, { local: key }, [i, 1]) }, { local: last })
        const row = place(kit, { local: keys }, [{ local: index }, rowBytes])
        const sum = constant(kit, 0)
        for (const [at, part] of parts.entries()) {
          f.get(part).get(load(kit, row, 16 * at))
          kit.multiplyAdd(() => f.get(sum))
          f.set(sum)
        }
        return sum
      })
      const [a, b, c, d] = transposeLanes(kit.f, sums)
      const halves = [vector(kit, "f32x4.add", a, b), vector(kit, "f32x4.add", c, d)]
      const total = vector(kit, "f32x4.add", halves[0], halves[1])
      const score = vector(kit, "v128.bitselect", total, low, lanesBelow(kit, key, count))
      store(kit, place(kit, { local: kit.scratch }, [{ local: key }, float]), score)
      f.get(vector(kit, "f32x4.pmax", most, score)).set(most)
    })
    const maximum = acrossLanes(kit, "f32x4.pmax", most)

    const sum = constant(kit, 0)
    kit.loop(0, { local: padded }, 4, (key) => {
      const at = place(kit, { local: kit.scratch }, [{ local: key }, float])
      const weight = kit.apply("exp", vector(kit, "f32x4.sub", load(kit, at), maximum))
      store(kit, at, weight)
      f.get(vector(kit, "f32x4.add", sum, weight)).set(sum)
    })
    const inverse = vector(kit, "f32x4.div", constant(kit, 1), acrossLanes(kit, "f32x4.add", sum))

    const output = own(4, head, float * width)
    for (let from = 0; from < width; from += chunk) {
      const columns = vectors.filter((i) => 4 * i >= from && 4 * i < from + chunk)
      const totals = columns.map(() => constant(kit, 0))
      kit.loop(0, { local: count }, 1, (key) => {
        const weight = splat(kit, place(kit, { local: kit.scratch }, [{ local: key }, float]))
        const row = place(kit, { local: values }, [{ local: key }, rowBytes])
        for (const [at, i] of columns.entries()) {
          f.get(weight).get(load(kit, row, 16 * i))
          kit.multiplyAdd(() => f.get(totals[at]))
          f.set(totals[at])
        }
      })
      for (const [at, i] of columns.entries()) {
        store(kit, output, vector(kit, "f32x4.mul", totals[at], inverse), 16 * i)
      }
    }
  })
}

/** Heads side by side, over the part of the cache that is filled. */
export const cachedCode = (sizes: CachedSizes): WasmCode | undefined => {
  const { context, heads, width } = sizes
  if (width % 4 !== 0 || width > 256) return undefined
  return {
    stages: [
      {
        name: "cached-attention",
        extent: heads,
        grain: 1,
        work: (heads * context * (width + 10)) / 4,
        write: (kit) => write(kit, sizes),
      },
    ],
    scratchBytes: float * (context + 4),
  }
}
