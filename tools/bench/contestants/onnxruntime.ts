import type * as Onnxruntime from "onnxruntime-common"
import { findCase } from "../cases/all.ts"
import { packageVersion } from "../package_version.ts"
import { Absent } from "../protocol.ts"
import { serve } from "../serve.ts"

await serve(async () => {
  // Not a dependency: 290 MB that everybody who clones the repository would have to install.
  const name: string = "onnxruntime-node"
  const runtime = await import(name).then(
    (module) => module as typeof Onnxruntime,
    () => {
      throw new Absent(`${name} is not installed; npm i --no-save ${name} in tools/bench brings it`)
    },
  )
  return {
    versions: () => `onnxruntime-node ${packageVersion(name)}`,
    prepare: async (name, quick) => {
      const make = findCase(name, quick ? "quick" : "full").implementations.onnxruntime
      if (make === undefined) throw new Absent("has no such case")
      const { bytes, feeds } = make()
      const session = await runtime.InferenceSession.create(bytes)
      const given = Object.fromEntries(
        Object.entries(feeds).map(([input, { shape, data }]) => [
          input,
          new runtime.Tensor("float32", data, [...shape]),
        ]),
      )
      return {
        values: async () => (await session.run(given))["y"].data as Float32Array,
        iterate: async (count) => {
          for (let i = 0; i < count; i++) await session.run(given)
        },
      }
    },
  }
})
