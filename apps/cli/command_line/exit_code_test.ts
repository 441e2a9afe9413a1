import { assert, describe, it } from "@effect/vitest"
import { Cause, Exit } from "effect"
import { exitCodeOf, exitCodeOfExit } from "./exit_code.ts"

describe("exit codes", () => {
  it("part what the input is to blame for from what failed in computing", () => {
    const codes = [
      "TokenizerMismatch",
      "StoreError",
      "DeviceUnavailable",
      "NonFinite",
      "OutOfMemory",
    ]
    assert.deepStrictEqual(
      codes.map((_tag) => exitCodeOf({ _tag })),
      [2, 2, 3, 1, 1],
    )
  })

  it("of a run with failed steps are 2 only if all of them had bad input", () => {
    const run = (...tags: ReadonlyArray<string>) =>
      exitCodeOf({ _tag: "RunFailed", failedSteps: tags.map((tag) => ({ tag })) })
    assert.strictEqual(run("EmptyText"), 2)
    assert.strictEqual(run("EmptyText", "WindowTooLong"), 2)
    assert.strictEqual(run("EmptyText", "NonFinite"), 1)
    assert.strictEqual(run("Defect"), 1)
  })

  it("of an interruption and of a defect", () => {
    assert.strictEqual(exitCodeOfExit(Exit.failCause(Cause.interrupt(1))), 130)
    assert.strictEqual(exitCodeOfExit(Exit.die(new TypeError("no"))), 1)
    assert.strictEqual(exitCodeOfExit(Exit.succeed(0)), 0)
  })
})
