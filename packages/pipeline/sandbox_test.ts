import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { loadPipeline } from "./mod.ts"
import { steps } from "./testing/steps.ts"
import { makeWorkplace } from "./testing/workplace.ts"

layer(NodeServices.layer, { excludeTestServices: true })("a sandbox", (it) => {
  it.effect("lets pipelines read their own folder and what is allowed, and follows links", () =>
    Effect.gen(function* () {
      const { at, fileSystem, write } = yield* makeWorkplace
      yield* fileSystem.makeDirectory(at("inside", "folder"), { recursive: true })
      yield* fileSystem.makeDirectory(at("inside-too"))
      yield* write("secret.txt", "s")
      yield* write("inside/story.txt", "s")
      yield* write("inside-too/story.txt", "s")
      yield* fileSystem.symlink(at("secret.txt"), at("inside", "link.txt"))
      yield* fileSystem.symlink(at("secret.txt"), at("inside", "folder", "link.txt"))
      yield* fileSystem.symlink(at("inside", "story.txt"), at("inside", "good.txt"))
      const load = (path: string, sandbox?: ReadonlyArray<string>) =>
        Effect.andThen(
          write("inside/p.yaml", `name: p\nsteps: { a: { use: test/read, path: "${path}" } }\n`),
          loadPipeline(at("inside", "p.yaml"), {
            steps,
            ...(sandbox === undefined ? {} : { sandbox }),
          }),
        )
      const told = (path: string, sandbox: ReadonlyArray<string> = []) =>
        Effect.map(Effect.flip(load(path, sandbox)), ({ message }) => message)
      yield* load("story.txt", [])
      yield* load("good.txt", [])
      yield* load("../secret.txt")
      for (const path of [
        "../secret.txt",
        at("secret.txt"),
        "link.txt",
        "folder",
        "../nowhere.txt",
      ]) {
        assert.match(yield* told(path), /p\.yaml:2:\d+: steps\.a\.path: .* is outside of what/)
      }
      assert.match(yield* told("folder"), /folder\/link\.txt is outside/)
      assert.match(yield* told("../inside-too/story.txt"), /is outside/)
      yield* load("../inside-too/story.txt", [at("inside-too")])
      yield* load("../secret.txt", [at()])
      assert.match(yield* told("nowhere.txt"), /there is no file/)
    }),
  )

  it.effect("does not run programs", () =>
    Effect.gen(function* () {
      const { at, fileSystem, write } = yield* makeWorkplace
      const program = `import { writeFileSync } from "node:fs"
writeFileSync(${JSON.stringify(at("ran"))}, "")
export default { name: "p", steps: { a: { use: "test/paint" } } }
`
      yield* write("p.ts", program)
      const refused = yield* Effect.flip(loadPipeline(at("p.ts"), { steps, sandbox: [] }))
      assert.match(refused.message, /is a program, and a sandbox runs none/)
      assert.isFalse(yield* fileSystem.exists(at("ran")))
      yield* loadPipeline(at("p.ts"), { steps })
      assert.isTrue(yield* fileSystem.exists(at("ran")))
    }),
  )
})
