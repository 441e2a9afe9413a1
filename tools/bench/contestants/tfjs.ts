import * as tf from "@tensorflow/tfjs"
import { getThreadsCount, setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm"
import os from "node:os"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { findCase } from "../cases/all.ts"
import { Absent } from "../protocol.ts"
import { serve } from "../serve.ts"
import { installWebWorkers } from "../web_workers.ts"

/** tfjs threads in browsers only, and there with half of the cores: both are overridden. */
const lendThreads = (): number => {
  const cores = os.cpus()
  os.cpus = () => [...cores, ...cores]
  installWebWorkers()
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", true)
  return cores.length
}

await serve(async () => {
  const anyBinary = "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm"
  setWasmPaths(`${dirname(fileURLToPath(import.meta.resolve(anyBinary)))}/`)
  setThreadsCount(process.argv.includes("--lend-workers") ? lendThreads() : 1)
  await tf.setBackend("wasm")
  return {
    versions: () =>
      `tfjs ${tf.version_core}, ${tf.getBackend()} with SIMD, ${getThreadsCount()} threads`,
    prepare: async (name, quick) => {
      const prepare = findCase(name, quick ? "quick" : "full").implementations.tfjs
      if (prepare === undefined) throw new Absent("has no such case")
      return prepare(tf)
    },
  }
})
