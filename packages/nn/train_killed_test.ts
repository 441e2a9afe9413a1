import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { numbers } from "./testing/evaluate.ts"

const child = fileURLToPath(new URL("testing/training_child.ts", import.meta.url))

/** Runs the training; kills it at the first line that `isTime`. Gives what it said, and how it ended. */
const run = (folder: string, isTime: (line: string) => boolean = () => false) =>
  new Promise<{ readonly code: number | null; readonly lines: ReadonlyArray<string> }>(
    (resolve, reject) => {
      const training = spawn(process.execPath, ["--conditions=@espalier/source", child, folder], {
        stdio: ["ignore", "pipe", "inherit"],
      })
      let text = ""
      let seen = 0
      training.stdout.on("data", (chunk: Buffer) => {
        text += chunk.toString()
        const lines = text.split("\n").slice(0, -1)
        if (lines.slice(seen).some(isTime)) training.kill("SIGKILL")
        seen = lines.length
      })
      training.on("error", reject)
      training.on("close", (code) => resolve({ code, lines: text.split("\n").slice(0, -1) }))
    },
  )

const makeFolder = () => mkdtempSync(join(tmpdir(), "espalier-train-"))
const results = (folder: string) =>
  ["parameters.bin", "figures.json"].map((name) => readFileSync(join(folder, name)))

describe("train", () => {
  it("killed again and again goes on each time, and ends with the same bytes", async () => {
    const [whole, broken] = [makeFolder(), makeFolder()]
    try {
      const unbroken = await run(whole)
      assert.strictEqual(unbroken.code, 0)
      // Random steps, and at each a moment: after the step, after its evaluation, while it is saved.
      const draws = numbers(4, 20)
      let from = 0
      for (const [i, draw] of draws.entries()) {
        const until = from + 2 + Math.floor(((draw + 1) / 2) * 7)
        const moment = ["StepDone", "saving", "Evaluated", "StepDone"][i]
        let reached = false
        const killed = await run(broken, (line) => {
          const [what, step] = line.split(" ")
          reached ||= Number(step) >= until
          return reached && what === moment
        })
        assert.isNull(killed.code, killed.lines.join("\n"))
        const resumed = killed.lines.find((line) => line.startsWith("Resumed"))
        assert.strictEqual(resumed !== undefined, i > 0)
        if (resumed !== undefined) assert.isAtLeast(Number(resumed.split(" ")[1]), from - 1)
        from = until
      }
      const ended = await run(broken)
      assert.strictEqual(ended.code, 0)
      assert.match(ended.lines[0], /^Resumed \d+$/)
      assert.isAtLeast(Number(ended.lines[0].split(" ")[1]), from - 1)
      const [expected, found] = [results(whole), results(broken)]
      expected.forEach((bytes, i) => assert.isTrue(bytes.equals(found[i])))
    } finally {
      for (const folder of [whole, broken]) rmSync(folder, { recursive: true, force: true })
    }
  })
})
