import { execFile, spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { promisify } from "node:util"
import { Absent } from "../protocol.ts"
import { peakBytes, serve } from "../serve.ts"

// llama2.c, whose source is not ours to ship: LLAMA2C_SOURCE says where its run.c is.

const source = process.env["LLAMA2C_SOURCE"]
const driver = join(import.meta.dirname, "..", "native", "llama2c_driver.c")
const options = ["-Ofast", "-march=native"]

/** Builds the driver around the source; the folder is gone when this returns. */
const build = async <A>(run: (binary: string) => Promise<A>): Promise<A> => {
  if (source === undefined) throw new Absent("LLAMA2C_SOURCE does not name its run.c")
  const folder = await mkdtemp(join(tmpdir(), "espalier-bench-"))
  try {
    const binary = join(folder, "llama2c")
    const definition = `-DLLAMA2C_SOURCE="${source}"`
    await promisify(execFile)("gcc", [...options, definition, driver, "-o", binary, "-lm"])
    return await run(binary)
  } finally {
    await rm(folder, { recursive: true })
  }
}

await serve(async () => {
  let processId: number | undefined
  return {
    versions: () => `llama2.c, gcc ${options.join(" ")}`,
    peakBytes: () => peakBytes(processId),
    prepare: (_, __, given) =>
      build(async (binary) => {
        const inputs = [given["file"], given["tokens"], given["begin"]].map(String)
        const child = spawn(binary, inputs, { stdio: ["pipe", "pipe", "inherit"] })
        processId = child.pid
        const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
        const generate = async (count: number) => {
          child.stdin.write(`${count}\n`)
          const line = await lines.next()
          if (line.done === true) throw new Error("its process ended")
          return line.value
        }
        // The first answer shows that the binary has been loaded and may be removed.
        const tokens = (await generate(1)).split(" ").map(Number)
        return {
          values: () => Promise.resolve(tokens),
          iterate: async (count) => {
            await generate(count)
          },
        }
      }),
  }
})
