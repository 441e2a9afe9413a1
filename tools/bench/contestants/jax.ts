import { findCase } from "../cases/all.ts"
import { packageVersion } from "../package_version.ts"
import { Absent } from "../protocol.ts"
import { serve } from "../serve.ts"
import { installWebWorkers } from "../web_workers.ts"

await serve(async () => {
  // jax-js looks for workers while it is loaded.
  if (process.argv.includes("--lend-workers")) installWebWorkers()
  const jax = await import("@jax-js/jax")
  await jax.init("wasm")
  jax.defaultDevice("wasm")
  return {
    versions: () => `jax-js ${packageVersion("@jax-js/jax")}`,
    prepare: async (name, quick) => {
      const prepare = findCase(name, quick ? "quick" : "full").implementations.jax
      if (prepare === undefined) throw new Absent("has no such case")
      return prepare(jax)
    },
  }
})
