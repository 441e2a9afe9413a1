import { assert, describe, it } from "@effect/vitest"
import { hasData, needsData, readData } from "@espalier/testing"
import { Result } from "effect"
import { gunzipSync } from "node:zlib"
import { withShots } from "./items.ts"
import { readZeroShotItems, zeroShotTasks } from "./tasks.ts"

const taskCalled = (name: string) => {
  const task = zeroShotTasks.find((each) => each.name === name)
  return task ?? assert.fail(`no task ${name}`)
}
const read = (name: string, text: string) => readZeroShotItems(taskCalled(name), "q.jsonl", text)
const only = (name: string, text: string) => Result.getOrThrow(read(name, text))[0]

describe("questions", () => {
  it("are put as the harness puts them", () => {
    const arc = '{"query":"Question: Why?","choices":["né 𝄞","b"],"gold":1}'
    assert.deepStrictEqual(only("arc_easy", arc), {
      requests: [
        { context: "Question: Why?\nAnswer:", continuation: " né 𝄞" },
        { context: "Question: Why?\nAnswer:", continuation: " b" },
      ],
      gold: 1,
      characters: [4, 1],
    })
    const piqa = '{"query":"Question: How?\\n","choices":["a","b"],"gold":0}'
    assert.strictEqual(only("piqa", piqa).requests[0].context, "Question: How?\nAnswer:")
    const book = '{"query":"Predators eat","choices":["a","b"],"gold":0}'
    assert.strictEqual(only("openbookqa", book).requests[0].context, "Predators eat")
    const schema = '{"context_options":["He","She"],"continuation":"slept.","gold":0}'
    assert.deepStrictEqual(only("winogrande", schema), {
      requests: [
        { context: "He", continuation: " slept." },
        { context: "She", continuation: " slept." },
      ],
      gold: 0,
    })
    assert.deepStrictEqual(only("lambada_openai", '{"context":"a b","continuation":"c"}'), {
      requests: [{ context: "a b", continuation: " c" }],
    })
  })

  it("are refused with their line where a file is damaged or another one", () => {
    const good = '{"query":"q","choices":["a","b"],"gold":0}'
    for (const [text, says] of [
      [`${good}\n\n{"query":`, /^q\.jsonl:3: expected \{"query".*found no JSON/],
      [`${good}\n{"context":"a","continuation":"b"}`, /^q\.jsonl:2: .*query/],
      ['{"query":"q","choices":["a","b"],"gold":2}', /gold 2 must be one of the 2 choices/],
      ['{"query":"q","choices":["a"],"gold":0}', /q\.jsonl:1/],
      ['{"query":"q","choices":["a"," "],"gold":0}', /q\.jsonl:1/],
      ["null", /q\.jsonl:1/],
      ["\n", /no questions/],
    ] as const) {
      const result = read("arc_easy", text)
      if (Result.isSuccess(result)) return assert.fail(`accepted ${text}`)
      assert.match(result.failure.message, says)
      assert.isNotEmpty(result.failure.hint)
    }
  })

  it("may be preceded by solved ones, which are not asked", () => {
    const items = ["1", "2", "3"].map((digit) => ({
      requests: ["a", "b"].map((choice) => ({ context: `${digit}:`, continuation: ` ${choice}` })),
      gold: 1,
    }))
    const asked = withShots(items, 2)
    assert.strictEqual(asked.length, 1)
    assert.deepStrictEqual(asked[0].requests[0], {
      context: "1: b\n\n2: b\n\n3:",
      continuation: " a",
    })
    assert.deepStrictEqual(withShots(items, 0), items)
  })
})

describe.skipIf(!hasData)(`real questions${needsData}`, () => {
  it("are as many as the benchmarks have", () => {
    const counts = zeroShotTasks.map((task) => {
      const bytes = gunzipSync(readData(`zero-shot/${task.file}.jsonl.gz`))
      const text = new TextDecoder().decode(bytes)
      return [task.name, Result.getOrThrow(readZeroShotItems(task, task.file, text)).length]
    })
    assert.deepStrictEqual(counts, [
      ["arc_easy", 2376],
      ["arc_challenge", 1172],
      ["piqa", 1838],
      ["winogrande", 1267],
      ["openbookqa", 500],
      ["lambada_openai", 5153],
    ])
  })
})
