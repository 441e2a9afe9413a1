import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { formatInstruction, formatOutput } from "./mod.ts"

const child = fileURLToPath(new URL("testing/score_child.ts", import.meta.url))

/** Writes predictions with the prompt before the answer until the file is so large; the number of lines. */
const writeLarge = (path: string, megabytes: number): number => {
  const prompt = formatInstruction({
    claim: "Is it?",
    context: "Some words of context. ".repeat(400),
  })
  const answer = formatOutput("True", "It is so because it is so. ".repeat(8))
  const line = `${JSON.stringify({ output: `Human: ${prompt} Assistant: ${answer}` })}\n`
  const count = Math.ceil((megabytes * 1e6) / line.length)
  const file = openSync(path, "w")
  for (let i = 0; i < count; i++) writeSync(file, line)
  closeSync(file)
  return count
}

const peakOf = async (file: string) => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--conditions=@espalier/source",
    // What is garbage is collected soon, so that the peak is what is held.
    "--max-semi-space-size=2",
    "--max-old-space-size=128",
    child,
    file,
  ])
  return JSON.parse(stdout) as { readonly items: number; readonly peakMiB: number }
}

describe("scoreFiles", () => {
  it(
    "takes no more memory for a file that is many times as large",
    { timeout: 240_000 },
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "fmd-score-"))
      try {
        const [small, large] = [join(folder, "small.jsonl"), join(folder, "large.jsonl")]
        const counts = [writeLarge(small, 16), writeLarge(large, 160)]
        const peaks = [await peakOf(small), await peakOf(large)]
        assert.deepEqual(
          peaks.map(({ items }) => items),
          counts,
        )
        // 56 MB more to read, twice: a reader that kept it would need more than that.
        assert.isBelow(peaks[1].peakMiB - peaks[0].peakMiB, 60)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
  )
})
