import { Effect } from "effect"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import type { Case } from "./case.ts"
import type { Contestant } from "./contestants.ts"
import { measure, quickPace, roundsFor } from "./measure.ts"

const file = join(import.meta.dirname, "testing", "fake_contestant.ts")

const fake = (behaviour: string): Contestant => ({
  engine: "ours",
  threads: 1,
  title: behaviour,
})

const oneTwoThree: Case = {
  name: "one-two-three",
  title: "three numbers",
  tolerance: 1e-6,
  reference: () => [1, 2, 3],
  implementations: { ours: Effect.die("the fake contestant does it") },
  targets: [],
}

const setting = {
  pace: { ...quickPace, rounds: 3, roundMilliseconds: 1, warmUpMilliseconds: 0 },
  quick: true,
  commandOf: ({ title }: Contestant) =>
    title === "missing"
      ? { why: "not installed" }
      : { file: process.execPath, arguments: ["--conditions=@espalier/source", file, title] },
}

const run = (...behaviours: ReadonlyArray<string>) =>
  measure(oneTwoThree, behaviours.map(fake), setting)

describe("measure", () => {
  it("times who is right, and keeps the order", async () => {
    const outcomes = await run("good", "better")
    assert.deepStrictEqual(
      outcomes.map(({ contestant }) => contestant.title),
      ["good", "better"],
    )
    for (const outcome of outcomes) {
      assert.strictEqual(outcome.state, "measured")
      if (outcome.state !== "measured") continue
      assert.strictEqual(outcome.time.rounds, 3)
      assert.isAbove(outcome.peakBytes, 2 ** 20)
      assert.isAtLeast(outcome.time.minimum, 0)
    }
  })

  it("gives no number to who is wrong, absent or broken, and goes on with the others", async () => {
    const outcomes = await run("wrong", "missing", "broken", "dying", "good")
    assert.deepStrictEqual(
      outcomes.map(({ state }) => state),
      ["red", "absent", "failed", "failed", "measured"],
    )
    const whys = outcomes.map((outcome) => (outcome.state === "measured" ? "" : outcome.why))
    assert.strictEqual(whys[0], "value 1 is 2.1, not 2")
    assert.strictEqual(whys[1], "not installed")
    assert.strictEqual(whys[2], "cannot do one-two-three")
    assert.match(whys[3], /^ended with code 3/)
  })

  it("drops who fails on the way", async () => {
    const [outcome] = await run("tired")
    assert.strictEqual(outcome.state, "failed")
  })

  it("starts a process for every round of a cold case", async () => {
    const cold = { ...oneTwoThree, cold: true }
    const [outcome] = await measure(cold, [fake("good")], setting)
    assert.strictEqual(outcome.state === "measured" && outcome.time.rounds, 2)
  })
})

describe("roundsFor", () => {
  const pace = { ...quickPace, rounds: 15, roundMilliseconds: 100, mostMilliseconds: 10_000 }

  it("is the number asked for while there is time", () => {
    assert.strictEqual(roundsFor(pace, 1e6), 15)
  })

  it("shrinks for slow contestants, to no less than three", () => {
    assert.strictEqual(roundsFor(pace, 1e9), 10)
    assert.strictEqual(roundsFor(pace, 60e9), 3)
  })
})
